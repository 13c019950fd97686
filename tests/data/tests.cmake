uncial_add_test(test_data
  data/dataset_test.cpp data/download_test.cpp data/idx_test.cpp data/image_folder_test.cpp data/loader_test.cpp
  data/mnist_test.cpp)
target_link_libraries(test_data PRIVATE ZLIB::ZLIB)  # the tests compress hostile bytes themselves
target_compile_definitions(test_data PRIVATE
  UNCIAL_TEST_MNIST="${PROJECT_SOURCE_DIR}/data/mnist"
  UNCIAL_TEST_SERVER="${PROJECT_SOURCE_DIR}/tests/data/mirror.py")
