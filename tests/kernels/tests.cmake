uncial_add_test(test_kernels kernels/winograd_test.cpp)
