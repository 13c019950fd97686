uncial_add_test(test_cuda cuda/dense_test.cpp cuda/device_test.cpp cuda/graph_test.cpp cuda/operators_test.cpp cuda/program_test.cpp)
if(UNCIAL_HAS_CUDA)
  # Kernels by themselves.
  uncial_add_test(test_cuda_kernels cuda/conv_chain_test.cpp cuda/tile_product_test.cpp)
  target_include_directories(test_cuda_kernels PRIVATE ${PROJECT_SOURCE_DIR}/kernels/cuda ${UNCIAL_CUDA_INCLUDES})
  if(UNCIAL_CUDA_EMULATED)
    target_compile_definitions(test_cuda_kernels PRIVATE UNCIAL_CUDA_EMULATED)
  endif()
endif()
