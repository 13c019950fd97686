#include "uncial/kernels/augment.h"

#include "vectors.h"

// A block takes samples one after the other. Pixels are copied to shared memory first, plane by plane,
// because the result takes their place. Formulas in integers, and products that are exact in double, give the
// bits of the CPU.

namespace uncial::cuda {
namespace {

using kernels::AugmentStream;
using kernels::Images;
using kernels::SourcePoint;

/// A plane that is read while its place is written: in shared memory where it fits, else in memory of the
/// block's own. A rim of the fill value lies around it, one pixel above and left, two below and right, so
/// that all four neighbours of a point between (-1, -1) and (W, H) are there without a question. In double,
/// because conversions are slow, and each pixel is a neighbour four times.
struct RimmedPlane {
  double* pixels;
  int H, W;

  template <class T>
  static int64_t bytes(const Images<T>& images) {
    return (images.H + 3) * (images.W + 3) * int64_t(sizeof(double));
  }
  UNCIAL_BODY int width() const { return W + 3; }
  UNCIAL_BODY double* row(int y) const { return pixels + (y + 1) * width() + 1; }

  /// The four neighbours of a point mixed.
  UNCIAL_BODY float at(SourcePoint point) const {
    const double* p = row(point.y >> kernels::kPointBits) + (point.x >> kernels::kPointBits);
    return kernels::bilinear(point, p[0], p[1], p[width()], p[width() + 1]);
  }
  UNCIAL_BODY void draw_rim(const Block& block, double fill) const {
    block.each_thread([&](int t) {
      for (int x = t; x < width(); x += block.threads) {
        row(-1)[x - 1] = row(H)[x - 1] = row(H + 1)[x - 1] = fill;
      }
      for (int y = t; y < H; y += block.threads) row(y)[-1] = row(y)[W] = row(y)[W + 1] = fill;
    });
  }
};

constexpr int kRows = 4;      // of a warp, under way together
constexpr int kResident = 5;  // blocks of a multiprocessor

/// Resamples samples at places that `make` tells: make(block, n) prepares sample n and gives source(x, y). A
/// warp takes rows, its threads neighbours, whose sources mostly lie in different banks.
template <bool kSpilled, class T, class Make>
struct Resample {
  Images<T> images;
  T fill;
  int64_t blocks, memory_bytes;
  char* spilled;  ///< memory_bytes for each block, for planes that shared memory has no room for
  Make make;

