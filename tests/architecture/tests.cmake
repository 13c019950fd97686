# Promises about the code as a whole: who includes whom, what including costs, what the objects hold.
set(architecture ${CMAKE_CURRENT_LIST_DIR})
set(public_headers ${PROJECT_SOURCE_DIR}/include ${PROJECT_BINARY_DIR}/include)

function(uncial_add_check name)
  add_test(NAME architecture_${name} COMMAND bash ${ARGN} COMMAND_EXPAND_LISTS)
  set_tests_properties(architecture_${name} PROPERTIES LABELS architecture SKIP_RETURN_CODE 77)
endfunction()

uncial_add_check(arrows ${architecture}/check_arrows.sh ${PROJECT_SOURCE_DIR})
uncial_add_check(headers ${architecture}/check_headers.sh ${CMAKE_CXX_COMPILER} ${public_headers})
uncial_add_check(compile_cost ${architecture}/check_compile_cost.sh ${CMAKE_CXX_COMPILER} ${public_headers})
uncial_add_check(shell ${architecture}/check_shell.sh ${PROJECT_SOURCE_DIR})

# Sanitizers and -O0 change what is in an object, so these hold for release builds.
if(CMAKE_BUILD_TYPE STREQUAL Release)
  foreach(isa portable avx2 avx512 amx amx_emulated)
    if(TARGET uncial_${isa})
      set(objects $<TARGET_OBJECTS:uncial_${isa}>)
      set(hot $<FILTER:${objects},INCLUDE,/\(channel_dense_one|gemm_tile|lane_conv_depthwise|lane_conv_slide|lane_conv_turned|lane_dense|norm_plane|optim_run|winograd_products\)\\.cpp>)
      uncial_add_check(symbols_${isa} ${architecture}/check_symbols.sh ${isa} ${objects})
      if(CMAKE_CXX_COMPILER_ID STREQUAL GNU AND NOT isa MATCHES amx)  # their sums are in tiles
        uncial_add_check(spills_${isa} ${architecture}/check_spills.sh ${hot})
      endif()
    endif()
  endforeach()

  if(TARGET uncial_avx512)
    find_program(UNCIAL_QEMU qemu-x86_64 DOC "User-mode emulator that plays older processors")
    add_executable(old_cpu ${architecture}/old_cpu.cpp)
    target_link_libraries(old_cpu PRIVATE uncial::uncial)
    set_target_properties(old_cpu PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
    uncial_add_check(cpu_of_2008 ${architecture}/run_emulated.sh "${UNCIAL_QEMU}" Nehalem $<TARGET_FILE:old_cpu> portable)
    uncial_add_check(cpu_of_2013 ${architecture}/run_emulated.sh "${UNCIAL_QEMU}" Haswell $<TARGET_FILE:old_cpu> avx2)
    add_executable(newer_cpu ${architecture}/newer_cpu.cpp)
    target_compile_features(newer_cpu PRIVATE cxx_std_20)
    target_compile_options(newer_cpu PRIVATE -Wall -Wextra)
    set_target_properties(newer_cpu PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
    uncial_add_check(emulator ${architecture}/check_emulator.sh "${UNCIAL_QEMU}" $<TARGET_FILE:newer_cpu> $<TARGET_FILE:test_pool>
      "max_pool2d: NaN wins*")
  endif()
endif()
