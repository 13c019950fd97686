target_sources(uncial PRIVATE
  ${CMAKE_CURRENT_LIST_DIR}/arena.cpp
  ${CMAKE_CURRENT_LIST_DIR}/compile.cpp
  ${CMAKE_CURRENT_LIST_DIR}/graph.cpp
  ${CMAKE_CURRENT_LIST_DIR}/program.cpp
  ${CMAKE_CURRENT_LIST_DIR}/recorder.cpp
  ${CMAKE_CURRENT_LIST_DIR}/schedule.cpp
  ${CMAKE_CURRENT_LIST_DIR}/lanes/fuse.cpp
  ${CMAKE_CURRENT_LIST_DIR}/lanes/lower_conv.cpp
  ${CMAKE_CURRENT_LIST_DIR}/lanes/lower_dense.cpp
  ${CMAKE_CURRENT_LIST_DIR}/lanes/lower_loss.cpp
  ${CMAKE_CURRENT_LIST_DIR}/lanes/lower_norm.cpp
  ${CMAKE_CURRENT_LIST_DIR}/lanes/lower_pointwise.cpp
  ${CMAKE_CURRENT_LIST_DIR}/lanes/lower_pool.cpp
  ${CMAKE_CURRENT_LIST_DIR}/lanes/planner.cpp
  ${CMAKE_CURRENT_LIST_DIR}/lanes/segment.cpp
)
