#pragma once
/// How one network is trained, to the last number, as files say it: benchmarks/speedrun/*.json.

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cli/recipe.h"
#include "uncial/nn/module.h"
#include "uncial/train/fit.h"

namespace uncial::bench {

/// A network, a schedule for it, and what it is for.
struct SpeedrunSchedule {
  std::string name, network;  ///< network: its description (nn::build)
  double goal = 0;            ///< accuracy to be reached in the mean, in percent
  int64_t seeds = 0;
  int64_t samples = 0;  ///< of the training images, the first so many; 0: all
  /// Factors of the start values of weights, layer by layer; layers after the last take its. Biases keep
  /// theirs.
  std::vector<double> start_scales;
  int64_t epochs = 1, batch = 0;
  optim::Recipe optimizer;
  optim::OneCycleOptions cycle;
  double label_smoothing = 0, average = 0;
  cli::AugmentStrengths augment;
  Precision precision = Precision::float32;
  nlohmann::ordered_json json;  ///< as it was read

  /// With start values of `seed`. Throws Error(data) unless it turns (N, 1, 28, 28) into (N, 10).
  std::shared_ptr<nn::Module> build(uint64_t seed) const;
  train::FitOptions fit_options(uint64_t seed) const;
};

/// The schedules of a file: an object, or a list of them. Throws Error(data) naming the file, the place and
/// what was expected there, also for a key that is not known.
std::vector<SpeedrunSchedule> read_speedrun_schedules(const std::string& path);

}  // namespace uncial::bench
