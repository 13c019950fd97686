set(kernel_tests
  kernels/lane_conv_test.cpp
  kernels/winograd_test.cpp
)
uncial_add_test(test_kernels ${kernel_tests})
