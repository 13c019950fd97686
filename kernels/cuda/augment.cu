#include "uncial/kernels/augment.h"

#include "grid.h"

// One block a sample. Its pixels are copied to shared memory first, plane by plane, because the result takes
// their place. Formulas in integers, and products that are exact in double, give the bits of the CPU.

namespace uncial::cuda {
namespace {

using kernels::AugmentStream;
using kernels::Images;
using kernels::SourcePoint;

constexpr int64_t kSharedBytes = 48 * 1024;  // of a block, without asking for more

/// A plane that is read while its place is written: in shared memory where it fits, else in memory of the
/// block's own.
template <class T>
struct PlaneCopy {
  T* spilled;  ///< planes of all blocks, or null
  int64_t H, W;

  static int64_t bytes(const Images<T>& images) { return images.H * images.W * int64_t(sizeof(T)); }
  UNCIAL_BODY T* of(const Block& block, int64_t offset) const {
    return spilled ? spilled + block.index * H * W : block.memory<T>(offset);
  }
};

/// The four neighbours of a point mixed; `fill` lies around the image.
template <class T>
UNCIAL_BODY T sample_at(const T* plane, int64_t H, int64_t W, SourcePoint point, T fill) {
  const int64_t x = point.x >> kernels::kPointBits, y = point.y >> kernels::kPointBits;
  const auto at = [&](int64_t row, int64_t column) {
    return row >= 0 && row < H && column >= 0 && column < W ? plane[row * W + column] : fill;
  };
  return kernels::bilinear(point, at(y, x), at(y, x + 1), at(y + 1, x), at(y + 1, x + 1));
}

/// Resamples every plane of sample block.index at source(pixel).
template <class T, class Source>
UNCIAL_BODY void resample(const Block& block, const Images<T>& images, T* copy, T fill, Source source) {
  const int64_t size = images.H * images.W;
  for (int64_t c = 0; c < images.C; ++c) {
    T* plane = images.plane(block.index, c);
    block.each_thread([&](int t) {
      for (int64_t i = t; i < size; i += block.threads) copy[i] = plane[i];
    });
    block.each_thread([&](int t) {
      for (int64_t i = t; i < size; i += block.threads)
        plane[i] = sample_at(copy, images.H, images.W, source(i), fill);
    });
  }
}

/// The random field of one sample, smoothed along rows and then columns.
struct Field {
  int32_t *x, *y, *scratch;
  int64_t H, W;
  kernels::ElasticField field;

