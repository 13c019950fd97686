uncial_add_test(test_cuda cuda/device_test.cpp)
