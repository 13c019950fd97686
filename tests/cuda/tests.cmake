uncial_add_test(test_cuda cuda/device_test.cpp cuda/graph_test.cpp cuda/operators_test.cpp)
