# The programs from outside: flags, exit codes, messages, files, signals. Needs the programs and bash.
find_program(UNCIAL_BASH bash)
if(UNCIAL_PROGRAMS AND UNCIAL_BASH)
  foreach(group usage files lock stop profile resume terminal pictures drawings pipeline accuracy troubleshooting)
    add_test(NAME cli_${group} COMMAND ${UNCIAL_BASH} ${CMAKE_CURRENT_LIST_DIR}/${group}_test.sh ${PROJECT_BINARY_DIR}/bin)
    set_tests_properties(cli_${group} PROPERTIES LABELS test_cli)
  endforeach()
endif()