  UNCIAL_BODY void operator()(const Block& block) const {
    // Known to the compiler, which else takes three instructions for an address.
    char* memory = kSpilled ? spilled + block.index * memory_bytes : block.memory<char>();
    const RimmedPlane plane{reinterpret_cast<double*>(memory), int(images.H), int(images.W)};
    plane.draw_rim(block, fill);
    char* rest = memory + (plane.H + 3) * int64_t(plane.width()) * int64_t(sizeof(double));
    for (int64_t n = block.index; n < images.N; n += blocks)
      make(block, n, rest, [&](const auto& source) {
        for (int64_t c = 0; c < images.C; ++c) one(block, plane, images.plane(n, c), source);
      });
  }
  template <class Source>
  UNCIAL_BODY void one(const Block& block, const RimmedPlane& plane, T* pixels, const Source& source) const {
    each_pixel(
        block, plane, [&](int x, int y) { return pixels[y * plane.W + x]; },
        [&](int x, int y, T pixel) { plane.row(y)[x] = double(pixel); });
    each_pixel(
        block, plane, [&](int x, int y) { return T(plane.at(source(x, y))); },
        [&](int x, int y, T pixel) { pixels[y * plane.W + x] = pixel; });
  }
  /// store(x, y, load(x, y)) for all pixels.
  template <class Load, class Store>
  UNCIAL_BODY static void each_pixel(const Block& block, const RimmedPlane& plane, Load load, Store store) {
    block.each_thread([&](int t) {
      for (int x = t % kWarp; x < plane.W; x += kWarp)
        walk_rounds<kRows>(
            t / kWarp, block.threads / kWarp, plane.H, [&](int y) { return load(x, y); },
            [&](int y, T pixel) { store(x, y, pixel); });
    });
  }
};

/// make(block, n, memory, use) calls use(source) once; `memory` has extra_bytes for the block.
template <class T, class Make>
void resample(const Images<T>& images, T fill, int64_t extra_bytes, const Make& make, const char* what) {
  constexpr int kMostThreads = 256;
  const int64_t most = kResident * gpu_limits().multiprocessors, blocks = images.N < most ? images.N : most;
  const int64_t bytes = RimmedPlane::bytes(images) + ceil_div(extra_bytes, 16) * 16;
  const int64_t wanted = kWarp * ceil_div(images.H, int64_t(kRows));
  const int threads = int(wanted < kMostThreads ? wanted : kMostThreads);
  if (bytes <= kSharedWithoutAsking)
    return each_block<kMostThreads, kResident>(
        blocks, threads, bytes, Resample<false, T, Make>{images, fill, blocks, 0, nullptr, make}, what);
  const Temporary memory(blocks * bytes);
  each_block<kMostThreads, kResident>(
      blocks, threads, 0, Resample<true, T, Make>{images, fill, blocks, bytes, memory.as<char>(), make},
      what);
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
    pass(block, values, scratch, 1, int(W));
    pass(block, scratch, values, int(W), int(H));
  }
  /// Along an axis of `side` places that are `step` apart; outside counts as zero.
  UNCIAL_BODY void pass(const Block& block, const int32_t* from, int32_t* to, int step, int side) const {
    const int size = int(H * W), r = field.radius;
    block.each_thread([&](int t) {
      for (int i = t; i < size; i += block.threads) {
        const int place = i / step % side;
        const int begin = place < r ? -place : -r, end = side - 1 - place < r ? side - 1 - place : r;
        int32_t sum = 0;
        for (int k = begin; k <= end; ++k) sum += field.weights[k + r] * from[i + k * step];
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

/// A sample's map, in 32 bits where they do.
struct PlacedMap {
  kernels::AffineMap wide;
  kernels::NarrowAffineMap narrow;
  bool is_narrow;
};

struct AffineSources {
  const PlacedMap* maps;
  int64_t H, W;
  template <class Use>
  UNCIAL_BODY void operator()(const Block&, int64_t n, char*, const Use& use) const {
    if (maps[n].is_narrow)
      use([map = maps[n].narrow, h = int32_t(H), w = int32_t(W)](int x, int y) {
        return kernels::affine_source(map, x, y, h, w);
      });
    else
      use([map = maps[n].wide, h = H, w = W](int x, int y) {
        return kernels::affine_source(map, x, y, h, w);
      });
  }
};

struct ElasticSources {
  const int64_t* indices;
  AugmentStream stream;
  kernels::ElasticField field;
  int64_t H, W;
  template <class Use>
  UNCIAL_BODY void operator()(const Block& block, int64_t n, char* memory, const Use& use) const {
    auto* planes = reinterpret_cast<int32_t*>(memory);
    const int64_t size = H * W;
    const Field f{planes, planes + size, planes + 2 * size, H, W, field};
    f.draw(block, stream, indices[n]);
    const int64_t scale = kernels::elastic_scale(field.amplitude, f.largest(block));
    use([f, scale](int x, int y) {
      const int64_t i = y * f.W + x;
      return kernels::elastic_source(x, y, f.x[i], f.y[i], scale, f.H, f.W);
    });
  }
};

}  // namespace

template <class T>
void affine_images(Images<T> images, const int64_t* indices, AugmentStream stream,
                   kernels::AffineRanges ranges, T fill) {
  // A map takes as many instructions as some ten pixels, so one thread makes it, not all of a sample's block.
  const Temporary map_memory(images.N * int64_t(sizeof(PlacedMap)));
  auto* maps = map_memory.as<PlacedMap>();
  const int64_t H = images.H, W = images.W;
  each(
      images.N,
      [=] UNCIAL_BODY(int64_t n) {
        const auto a = stream.block(indices[n], 0), b = stream.block(indices[n], 1);
        const auto map = kernels::affine_map(ranges, {a[0], a[1], a[2], a[3], b[0]}, H, W);
        maps[n] = {map, kernels::NarrowAffineMap(map), kernels::fits_narrow(map, H, W)};
      },
      "affine_images");
  resample(images, fill, 0, AffineSources{maps, H, W}, "affine_images");
}

template <class T>
void elastic_images(Images<T> images, const int64_t* indices, AugmentStream stream,
                    kernels::ElasticField field) {
  resample(images, T(0), 3 * images.H * images.W * int64_t(sizeof(int32_t)),
           ElasticSources{indices, stream, field, images.H, images.W}, "elastic_images");
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
