target_sources(uncial PRIVATE
  ${CMAKE_CURRENT_LIST_DIR}/conv.cpp
  ${CMAKE_CURRENT_LIST_DIR}/matmul.cpp
  ${CMAKE_CURRENT_LIST_DIR}/precision.cpp
)
include(${CMAKE_CURRENT_LIST_DIR}/elementwise.cmake OPTIONAL)  # elementwise, reductions, shapes
include(${CMAKE_CURRENT_LIST_DIR}/layers.cmake OPTIONAL)       # pool, norm, dropout, losses
