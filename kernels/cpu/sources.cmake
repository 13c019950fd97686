# The CPU backend. Files in simd/ are compiled once for each instruction set; isa.h there says how.
target_sources(uncial PRIVATE
  ${CMAKE_CURRENT_LIST_DIR}/isa.cpp
  ${CMAKE_CURRENT_LIST_DIR}/accumulate.cpp
  ${CMAKE_CURRENT_LIST_DIR}/augment.cpp
  ${CMAKE_CURRENT_LIST_DIR}/batch.cpp
  ${CMAKE_CURRENT_LIST_DIR}/binary.cpp
  ${CMAKE_CURRENT_LIST_DIR}/gemm.cpp
  ${CMAKE_CURRENT_LIST_DIR}/conv.cpp
  ${CMAKE_CURRENT_LIST_DIR}/cross_entropy.cpp
  ${CMAKE_CURRENT_LIST_DIR}/dropout.cpp
  ${CMAKE_CURRENT_LIST_DIR}/index.cpp
  ${CMAKE_CURRENT_LIST_DIR}/layer_norm.cpp
  ${CMAKE_CURRENT_LIST_DIR}/loss_scale.cpp
  ${CMAKE_CURRENT_LIST_DIR}/norm.cpp
  ${CMAKE_CURRENT_LIST_DIR}/optim.cpp
  ${CMAKE_CURRENT_LIST_DIR}/peak_loops.cpp
  ${CMAKE_CURRENT_LIST_DIR}/pool.cpp
  ${CMAKE_CURRENT_LIST_DIR}/reduce.cpp
  ${CMAKE_CURRENT_LIST_DIR}/rounding.cpp
  ${CMAKE_CURRENT_LIST_DIR}/softmax.cpp
  ${CMAKE_CURRENT_LIST_DIR}/strided_copy.cpp
  ${CMAKE_CURRENT_LIST_DIR}/tiles/tile_unit.cpp
  ${CMAKE_CURRENT_LIST_DIR}/unary.cpp
)

set(UNCIAL_SIMD_SOURCES
  ${CMAKE_CURRENT_LIST_DIR}/simd/rounding_run.cpp
  ${CMAKE_CURRENT_LIST_DIR}/simd/binary_simd.cpp
  ${CMAKE_CURRENT_LIST_DIR}/simd/channel_conv.cpp
  ${CMAKE_CURRENT_LIST_DIR}/simd/channel_dense.cpp
  ${CMAKE_CURRENT_LIST_DIR}/simd/channel_dense_one.cpp
  ${CMAKE_CURRENT_LIST_DIR}/simd/channel_winograd.cpp
  ${CMAKE_CURRENT_LIST_DIR}/simd/gemm_tile.cpp
  ${CMAKE_CURRENT_LIST_DIR}/simd/lane_conv.cpp
  ${CMAKE_CURRENT_LIST_DIR}/simd/lane_conv_channels.cpp
  ${CMAKE_CURRENT_LIST_DIR}/simd/lane_conv_expand.cpp
  ${CMAKE_CURRENT_LIST_DIR}/simd/lane_conv_depthwise.cpp
  ${CMAKE_CURRENT_LIST_DIR}/simd/lane_conv_gather.cpp
  ${CMAKE_CURRENT_LIST_DIR}/simd/lane_conv_images.cpp
  ${CMAKE_CURRENT_LIST_DIR}/simd/lane_conv_plain.cpp
  ${CMAKE_CURRENT_LIST_DIR}/simd/lane_conv_pool.cpp
  ${CMAKE_CURRENT_LIST_DIR}/simd/lane_conv_slide.cpp
  ${CMAKE_CURRENT_LIST_DIR}/simd/lane_conv_turned.cpp
  ${CMAKE_CURRENT_LIST_DIR}/simd/reduce_simd.cpp
  ${CMAKE_CURRENT_LIST_DIR}/simd/resample.cpp
  ${CMAKE_CURRENT_LIST_DIR}/simd/unary_simd.cpp
  ${CMAKE_CURRENT_LIST_DIR}/simd/dropout_row.cpp
  ${CMAKE_CURRENT_LIST_DIR}/simd/lane_dense.cpp
  ${CMAKE_CURRENT_LIST_DIR}/simd/lane_dropout.cpp
  ${CMAKE_CURRENT_LIST_DIR}/simd/lane_layer_norm.cpp
  ${CMAKE_CURRENT_LIST_DIR}/simd/lane_layout.cpp
  ${CMAKE_CURRENT_LIST_DIR}/simd/lane_loss.cpp
  ${CMAKE_CURRENT_LIST_DIR}/simd/lane_norm.cpp
  ${CMAKE_CURRENT_LIST_DIR}/simd/lane_pool.cpp
  ${CMAKE_CURRENT_LIST_DIR}/simd/layer_norm_row.cpp
  ${CMAKE_CURRENT_LIST_DIR}/simd/norm_plane.cpp
  ${CMAKE_CURRENT_LIST_DIR}/simd/optim_run.cpp
  ${CMAKE_CURRENT_LIST_DIR}/simd/pool_2x2.cpp
  ${CMAKE_CURRENT_LIST_DIR}/simd/winograd_simd.cpp
  ${CMAKE_CURRENT_LIST_DIR}/simd/winograd_products.cpp
  ${CMAKE_CURRENT_LIST_DIR}/simd/winograd_forward.cpp
  ${CMAKE_CURRENT_LIST_DIR}/simd/winograd_backward.cpp
  ${CMAKE_CURRENT_LIST_DIR}/simd/winograd_channels.cpp
  ${CMAKE_CURRENT_LIST_DIR}/simd/winograd_weights.cpp
)

