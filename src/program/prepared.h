#pragma once
/// @file prepared.h
/// What is made of weights once, and again when they have changed: Winograd's transform, packed filters.
/// Internal.

#include <memory>
#include <vector>

#include "graph.h"
#include "stage.h"

namespace uncial::program {

/// Memory from outside that something is made of, and whether it is what that was made of. Versions tell, but
/// not of start values (version 0), nor of writes through a pointer: those are looked for.
class Origin {
 public:
  explicit Origin(const Storage& storage) : storage_(&storage) {}
  /// Whether `now`, all of the memory, is not what it was at the last call; remembers it.
  bool take_stale(const View& now);

 private:
  const Storage* storage_;
  uint64_t generation_ = ~uint64_t(0);
  std::vector<float> copy_;  ///< when host code has a pointer to the memory
};

class Prepared {
 public:
  virtual ~Prepared() = default;
  virtual int64_t floats() const = 0;
  /// Pieces of make(), which may run at once.
  virtual int64_t tasks() const = 0;
  virtual void make(const Runtime& runtime, int64_t task) const = 0;

  /// Asks for memory, and says of which row-major values it is made. With `fixed` they change their versions
  /// whenever their content changes; otherwise (the program computes them) all is made anew at every run.
  void bind(const Graph& graph, std::vector<int> sources, bool fixed);
  const std::vector<int>& sources() const { return sources_; }
  float* data() const { return static_cast<float*>(storage_->data()); }

 private:
  friend void update(const std::vector<std::shared_ptr<Prepared>>& all, const Runtime& runtime);
  /// Whether the weights are not those that it was made of; remembers the present ones then.
  bool take_stale(const Runtime& runtime);

  std::vector<int> sources_;
  std::vector<Origin> origins_;  ///< none when not fixed
  std::shared_ptr<Storage> storage_;
};

/// Adds what update() may spend time on to the pieces of `stage`.
inline void add_pieces(const std::vector<std::shared_ptr<Prepared>>& all, const Stage* stage,
                       std::vector<Piece>& pieces) {
  for (const auto& p : all) pieces.push_back({p.get(), "prepare weights", {}, stage});
}

/// Makes what is out of date.
void update(const std::vector<std::shared_ptr<Prepared>>& all, const Runtime& runtime);

}  // namespace uncial::program