  UNCIAL_BODY void draw(const Block& block, const AugmentStream& stream, int64_t index) const {
    block.each_thread([&](int t) {
      for (int64_t i = 4 * int64_t(t); i < H * W; i += 4 * block.threads) {
        const auto words = stream.block(index, uint32_t(i / 4));
        for (int64_t j = i; j < i + 4 && j < H * W; ++j) {
          const auto noise = kernels::elastic_noise(words[size_t(j - i)]);
          x[j] = noise[0], y[j] = noise[1];
        }
      }
    });
    smooth(block, x);
    smooth(block, y);
  }
  UNCIAL_BODY void smooth(const Block& block, int32_t* values) const {
    pass(block, values, scratch, 1, W);
    pass(block, scratch, values, W, H);
  }
  /// Along an axis of `side` places that are `step` apart; outside counts as zero.
  UNCIAL_BODY void pass(const Block& block, const int32_t* from, int32_t* to, int64_t step,
                        int64_t side) const {
    block.each_thread([&](int t) {
      for (int64_t i = t; i < H * W; i += block.threads) {
        const int64_t place = i / step % side, r = field.radius;
        const int64_t begin = place < r ? -place : -r, end = side - 1 - place < r ? side - 1 - place : r;
        int32_t sum = 0;
        for (int64_t k = begin; k <= end; ++k) sum += field.weights[k + r] * from[i + k * step];
        to[i] = sum >> kernels::kSmoothShift;
      }
    });
  }
  UNCIAL_BODY int32_t largest(const Block& block) const {
    return block.reduce(
        int32_t(0),
        [&](int t) {
          int32_t most = 0;
          for (int64_t i = t; i < H * W; i += block.threads)
            for (const int32_t v : {x[i], y[i]}) most = most < (v < 0 ? -v : v) ? (v < 0 ? -v : v) : most;
          return most;
        },
        [](int32_t a, int32_t b) { return a < b ? b : a; });
  }
};

}  // namespace

template <class T>
void affine_images(Images<T> images, const int64_t* indices, AugmentStream stream,
                   kernels::AffineRanges ranges, T fill) {
  const int64_t bytes = PlaneCopy<T>::bytes(images);
  const bool fits = bytes <= kSharedBytes;
  const Temporary memory(fits ? 0 : images.N * bytes);
  const PlaneCopy<T> copies{fits ? nullptr : memory.as<T>(), images.H, images.W};
  each_block(
      images.N, threads_for(images.H * images.W), fits ? bytes : 0,
      [=] UNCIAL_BODY(const Block& block) {
        const auto a = stream.block(indices[block.index], 0), b = stream.block(indices[block.index], 1);
        const auto map = kernels::affine_map(ranges, {a[0], a[1], a[2], a[3], b[0]}, images.H, images.W);
        resample(block, images, copies.of(block, 0), fill, [&](int64_t i) {
          return kernels::affine_source(map, i % images.W, i / images.W, images.H, images.W);
        });
      },
      "affine_images");
}

template <class T>
void elastic_images(Images<T> images, const int64_t* indices, AugmentStream stream,
                    kernels::ElasticField field) {
  // Three planes of integers and the copy, all of one size.
  static_assert(sizeof(T) == sizeof(int32_t));
  const int64_t size = images.H * images.W, bytes = 4 * PlaneCopy<T>::bytes(images);
  const bool fits = bytes <= kSharedBytes;
  const Temporary memory(fits ? 0 : images.N * bytes);
  auto* spilled = fits ? nullptr : memory.as<int32_t>();
  each_block(
      images.N, threads_for(size), fits ? bytes : 0,
      [=] UNCIAL_BODY(const Block& block) {
        int32_t* planes = spilled ? spilled + block.index * 4 * size : block.memory<int32_t>();
        const Field f{planes, planes + size, planes + 2 * size, images.H, images.W, field};
        f.draw(block, stream, indices[block.index]);
        const int64_t scale = kernels::elastic_scale(field.amplitude, f.largest(block));
        resample(block, images, reinterpret_cast<T*>(planes + 3 * size), T(0), [&](int64_t i) {
          return kernels::elastic_source(i % images.W, i / images.W, f.x[i], f.y[i], scale, images.H,
                                         images.W);
        });
      },
      "elastic_images");
}

template <class T>
void normalise_images(Images<T> images, T mean, T deviation) {
  each(
      images.N * images.sample_size(),
      [=] UNCIAL_BODY(int64_t i) { images.data[i] = (images.data[i] - mean) / deviation; },
      "normalise_images");
}

template <class T>
void noise_images(Images<T> images, const int64_t* indices, AugmentStream stream, double deviation) {
  const int64_t size = images.sample_size(), blocks = ceil_div(size, 4);
  each(
      images.N * blocks,
      [=] UNCIAL_BODY(int64_t i) {
        const int64_t n = i / blocks, first = i % blocks * 4;
        const auto w = stream.block(indices[n], uint32_t(first / 4));
        const auto ab = kernels::normal_pair(w[0], w[1]), cd = kernels::normal_pair(w[2], w[3]);
        const double noise[] = {ab.first, ab.second, cd.first, cd.second};
        for (int64_t j = 0; j < 4 && first + j < size; ++j)
          images.data[n * size + first + j] += T(noise[j] * deviation);  // T rounds before the sum
      },
      "noise_images");
}

template <class T>
void erase_images(Images<T> images, const int64_t* indices, AugmentStream stream, kernels::EraseRanges ranges,
                  T value) {
  each_block(
      images.N, threads_for(images.sample_size()), 0,
      [=] UNCIAL_BODY(const Block& block) {
        const int64_t index = indices[block.index];
        const auto box =
            kernels::erase_box(ranges, stream.block(index, 0), stream.block(index, 1), images.H, images.W);
        const int64_t size = box.height * box.width;
        block.each_thread([&](int t) {
          for (int64_t i = t; i < images.C * size; i += block.threads) {
            const int64_t row = box.top + i % size / box.width, column = box.left + i % size % box.width;
            images.plane(block.index, i / size)[row * images.W + column] = value;
          }
        });
      },
      "erase_images");
}

template void affine_images<float>(Images<float>, const int64_t*, AugmentStream, kernels::AffineRanges,
                                   float);
template void elastic_images<float>(Images<float>, const int64_t*, AugmentStream, kernels::ElasticField);
template void normalise_images<float>(Images<float>, float, float);
template void noise_images<float>(Images<float>, const int64_t*, AugmentStream, double);
template void erase_images<float>(Images<float>, const int64_t*, AugmentStream, kernels::EraseRanges, float);

}  // namespace uncial::cuda
