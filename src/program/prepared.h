#pragma once
/// @file prepared.h
/// What is made of weights once, and again when they have changed: Winograd's transform, packed filters.
/// Internal.

#include <memory>
#include <vector>

#include "graph.h"
#include "stage.h"

namespace uncial::program {

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
  /// Whether the weights are not those that it was made of; remembers the present ones then. Versions tell,
  /// but not of start values (version 0), nor of writes through a pointer: those are looked for.
  bool take_stale(const Runtime& runtime);
  struct Origin {
    const Storage* storage;
    uint64_t generation = ~uint64_t(0);  ///< when all was made
    std::vector<float> copy;             ///< of the weights then, when host code has a pointer to them
    bool take_stale(const View& weights);
  };

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
