# The pages of docs/tutorial: their code is compiled and run, and must print what they show.
# Not under sanitizers: the pages train networks, and what they call has tests of its own.
find_program(UNCIAL_PYTHON python3)
if(UNCIAL_PYTHON AND CMAKE_BUILD_TYPE STREQUAL Release)
  set(reader ${CMAKE_CURRENT_LIST_DIR}/chapter.py)
  file(GLOB pages CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/docs/tutorial/[0-9]*.md)
  foreach(page ${pages})
    get_filename_component(chapter ${page} NAME_WE)
    if(chapter MATCHES "^07" AND NOT UNCIAL_HAS_PNG)
      continue()  # it reads a PNG file
    endif()
    set(program ${CMAKE_CURRENT_BINARY_DIR}/tutorial/${chapter}.cpp)
    add_custom_command(OUTPUT ${program} DEPENDS ${page} ${reader} VERBATIM
      COMMAND ${UNCIAL_PYTHON} ${reader} program ${page} ${program})
    add_executable(tutorial_${chapter} ${program})
    target_link_libraries(tutorial_${chapter} PRIVATE uncial::uncial)
    target_compile_options(tutorial_${chapter} PRIVATE -Wall -Wextra -O1)
    set_target_properties(tutorial_${chapter} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
    add_test(NAME tutorial_${chapter}
      COMMAND ${UNCIAL_PYTHON} ${reader} check ${page} $<TARGET_FILE:tutorial_${chapter}> ${CMAKE_CURRENT_BINARY_DIR}/tutorial/${chapter})
    set_tests_properties(tutorial_${chapter} PROPERTIES LABELS tutorial)
    list(APPEND chapters tutorial_${chapter})
  endforeach()
  file(MAKE_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/tutorial)
  add_custom_target(tutorial DEPENDS ${chapters})
  add_test(NAME tutorial_reader COMMAND ${UNCIAL_PYTHON} ${CMAKE_CURRENT_LIST_DIR}/chapter_test.py ${reader})
  set_tests_properties(tutorial_reader PROPERTIES LABELS tutorial)
endif()
