uncial_add_test(test_nn nn/context_test.cpp nn/golden_test.cpp nn/init_test.cpp nn/layers_test.cpp nn/module_test.cpp nn/network_test.cpp
  nn/summary_test.cpp)
