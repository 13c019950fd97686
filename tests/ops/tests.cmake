uncial_add_test(test_elementwise
  ops/elementwise_binary_test.cpp ops/elementwise_unary_test.cpp ops/math_test.cpp)
uncial_add_test(test_types ops/bad_inputs_test.cpp ops/types_test.cpp)
uncial_add_test(test_reduce ops/reduce_test.cpp)
uncial_add_test(test_shape_ops ops/copy_test.cpp ops/index_test.cpp ops/shape_ops_test.cpp ops/view_ops_test.cpp)
include(${CMAKE_CURRENT_LIST_DIR}/layers.cmake OPTIONAL)  # convolutions, pools, normalisations, losses
