#include "uncial/kernels/augment.h"

#include "grid.h"

// One block a sample. Its pixels are copied to shared memory first, plane by plane, because the result takes
// their place. Formulas in integers, and products that are exact in double, give the bits of the CPU.

namespace uncial::cuda {
namespace {

using kernels::AugmentStream;
using kernels::Images;
using kernels::SourcePoint;

/// A plane that is read while its place is written: in shared memory where it fits, else in memory of the
/// block's own. A rim of the fill value lies around it, one pixel above and left, two below and right, so
/// that all four neighbours of a point between (-1, -1) and (W, H) are there without a question.
template <class T>
struct RimmedPlane {
  T* pixels;
  int H, W;

  static int64_t size(const Images<T>& images) { return (images.H + 3) * (images.W + 3); }
  UNCIAL_BODY int width() const { return W + 3; }

  /// The four neighbours of a point mixed.
  UNCIAL_BODY T at(SourcePoint point) const {
    const T* p = pixels + ((point.y >> kernels::kPointBits) + 1) * int64_t(width()) +
                 (point.x >> kernels::kPointBits) + 1;
    return kernels::bilinear(point, p[0], p[1], p[width()], p[width() + 1]);
  }
  /// Copies a plane and draws the rim.
  UNCIAL_BODY void fill_from(const Block& block, const T* plane, T fill, const IndexDivider& rows) const {
    move_ahead<4>(
        block, (H + 3) * width(),
        [&](int i) {
          const int row = int(rows.quotient(i)), y = row - 1, x = i - row * width() - 1;
          const bool inside = y >= 0 && y < H && x >= 0 && x < W;
          return inside ? plane[y * W + x] : fill;
        },
        [&](int i, T value) { pixels[i] = value; });
  }
};

/// What resampling a batch takes: where planes are copied to, and how pixels are counted.
template <class T>
struct Resampling {
  Images<T> images;
  IndexDivider rows, rimmed_rows;

  explicit Resampling(const Images<T>& batch)
      : images(batch),
        rows(batch.W, batch.H * batch.W),
        rimmed_rows(batch.W + 3, RimmedPlane<T>::size(batch)) {}

  /// Resamples every plane of sample block.index at source(x, y).
  template <class Source>
  UNCIAL_BODY void run(const Block& block, T* copy, T fill, Source source) const {
    const int H = int(images.H), W = int(images.W), size = H * W;
    const RimmedPlane<T> from{copy, H, W};
    for (int64_t c = 0; c < images.C; ++c) {
      T* plane = images.plane(block.index, c);
      from.fill_from(block, plane, fill, rimmed_rows);
      block.each_thread([&](int t) {
        for (int i = t; i < size; i += block.threads) {
          const int y = int(rows.quotient(i));
          plane[i] = from.at(source(i - y * W, y));
        }
      });
    }
  }
};

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
  // A map takes as many instructions as some ten pixels, so one thread makes it, not all of a sample's block.
  const Temporary map_memory(images.N * int64_t(sizeof(kernels::AffineMap)));
  auto* maps = map_memory.as<kernels::AffineMap>();
  const int64_t H = images.H, W = images.W;
  each(
      images.N,
      [=] UNCIAL_BODY(int64_t n) {
        const auto a = stream.block(indices[n], 0), b = stream.block(indices[n], 1);
        maps[n] = kernels::affine_map(ranges, {a[0], a[1], a[2], a[3], b[0]}, H, W);
      },
      "affine_images");
  const int64_t bytes = RimmedPlane<T>::size(images) * int64_t(sizeof(T));
  const bool fits = bytes <= kSharedWithoutAsking;
  const Temporary memory(fits ? 0 : images.N * bytes);
  T* spilled = fits ? nullptr : memory.as<T>();
  const Resampling<T> resample(images);
  each_block(
      images.N, threads_for(H * W), fits ? bytes : 0,
      [=] UNCIAL_BODY(const Block& block) {
        T* copy = spilled ? spilled + block.index * bytes / int64_t(sizeof(T)) : block.memory<T>();
        const kernels::AffineMap map = maps[block.index];
        resample.run(block, copy, fill,
                     [&](int x, int y) { return kernels::affine_source(map, x, y, H, W); });
      },
      "affine_images");
}

template <class T>
void elastic_images(Images<T> images, const int64_t* indices, AugmentStream stream,
                    kernels::ElasticField field) {
  static_assert(sizeof(T) == sizeof(int32_t));  // the field's three planes and the copy lie side by side
  const int64_t H = images.H, W = images.W, size = H * W, words = 3 * size + RimmedPlane<T>::size(images);
  const int64_t bytes = words * int64_t(sizeof(T));
  const bool fits = bytes <= kSharedWithoutAsking;
  const Temporary memory(fits ? 0 : images.N * bytes);
  auto* spilled = fits ? nullptr : memory.as<int32_t>();
  const Resampling<T> resample(images);
  each_block(
      images.N, threads_for(size), fits ? bytes : 0,
      [=] UNCIAL_BODY(const Block& block) {
        int32_t* planes = spilled ? spilled + block.index * words : block.memory<int32_t>();
        const Field f{planes, planes + size, planes + 2 * size, H, W, field};
        f.draw(block, stream, indices[block.index]);
        const int64_t scale = kernels::elastic_scale(field.amplitude, f.largest(block));
        resample.run(block, reinterpret_cast<T*>(planes + 3 * size), T(0), [&](int x, int y) {
          const int64_t i = y * W + x;
          return kernels::elastic_source(x, y, f.x[i], f.y[i], scale, H, W);
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
