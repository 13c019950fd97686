uncial_add_test(test_program program/compile_test.cpp program/lanes_test.cpp program/precision_test.cpp
  program/profile_test.cpp)
uncial_add_test(test_channels program/channels_test.cpp)
