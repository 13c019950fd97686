#pragma once
/// Data and nets small enough to be trained in a fraction of a second.

#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "support/temp_folder.h"
#include "uncial/core/random.h"
#include "uncial/core/sha256.h"
#include "uncial/nn/nn.h"
#include "uncial/train/fit.h"

namespace uncial::test {

/// Pictures (1, 8, 8) of four classes: a bright blob in one of the four quadrants, moved by up to a pixel,
/// under noise. An untrained net is right for one in four.
inline data::Dataset blobs(int64_t count, uint64_t seed) {
  const Tensor images = empty({count, 1, 8, 8}, DType::uint8), labels = empty({count}, DType::uint8);
  Generator random(seed, Purpose::synthetic);
  uint8_t* pixel = images.data<uint8_t>();
  for (int64_t i = 0; i < count; ++i) {
    const int label = int(i % 4);
    labels.data<uint8_t>()[i] = uint8_t(label);
    const double row = 1.5 + 4 * (label / 2) + 2 * random.uniform() - 1;
    const double column = 1.5 + 4 * (label % 2) + 2 * random.uniform() - 1;
    for (int h = 0; h < 8; ++h)
      for (int w = 0; w < 8; ++w) {
        const double distance = (h - row) * (h - row) + (w - column) * (w - column);
        *pixel++ = uint8_t(110 * std::exp(-distance / 2) + 145 * random.uniform());
      }
  }
  return data::Dataset("blobs", images, labels, {"upper left", "upper right", "lower left", "lower right"});
}

/// A net with everything that has state or draws random numbers: batch norm and dropout.
inline nn::Sequential small_net(uint64_t seed = 1) {
  nn::Sequential net(nn::Conv2d(1, 6, {.kernel = 3, .padding = 1, .bias = false}), nn::BatchNorm2d(6),
                     nn::ReLU(), nn::MaxPool2d(2), nn::Flatten(), nn::Dropout(0.2), nn::Dense(96, 4));
  net.initialize({.seed = seed});
  return net;
}

/// SHA-256 of the bytes of all tensors: what equality to the bit is checked by, in a form that can be
/// printed.
inline std::string digest_of(const nn::NamedTensors& tensors) {
  Sha256 hash;
  for (const auto& [name, tensor] : tensors) {
    const Tensor flat = tensor.detach().contiguous();
    hash.update(flat.view().data, size_t(flat.bytes()));
  }
  return hash.hex();
}
inline std::string digest_of(const Tensor& tensor) { return digest_of(nn::NamedTensors{{"", tensor}}); }
inline std::string digest_of(const nn::Module& net) { return digest_of(net.state_dict()); }
inline std::string digest_of(const std::filesystem::path& file) {
  const std::string bytes = read_bytes(file);
  return sha256_hex(bytes.data(), bytes.size());
}

/// Every figure of a history but the times, exactly.
inline std::vector<double> figures_of(const train::History& history) {
  std::vector<double> all{double(history.best_epoch)};
  for (const train::EpochRecord& e : history.epochs)
    all.insert(all.end(),
               {double(e.epoch), e.loss, e.accuracy, e.validation_loss, e.validation_accuracy, e.lr});
  return all;
}

}  // namespace uncial::test
