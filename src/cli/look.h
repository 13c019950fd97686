#pragma once
/// What a network makes of one image: probabilities, and the values of all its layers. Needs the library and
/// JSON, nothing of a host, so that programs and the WebAssembly demo share it.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "uncial/nn/module.h"
#include "uncial/program/compile.h"

namespace uncial::cli {

/// The values of one layer in bytes: value = low + byte / 255 * (high - low).
struct LayerValues {
  std::string path, kind;
  int64_t channels = 0, height = 1, width = 1;  ///< a vector: its elements are channels
  float low = 0, high = 0;
  std::vector<uint8_t> bytes;  ///< channel by channel, row by row
};

struct Look {
  std::vector<float> probabilities;
  std::vector<LayerValues> layers;  ///< in the order in which they ran, without those that only pass on
};

/// Asks one network again and again, through a program that the first question records. The weights are read
/// as they are at each question: change them in place between two. One question at a time.
class Looker {
 public:
  /// `net`: float32, on the host, turns (1, 1, 28, 28) into (1, classes).
  explicit Looker(std::shared_ptr<const nn::Module> net);
  Looker(const Looker&) = delete;
  Looker& operator=(const Looker&) = delete;

  /// pixels: 28 x 28, row by row, 0 = paper, 255 = ink. Throws a usage Error for another number of them.
  Look operator()(std::span<const uint8_t> pixels);

 private:
  Tensors run(const Tensor& image);

  std::shared_ptr<const nn::Module> net_;
  std::vector<LayerValues> layers_;  ///< names of what run() returns after the logits
  Compiled step_;
};

/// {"probabilities": [...], "layers": [{"path", "kind", "channels", "height", "width", "low", "high",
/// "values": base64}]}
std::string look_json(const Look& look);

}  // namespace uncial::cli
