uncial_add_test(test_vision
  vision/affine_test.cpp
  vision/augment_test.cpp
  vision/canvas_test.cpp
  vision/charts_test.cpp
  vision/elastic_test.cpp
  vision/fixed_math_test.cpp
)
