uncial_add_test(test_autograd autograd/tape_test.cpp autograd/gradients_test.cpp)
