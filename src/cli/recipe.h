#pragma once
/// How the shipped networks are trained, in one place.

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "uncial/train/fit.h"

namespace uncial::cli {

class Program;

/// Strength of each augmentation; 0 is off. Units as in vision/augment.h.
struct AugmentStrengths {
  double degrees = 0, zoom = 0, shift = 0, shear = 0;  ///< degrees, fraction, fraction of the side, degrees
  double elastic = 0;                                  ///< displacement in pixels
  double noise = 0;                                    ///< standard deviation, ink being 1
  double erase = 0;                                    ///< probability

  /// "degrees=10 zoom=0.1 shift=0.08", or "none".
  std::string text() const;
  /// The same for people: "rotation ±10°, zoom ±10 %", or "none".
  std::string description() const;
  vision::Augment make() const;
  /// Sets one of them from "KEY=VALUE". Throws a usage Error.
  void set(const std::string& assignment);
};

/// Everything about a training run but the network, the data and the seed.
struct Recipe {
  int64_t epochs = 12, batch = 128;
  double lr = 2e-3;
  std::string optimizer = "adam", schedule = "one_cycle";
  double label_smoothing = 0, weight_decay = 0;
  double average = 0;          ///< decay of averaged weights a step; 0: none
  int64_t patience = 6;        ///< early stopping: epochs without a gain of validation accuracy
  int64_t validation = 5'000;  ///< images set aside from the training ones
  AugmentStrengths augment;
  Precision precision = Precision::float32;

  nlohmann::ordered_json json() const;
  /// Options of fit() but for validation set, callbacks, progress, stop and resume.
  train::FitOptions fit_options(uint64_t seed) const;
};

/// The preset `name` ("default", "fast") for a network; one for any other network too.
Recipe find_recipe(const std::string& name, const std::string& model);

/// The flags that choose and change a recipe.
class RecipeFlags {
 public:
  /// Declares --recipe, --epochs, --batch, --lr and the rest; `preset` is what --recipe starts as. With
  /// `fewest_epochs` 0 a program must know how to evaluate only.
  explicit RecipeFlags(Program& program, std::string preset = "default", int64_t fewest_epochs = 1);
  Recipe resolve(const std::string& model) const;
  /// For a program that does not take --augment: ErrorKind::usage, and why, when it was given.
  void refuse_augment(std::string_view why) const;

 private:
  std::string preset_;
  std::optional<int64_t> epochs_, batch_, patience_, validation_;
  std::optional<double> lr_, label_smoothing_, weight_decay_, average_;
  std::optional<std::string> optimizer_, schedule_, precision_;
  std::vector<std::string> augment_;
};

}  // namespace uncial::cli
