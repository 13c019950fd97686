uncial_add_test(test_io
  io/atomic_file_test.cpp io/png_test.cpp io/safetensors_test.cpp io/zip_test.cpp core/sha256_test.cpp)
target_link_libraries(test_io PRIVATE ZLIB::ZLIB)  # the tests compress hostile bytes themselves
