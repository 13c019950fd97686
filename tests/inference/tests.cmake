# Of a library without training, such as the one for browsers: what running a trained network needs.
set(parallel core/parallel_test.cpp)
if(NOT UNCIAL_THREADS)
  set(parallel core/serial_test.cpp)
endif()
uncial_add_test(test_core
  core/dtype_test.cpp core/error_test.cpp ${parallel} core/print_test.cpp core/random_test.cpp core/shape_test.cpp
  core/tensor_test.cpp)
uncial_add_test(test_safetensors io/safetensors_test.cpp)
uncial_add_test(test_channel kernels/channel_test.cpp)
uncial_add_test(test_conv ops/conv_test.cpp)
uncial_add_test(test_pool ops/pool_test.cpp)
uncial_add_test(test_norm ops/norm_test.cpp)
uncial_add_test(test_matmul ops/matmul_test.cpp)
uncial_add_test(test_channels program/channels_test.cpp)
uncial_add_test(test_nn nn/context_test.cpp nn/golden_test.cpp nn/init_test.cpp nn/module_test.cpp nn/network_test.cpp
  nn/summary_test.cpp)