# Unrolled as these files are, -O3 and the checks of the sanitizers together take g++ minutes a file.
set(UNCIAL_SIMD_OPTIMISE -O3)
if(CMAKE_BUILD_TYPE MATCHES "^[AT]san$")
  set(UNCIAL_SIMD_OPTIMISE -O1)
elseif(CMAKE_BUILD_TYPE STREQUAL MinSizeRel)
  set(UNCIAL_SIMD_OPTIMISE -O2)
endif()

# bfloat16 on the matrix unit, on dot products of pairs, and in loops that give the bits of the matrix unit.
set(UNCIAL_TILE_SOURCES
  ${CMAKE_CURRENT_LIST_DIR}/tiles/tile_conv.cpp
  ${CMAKE_CURRENT_LIST_DIR}/tiles/tile_dense.cpp
  ${CMAKE_CURRENT_LIST_DIR}/tiles/tile_gather.cpp
  ${CMAKE_CURRENT_LIST_DIR}/tiles/tile_weights.cpp
  ${CMAKE_CURRENT_LIST_DIR}/simd/lane_conv_expand.cpp
)

# Tests look inside, also of a shared library.
set(UNCIAL_KERNEL_VISIBILITY hidden)
if(BUILD_SHARED_LIBS AND UNCIAL_TESTS)
  set(UNCIAL_KERNEL_VISIBILITY default)
endif()

# One object library for each way to compile `sources`. The flags stay on it: nothing else is compiled so.
function(uncial_add_kernels name sources)
  add_library(uncial_${name} OBJECT ${${sources}})
  target_compile_features(uncial_${name} PRIVATE cxx_std_20)
  target_compile_definitions(uncial_${name} PRIVATE UNCIAL_SIMD=uncial::cpu::${name})
  target_compile_options(uncial_${name} PRIVATE -Wall -Wextra ${UNCIAL_SIMD_OPTIMISE} -fno-math-errno -fno-trapping-math ${ARGN})
  target_include_directories(uncial_${name} PRIVATE ${PROJECT_SOURCE_DIR}/include ${PROJECT_BINARY_DIR}/include
    ${PROJECT_SOURCE_DIR}/kernels/cpu)
  set_target_properties(uncial_${name} PROPERTIES POSITION_INDEPENDENT_CODE ${UNCIAL_PIC} CXX_VISIBILITY_PRESET ${UNCIAL_KERNEL_VISIBILITY}
    VISIBILITY_INLINES_HIDDEN ON)
  target_sources(uncial PRIVATE $<TARGET_OBJECTS:uncial_${name}>)
endfunction()

uncial_add_kernels(portable UNCIAL_SIMD_SOURCES -DUNCIAL_SIMD_portable)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  set(avx2 -mavx2 -mfma -DUNCIAL_SIMD_avx2)
  set(avx512 -mavx2 -mfma -mavx512f -mavx512bw -mavx512dq -mavx512vl -mprefer-vector-width=512 -DUNCIAL_SIMD_avx512)
  uncial_add_kernels(avx2 UNCIAL_SIMD_SOURCES ${avx2})
  uncial_add_kernels(avx512 UNCIAL_SIMD_SOURCES ${avx512})
  # A thread gives its tiles back by a destructor, which would ask for the handling of exceptions.
  uncial_add_kernels(amx UNCIAL_TILE_SOURCES ${avx512} -mavx512bf16 -fno-exceptions)
  uncial_add_kernels(avx512_bf16 UNCIAL_TILE_SOURCES ${avx512} -mavx512bf16 -DUNCIAL_TILES_DOT -fno-exceptions)
  uncial_add_kernels(amx_emulated UNCIAL_TILE_SOURCES ${avx512} -DUNCIAL_TILES_EMULATED -fno-exceptions)
endif()
