#pragma once
/// @file conv_chain.h
/// Convolutions one behind the other with ReLU, 2x2 pooling and dropout, sample by sample in shared memory: a
/// block takes a sample through all of them, forwards or backwards, on tensor cores (bfloat16 or
/// float16 factors, float32 sums). What lies between two layers never leaves the block, save what the
/// gradient needs.
///
/// Images in shared memory have their channels side by side, a halo of zeros, and 8 elements more a pixel
/// than they need, so that 8 neighbours lie in different banks. Operands of products are not gathered: rows
/// of a factor are found through tables of offsets. Only a first layer of few channels takes its factor
/// element by element from the sample as it came, channel by channel.

#include <cstdint>
#include <type_traits>

#include "body.h"
#include "uncial/core/precision.h"
#include "uncial/kernels/conv.h"

namespace uncial::cuda {

inline constexpr int kMaxChain = 4;
/// Code of a place of an image after activation and pooling: 0..3, which of its window it was, or this when
/// no gradient passes (not above 0, or dropped).
inline constexpr uint8_t kDead = 4;
/// Filters of dy that a warp loads at a time.
inline constexpr int kDyFilters = 32;

/// An image of one sample in shared memory; numbers are elements.
struct SharedImage {
  int at, height, width, halo, channels, pitch;  ///< height and width without halo
  int planes;                                    ///< 1, or of a sample as it came one a channel: pitch is 1
  Divider by_width, by_columns;                  ///< without halo and with it
  UNCIAL_BODY int columns() const { return width + 2 * halo; }
  UNCIAL_BODY int pixels() const { return columns() * (height + 2 * halo); }
  UNCIAL_BODY int elements() const { return planes * pixels() * pitch; }
  UNCIAL_BODY int of(int h, int w) const { return at + ((h + halo) * columns() + w + halo) * pitch; }
};

/// One filter of a convolution over an image: which pixels it sees. Units are 8 channels of a tap each.
struct Taps {
  int R, S, stride, dilation;
  int origin;                 ///< row and column that filter (0, 0) sees for output (0, 0)
  int units;                  ///< even; what is there beyond the last tap meets weights of zero
  Divider by_channels, by_S;  ///< of units a tap, or of channels when gathered; of S
};

/// y = x * w as a product of matrices.
struct ConvProduct {
  SharedImage x;
  Taps taps;
  bool gathered;            ///< x is a sample as it came; units are 8 taps, tap by tap and channel by channel
  Divider by_columns;       ///< of a row of y, or of its windows
  int height, width;        ///< of y
  bool windows;             ///< rows run by windows of 2x2: 32 rows are 8 windows, whose places lie 8 apart
  int filter_tiles;         ///< of 8 filters; a multiple of what a warp takes
  int tiles_a_warp;         ///< 1, 2, 4 or 8
  Divider by_groups;        ///< of tiles_a_warp tiles
  int rows_at, units_at;    ///< tables of offsets into x, words of shared memory; when gathered, of each tap
  int weights_at;           ///< packed weights, likewise
  const uint32_t* weights;  ///< where they come from
  UNCIAL_BODY int rows() const { return windows ? height / 2 * (width / 2) * 4 : height * width; }
  UNCIAL_BODY int padded_rows() const { return (rows() + 31) / 32 * 32; }
  UNCIAL_BODY int steps() const { return taps.units / 2; }
  UNCIAL_BODY int packed_words() const { return steps() * filter_tiles * kPackedWords; }
};

/// What one layer of a chain is.
struct ConvSpec {
  ConvExtents e;
  bool relu, pool;
};

struct ForwardLayer {
  ConvProduct product;
  int filters;
  bool relu;
  const float* bias;  ///< or null
  int bias_at;        ///< with zeros for filters that are none, words of shared memory
  int out_height, out_width;
  SharedImage y;       ///< x of the next layer's product; none for the last
  int y_rows_at;       ///< table: where its pixels lie
  Divider by_vectors;  ///< of 16 bytes a pixel of y
  uint16_t* kept;      ///< y as N, pixels, y.channels; or null
  uint8_t* codes;      ///< N, pixels, y.channels; of the last layer N, filters, pixels; or null
};

/// How a sample becomes the image of a first layer.
struct FirstImage {
  ConvExtents e;
  bool gathered;               ///< the image is the sample as it came
  int raw_at;                  ///< of the sample in float32, words of shared memory
  Divider by_width, by_plane;  ///< of the sample
};

/// Dropout behind the last layer; none with a null state.
struct ChainDropout {
  const int64_t *state, *samples;
  uint32_t threshold;
  float scale;
};

struct ForwardChain {
  int layers;
  ForwardLayer layer[kMaxChain];
  int64_t N;
  int blocks, threads, resident, shared_bytes;  ///< resident: blocks of a multiprocessor
  FirstImage first;
  const float* x;  ///< N C H W
  float* y;        ///< N, filters, pixels
  bool round_y;
  int staging_at, staging_pitch;  ///< of y, words of shared memory, a filter; its codes behind it
  Divider by_pixels;              ///< of y
  int stream_at;                  ///< of random numbers, words of shared memory
  ChainDropout dropout;
  Precision precision = Precision::bf16;  ///< or fp16: of the factors
};

/// The products x * dy over pixels of one layer, and what they go with.
struct BackwardLayer {
  SharedImage x, dy;
  Taps taps;                       ///< of x
  int height, width;               ///< of dy
  int filter_groups, rows_a_warp;  ///< of rows_a_warp * 16 filters
  int pair_groups, pairs_a_warp;   ///< of pairs_a_warp * 2 units
  int splits;                      ///< pieces of the pixels
  Divider by_products, by_pair_groups, by_splits;
  int splits_at;  ///< their sums, words of shared memory; none for one piece
  int x_rows_at, dy_rows_at, x_units_at;
  float* partial;  ///< blocks, filters (padded), units * 8 + 8: weights, then the bias in the first of 8
  int filters;
  const uint16_t* kept;  ///< x as ForwardLayer::kept, but for the first layer
  Divider by_vectors;    ///< of 16 bytes a pixel of x
  bool has_input_gradient;
  int x_pixels_at;       ///< table: where pixels of x lie
  int dx_rows_at;        ///< table: where dy of the layer before lies for a pixel of x, or a window's first
  ConvProduct product;   ///< dy * w, which gives dy of the layer before
  bool dy_takes_x;       ///< dy of the layer before takes the place of x
  bool pooled_before;    ///< the layer before has a pooling
  bool mask_by_x;        ///< ... where x is above 0
  const uint8_t* codes;  ///< ... spread by these codes of the pooling before; or null
  int codes_at;          ///< of a sample, bytes of shared memory
  UNCIAL_BODY int pixels() const { return height * width; }
  UNCIAL_BODY int steps() const { return (pixels() + 15) / 16; }
  UNCIAL_BODY int width_of_partial() const { return taps.units * 8 + 8; }
  UNCIAL_BODY int padded_filters() const { return filter_groups * rows_a_warp * 16; }
};

struct BackwardChain {
  int layers;
  BackwardLayer layer[kMaxChain];  ///< as in the forward chain: the last comes first
  int64_t N;
  int blocks, threads, resident, shared_bytes;
  FirstImage first;
  bool roomy;                   ///< the last dy has its memory for itself, and weights come with x
  const float* x;               ///< N C H W
  Divider by_groups, by_width;  ///< of kDyFilters filters of dy; of its pixels
  const float* dy;              ///< N, filters, pixels (pooled)
  const uint8_t* codes;         ///< likewise; or null
  bool pooled;                  ///< dy is
  float scale;                  ///< of dropout
  int zeros_at, zeros;          ///< elements that stay zero: dy of pixels that are none
  Precision precision = Precision::bf16;
};

/// Weights of a layer for one direction.
struct PackJob {
  const float* weights;  ///< K C R S
  uint32_t* packed;
  int K, C, R, S;
  int filter_tiles, units;
  bool taps_are_channels, transposed;
  Precision precision = Precision::bf16;
};

/// Gradients of a layer from its partial sums.
struct GatherJob {
  const float* partial;
  int64_t slots;  ///< blocks
  int filters, padded_filters, C, R, S, units;
  bool taps_are_channels;
  float *weights, *bias;  ///< or null
};

/// Kernels are made for up to 640 and up to 768 threads of a multiprocessor, which leaves each 96 or 80
/// registers: a warp's tiles must fit.
inline constexpr int kMostChainThreads = 768;
constexpr int most_tiles(int threads) { return threads > 640 ? 4 : 8; }

/// run(constant of the kernel's threads)
template <class Run>
void with_threads(int threads, Run run) {
  if (threads <= 640) return run(std::integral_constant<int, 640>());
  return run(std::integral_constant<int, kMostChainThreads>());
}

void run(const ForwardChain& chain);
void run(const BackwardChain& chain);
/// At most kMaxChain jobs of each direction together.
void run(const PackJob* jobs, int count);
void run(const GatherJob* jobs, int count);

}  // namespace uncial::cuda
