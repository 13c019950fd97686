# The committed page (docs/demo) against the program. It is built by scripts/build_demo.sh, not here.
find_program(UNCIAL_BASH bash)
if(UNCIAL_PROGRAMS AND UNCIAL_BASH)
  add_test(NAME demo_page COMMAND ${UNCIAL_BASH} ${CMAKE_CURRENT_LIST_DIR}/page_test.sh ${PROJECT_SOURCE_DIR} $<TARGET_FILE:mnist_predict>)
  set_tests_properties(demo_page PROPERTIES LABELS demo SKIP_RETURN_CODE 77)
endif()

find_program(UNCIAL_PYTHON python3)
if(UNCIAL_PYTHON)
  add_test(NAME demo_current COMMAND ${UNCIAL_PYTHON} ${CMAKE_CURRENT_LIST_DIR}/check_current.py
    ${PROJECT_SOURCE_DIR}/docs/demo/index.html ${PROJECT_SOURCE_DIR}/src/cli/page)
  set_tests_properties(demo_current PROPERTIES LABELS demo)
endif()

if(UNCIAL_PROGRAMS)
  include(${PROJECT_SOURCE_DIR}/src/demo/sources.cmake)
  uncial_add_test(test_demo demo/demo_test.cpp ${UNCIAL_DEMO_SOURCES})
  target_link_libraries(test_demo PRIVATE nlohmann_json::nlohmann_json)
endif()
