#pragma once
/// @file loader.h
/// Batches of a data set, shuffled and augmented, prepared ahead of their use.

#include <functional>
#include <memory>

#include "uncial/data/dataset.h"

namespace uncial::data {

/// Changes a batch of images in place, reproducibly for each sample.
/// images  (B, C, H, W) float32 in [0, 1];  indices  B source indices.
using BatchTransform = std::function<void(const Tensor& images, const std::vector<int64_t>& indices,
                                          uint64_t seed, int64_t epoch)>;

/// Options of a Loader.
struct LoaderOptions {
  int64_t batch = 128;
  bool shuffle = false;  ///< a new order each epoch, a pure function of (seed, epoch)
  bool drop_last = false;
  uint64_t seed = 0;
  int64_t epoch = 0;
  BatchTransform transform = {};  ///< runs on the prefetching thread
  int prefetch = 2;               ///< batches prepared ahead by a thread of its own; 0 prepares in next()
  int64_t first_batch = 0;        ///< batches to skip at the start: how a run resumes inside an epoch
};

/// One batch. `indices` are source indices, int64 (B).
struct Batch {
  Tensor images;   ///< (B, C, H, W) float32 in [0, 1]
  Tensor labels;   ///< (B) int64
  Tensor indices;  ///< (B) int64
};

/// One pass over a data set. Use it in a range-for:
/// `for (const auto& [images, labels, indices] : Loader(train, {.batch = 64, .shuffle = true})) ...`
class Loader {
 public:
  Loader(Dataset dataset, LoaderOptions options);
  ~Loader();
  Loader(Loader&&) noexcept;
  Loader& operator=(Loader&&) noexcept;

  /// Batches in a whole pass.
  int64_t batches() const;
  /// The next batch, or false at the end. Rethrows what the transform threw.
  bool next(Batch& batch);

  class iterator {
   public:
    explicit iterator(Loader* loader) : loader_(loader) {
      if (loader_) ++*this;
    }
    const Batch& operator*() const { return batch_; }
    iterator& operator++() {
      if (loader_ && !loader_->next(batch_)) loader_ = nullptr;
      return *this;
    }
    bool operator!=(const iterator& other) const { return loader_ != other.loader_; }

   private:
    Loader* loader_;
    Batch batch_;
  };
  iterator begin() { return iterator(this); }
  iterator end() { return iterator(nullptr); }

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// The order of one epoch: a permutation of [0, size), a pure function of its arguments.
std::vector<int64_t> shuffled_order(int64_t size, uint64_t seed, int64_t epoch);

}  // namespace uncial::data
