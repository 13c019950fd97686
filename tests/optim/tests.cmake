uncial_add_test(test_optim optim/averaged_weights_test.cpp optim/loss_scale_test.cpp optim/optimizer_test.cpp optim/recorded_step_test.cpp
  optim/schedule_test.cpp)
