#pragma once
/// The facts that the page shows of a network, and images for it (src/cli/page/README.md).

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "uncial/nn/module.h"

namespace uncial::cli {

/// 28 x 28 bytes, row by row, 0 = paper, 255 = ink.
using ImageBytes = std::vector<uint8_t>;

struct LabelledImage {
  int label = 0;
  ImageBytes pixels;
};

struct PageInfo {
  std::string network, origin;
  int64_t parameters = 0, multiply_adds = 0;
  std::optional<double> accuracy = std::nullopt;  ///< on the test set
  std::vector<std::string> classes;
  std::vector<LabelledImage> examples = {};
  std::string augmentation = "";                        ///< what rows below show; empty: no such rows
  std::vector<std::vector<ImageBytes>> augmented = {};  ///< the original first
  bool training = false;                                ///< there is a stream of events
};

/// Counts parameters and multiply-adds of `net`; the rest is for the caller to fill in.
PageInfo info_of(const nn::Module& net, std::string network, std::string origin);

std::string info_json(const PageInfo& info);

}  // namespace uncial::cli
