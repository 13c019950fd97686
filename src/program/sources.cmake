target_sources(uncial PRIVATE
  ${CMAKE_CURRENT_LIST_DIR}/arena.cpp
  ${CMAKE_CURRENT_LIST_DIR}/branches.cpp
  ${CMAKE_CURRENT_LIST_DIR}/compile.cpp
  ${CMAKE_CURRENT_LIST_DIR}/fuse.cpp
  ${CMAKE_CURRENT_LIST_DIR}/graph.cpp
  ${CMAKE_CURRENT_LIST_DIR}/graph_replay.cpp
  ${CMAKE_CURRENT_LIST_DIR}/profile.cpp
  ${CMAKE_CURRENT_LIST_DIR}/profile_output.cpp
  ${CMAKE_CURRENT_LIST_DIR}/joined_stage.cpp
  ${CMAKE_CURRENT_LIST_DIR}/kept_step.cpp
  ${CMAKE_CURRENT_LIST_DIR}/layout.cpp
  ${CMAKE_CURRENT_LIST_DIR}/prepared.cpp
  ${CMAKE_CURRENT_LIST_DIR}/program.cpp
  ${CMAKE_CURRENT_LIST_DIR}/recorder.cpp
  ${CMAKE_CURRENT_LIST_DIR}/schedule.cpp
  ${CMAKE_CURRENT_LIST_DIR}/channels/conv.cpp
  ${CMAKE_CURRENT_LIST_DIR}/channels/dense.cpp
  ${CMAKE_CURRENT_LIST_DIR}/channels/images.cpp
  ${CMAKE_CURRENT_LIST_DIR}/channels/planner.cpp
  ${CMAKE_CURRENT_LIST_DIR}/lanes/conv_nodes.cpp
  ${CMAKE_CURRENT_LIST_DIR}/lanes/folded_filters.cpp
  ${CMAKE_CURRENT_LIST_DIR}/lanes/fuse_chain.cpp
  ${CMAKE_CURRENT_LIST_DIR}/lanes/lower_conv.cpp
  ${CMAKE_CURRENT_LIST_DIR}/lanes/lower_conv_chain.cpp
  ${CMAKE_CURRENT_LIST_DIR}/lanes/lower_dense.cpp
  ${CMAKE_CURRENT_LIST_DIR}/lanes/lower_layer_norm.cpp
  ${CMAKE_CURRENT_LIST_DIR}/lanes/lower_loss.cpp
  ${CMAKE_CURRENT_LIST_DIR}/lanes/lower_norm.cpp
  ${CMAKE_CURRENT_LIST_DIR}/lanes/lower_pointwise.cpp
  ${CMAKE_CURRENT_LIST_DIR}/lanes/lower_pool.cpp
  ${CMAKE_CURRENT_LIST_DIR}/lanes/lower_round.cpp
  ${CMAKE_CURRENT_LIST_DIR}/lanes/planner.cpp
  ${CMAKE_CURRENT_LIST_DIR}/lanes/segment.cpp
)
if(UNCIAL_HAS_CUDA)
  target_sources(uncial PRIVATE ${CMAKE_CURRENT_LIST_DIR}/cuda/chain_cut.cpp
    ${CMAKE_CURRENT_LIST_DIR}/cuda/chain_plan.cpp ${CMAKE_CURRENT_LIST_DIR}/cuda/chain_stages.cpp
    ${CMAKE_CURRENT_LIST_DIR}/cuda/dense_stages.cpp ${CMAKE_CURRENT_LIST_DIR}/cuda/find_chains.cpp
    ${CMAKE_CURRENT_LIST_DIR}/cuda/find_dense.cpp ${CMAKE_CURRENT_LIST_DIR}/cuda/head_stage.cpp
    ${CMAKE_CURRENT_LIST_DIR}/cuda/planner.cpp)
else()
  target_sources(uncial PRIVATE ${CMAKE_CURRENT_LIST_DIR}/cuda/planner_absent.cpp)
endif()
