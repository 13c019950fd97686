uncial_add_test(test_kernels
  kernels/lane_conv_test.cpp
  kernels/lane_conv_run_test.cpp
  kernels/lane_rows_test.cpp
  kernels/winograd_test.cpp
)
uncial_add_test(test_tiles kernels/tile_conv_test.cpp kernels/tile_dense_test.cpp)
uncial_add_test(test_channel kernels/channel_test.cpp)
uncial_add_test(test_lane_dense kernels/lane_dense_test.cpp)
uncial_add_test(test_lane_dropout kernels/lane_dropout_test.cpp)
uncial_add_test(test_lane_layer_norm kernels/lane_layer_norm_test.cpp)
uncial_add_test(test_lane_layout kernels/lane_layout_test.cpp)
uncial_add_test(test_lane_loss kernels/lane_loss_test.cpp)
uncial_add_test(test_lane_norm kernels/lane_norm_test.cpp)
uncial_add_test(test_lane_pool kernels/lane_pool_test.cpp)
uncial_add_test(test_rounding kernels/rounding_test.cpp)
uncial_add_test(test_optim_run kernels/optim_run_test.cpp)
uncial_add_test(test_resample kernels/resample_test.cpp)
