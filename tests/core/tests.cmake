uncial_add_test(test_core
  core/dtype_test.cpp core/error_test.cpp core/parallel_test.cpp core/print_test.cpp core/random_test.cpp
  core/shape_test.cpp core/tensor_test.cpp)
