# The GPU backend, or the emulator that runs its kernels on the host.
set(UNCIAL_CUDA_KERNELS accumulate augment batch binary conv_any conv_chain_backward conv_chain_forward conv_chain_weights
  cross_entropy dropout gemm index layer_norm loss_head loss_scale norm optim pool reduce
  rounding softmax strided_copy tile_product unary)
list(TRANSFORM UNCIAL_CUDA_KERNELS PREPEND ${CMAKE_CURRENT_LIST_DIR}/)
list(TRANSFORM UNCIAL_CUDA_KERNELS APPEND .cu)

target_include_directories(uncial PRIVATE ${CMAKE_CURRENT_LIST_DIR})
target_sources(uncial PRIVATE ${CMAKE_CURRENT_LIST_DIR}/captured.cpp ${CMAKE_CURRENT_LIST_DIR}/fault.cpp)

if(UNCIAL_CUDA_EMULATED)
  set_source_files_properties(${UNCIAL_CUDA_KERNELS} PROPERTIES LANGUAGE CXX COMPILE_OPTIONS "-x;c++")
  target_sources(uncial PRIVATE ${UNCIAL_CUDA_KERNELS})
  target_compile_definitions(uncial PRIVATE UNCIAL_CUDA_EMULATED)
  target_sources(uncial PRIVATE ${CMAKE_CURRENT_LIST_DIR}/emulator/conv_emulated.cpp
    ${CMAKE_CURRENT_LIST_DIR}/emulator/graph_emulated.cpp
    ${CMAKE_CURRENT_LIST_DIR}/emulator/runtime_emulated.cpp)
  return()
endif()

target_sources(uncial PRIVATE ${UNCIAL_CUDA_KERNELS} ${CMAKE_CURRENT_LIST_DIR}/conv.cu ${CMAKE_CURRENT_LIST_DIR}/early_start.cu
  ${CMAKE_CURRENT_LIST_DIR}/libraries.cpp
  ${CMAKE_CURRENT_LIST_DIR}/graph.cpp ${CMAKE_CURRENT_LIST_DIR}/pace.cpp ${CMAKE_CURRENT_LIST_DIR}/runtime.cpp)
target_include_directories(uncial SYSTEM PRIVATE ${UNCIAL_CUDA_INCLUDES})
target_link_libraries(uncial PRIVATE ${UNCIAL_CUDA_LIBRARIES})
# -std by hand: CMake before 3.26 drops CUDA_STANDARD 20 without a word.
target_compile_options(uncial PRIVATE
  $<$<COMPILE_LANGUAGE:CUDA>:-std=c++20 --expt-relaxed-constexpr --extended-lambda --Werror=cross-execution-space-call>
  $<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=-Wall,-Wextra>)
if(UNCIAL_WERROR)
  target_compile_options(uncial PRIVATE $<$<COMPILE_LANGUAGE:CUDA>:--Werror=all-warnings -Xcompiler=-Werror>)
endif()
# The oldest GPU that has code here: what younger ones lack is made by the driver.
list(GET CMAKE_CUDA_ARCHITECTURES 0 oldest)
string(REGEX MATCH "[0-9]+" oldest ${oldest})
target_compile_definitions(uncial PRIVATE UNCIAL_CUDA_OLDEST=${oldest})
set_target_properties(uncial PROPERTIES CUDA_SEPARABLE_COMPILATION OFF)

# What no other build compiles, by itself: all kernels through nvcc in a third of the time that the whole takes.
if(CMAKE_GENERATOR MATCHES Ninja)
  add_custom_target(cuda_objects DEPENDS "$<FILTER:$<TARGET_OBJECTS:uncial>,INCLUDE,kernels/cuda/>")
endif()
