# The programs from outside: flags, exit codes, messages, files, signals. Needs the programs and bash.
find_program(UNCIAL_BASH bash)
if(UNCIAL_PROGRAMS AND UNCIAL_BASH)
  foreach(group usage files lock stop profile resume serve terminal pictures pipeline accuracy)
    add_test(NAME cli_${group} COMMAND ${UNCIAL_BASH} ${CMAKE_CURRENT_LIST_DIR}/${group}_test.sh ${PROJECT_BINARY_DIR}/bin)
    set_tests_properties(cli_${group} PROPERTIES LABELS test_cli)
  endforeach()
endif()

# Parts of what the programs share.
if(UNCIAL_PROGRAMS)
  uncial_add_test(test_cli_parts cli/look_test.cpp cli/serve_test.cpp)
  target_link_libraries(test_cli_parts PRIVATE uncial_cli)
endif()
