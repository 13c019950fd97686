# Elementwise operators, reductions, shapes, and the convenience members of Tensor.
target_sources(uncial PRIVATE
  ${CMAKE_CURRENT_LIST_DIR}/elementwise_binary.cpp
  ${CMAKE_CURRENT_LIST_DIR}/elementwise_support.cpp
  ${CMAKE_CURRENT_LIST_DIR}/elementwise_unary.cpp
  ${CMAKE_CURRENT_LIST_DIR}/index_ops.cpp
  ${CMAKE_CURRENT_LIST_DIR}/reduce.cpp
  ${CMAKE_CURRENT_LIST_DIR}/shape_ops.cpp
  ${CMAKE_CURRENT_LIST_DIR}/tensor_methods.cpp
  ${CMAKE_CURRENT_LIST_DIR}/view_ops.cpp
)
