# What stands around the programs: start.sh, the image's own scripts, and the files that describe it. Needs no engine;
# check_image.sh, which builds and runs the image, is a part of ./run_tests.sh --release.
find_program(UNCIAL_BASH bash)
if(UNCIAL_BASH)
  foreach(group start scripts files)
    add_test(NAME docker_${group} COMMAND ${UNCIAL_BASH} ${CMAKE_CURRENT_LIST_DIR}/${group}_test.sh ${PROJECT_SOURCE_DIR})
    set_tests_properties(docker_${group} PROPERTIES LABELS docker)
  endforeach()
  set_tests_properties(docker_files PROPERTIES SKIP_RETURN_CODE 77)
endif()
