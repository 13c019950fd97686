# The benchmarks as programs: what they print, and whether they would notice a wrong answer. No time is judged.
if(TARGET bench_kernels AND NOT BUILD_SHARED_LIBS)
  uncial_add_test(bench_verdict_test benchmarks/verdict_test.cpp)
  target_link_libraries(bench_verdict_test PRIVATE uncial_bench)

  find_program(UNCIAL_PYTHON python3)
  if(UNCIAL_PYTHON)
    set(folder ${CMAKE_CURRENT_LIST_DIR})
    add_test(NAME bench_compare COMMAND ${UNCIAL_PYTHON} ${folder}/compare_test.py ${PROJECT_SOURCE_DIR}/benchmarks/compare.py)
    add_test(NAME bench_kernels COMMAND ${UNCIAL_PYTHON} ${folder}/kernels_test.py $<TARGET_FILE:bench_kernels>)
    set(device cpu)
    if(UNCIAL_CUDA_EMULATED)
      set(device cuda)
    endif()
    add_test(NAME bench_kernels_gpu COMMAND ${UNCIAL_PYTHON} ${folder}/gpu_kernels_test.py $<TARGET_FILE:bench_kernels> ${device})
    set_tests_properties(bench_compare bench_kernels bench_kernels_gpu PROPERTIES LABELS benchmarks)
    if(TARGET bench_net)
      add_test(NAME bench_net COMMAND ${UNCIAL_PYTHON} ${folder}/net_test.py $<TARGET_FILE:bench_net> $<TARGET_FILE:bench_roofline>)
      add_test(NAME bench_speedrun COMMAND ${UNCIAL_PYTHON} ${folder}/speedrun_test.py $<TARGET_FILE:bench_speedrun>
        ${PROJECT_SOURCE_DIR}/benchmarks)
      add_test(NAME bench_results COMMAND ${UNCIAL_PYTHON} ${folder}/results_test.py
        ${PROJECT_SOURCE_DIR}/benchmarks/results.py $<TARGET_FILE:bench_charts>)
      add_test(NAME bench_growth COMMAND ${UNCIAL_PYTHON} ${folder}/growth_test.py
        ${PROJECT_SOURCE_DIR}/benchmarks/growth.py $<TARGET_FILE_DIR:bench_net>)
      set_tests_properties(bench_net bench_speedrun bench_results bench_growth PROPERTIES LABELS benchmarks)
    endif()
  endif()
endif()
