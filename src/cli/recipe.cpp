#include "cli/recipe.h"

#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>

#include "cli/number_flags.h"
#include "cli/program.h"
#include "uncial/core/error.h"
#include "uncial/io/atomic_file.h"

namespace uncial::cli {
namespace {

/// One kind of augmentation: its key, what limits it, where it is kept, and how people say it.
struct StrengthField {
  const char* key;
  double high;
  double AugmentStrengths::*member;
  const char* phrase;
  double factor = 1;  // of the number in the phrase
};
constexpr std::array kStrengths{
    StrengthField{"degrees", 180, &AugmentStrengths::degrees, "rotation ±{:.3g}°"},
    StrengthField{"zoom", 0.9, &AugmentStrengths::zoom, "zoom ±{:.3g} %", 100},
    StrengthField{"shift", 1, &AugmentStrengths::shift, "shift ±{:.3g} % of the side", 100},
    StrengthField{"shear", 80, &AugmentStrengths::shear, "shear ±{:.3g}°"},
    StrengthField{"elastic", 1000, &AugmentStrengths::elastic, "elastic, {:.3g} pixels"},
    StrengthField{"noise", 10, &AugmentStrengths::noise, "noise, {:.3g} % of ink", 100},
    StrengthField{"erase", 1, &AugmentStrengths::erase, "a patch erased in {:.3g} %", 100}};

optim::Recipe make_optimizer(const Recipe& recipe) {
  const double lr = recipe.lr, decay = recipe.weight_decay;
  if (recipe.optimizer == "sgd")
    return optim::SGD({.lr = lr, .momentum = 0.9, .nesterov = true, .weight_decay = decay});
  if (recipe.optimizer == "rmsprop") return optim::RMSprop({.lr = lr, .weight_decay = decay});
  if (recipe.optimizer == "adamw") return optim::AdamW({.lr = lr, .weight_decay = decay});
  return optim::Adam({.lr = lr, .weight_decay = decay});
}

optim::SchedulePtr make_schedule(const std::string& name) {
  if (name == "step") return optim::step_decay({0.5, 0.75});
  if (name == "exponential") return optim::exponential();
  if (name == "cosine") return optim::cosine();
  if (name == "one_cycle") return optim::one_cycle();
  if (name == "plateau") return optim::reduce_on_plateau();
  return optim::constant();
}

}  // namespace

/// The presets: the numbers to tune.
Recipe find_recipe(const std::string& name, const std::string& model) {
  const bool fast = name == "fast";
  if (model == "mlp")
    return {.epochs = fast ? 4 : 15,
            .lr = 2e-3,
            .label_smoothing = 0.05,
            .augment = {.degrees = 8, .zoom = 0.08, .shift = 1.5 / 28}};
  if (model == "lenet5")
    return {.epochs = fast ? 3 : 15,
            .lr = 3e-3,
            .label_smoothing = 0.05,
            .augment = {.degrees = 8, .zoom = 0.08, .shift = 2.0 / 28}};
  if (model == "tiny") return {.epochs = fast ? 2 : 6, .lr = 1e-2, .augment = {.shift = 1.0 / 28}};
  return {.epochs = fast ? 2 : 12,  // cnn, and networks of one's own
          .lr = 6e-3,
          .label_smoothing = 0.05,
          .average = fast ? 0.99 : 0.999,
          .patience = 8,
          .augment = {.degrees = 10, .zoom = 0.1, .shift = 2.0 / 28}};
}

std::string AugmentStrengths::text() const {
  std::string text;
  for (const StrengthField& field : kStrengths)
    if (const double value = this->*field.member; value > 0)
      text += fmt::format("{}{}={:.4g}", text.empty() ? "" : " ", field.key, value);
  return text.empty() ? "none" : text;
}

std::string AugmentStrengths::description() const {
  std::string text;
  for (const StrengthField& field : kStrengths)
    if (const double value = this->*field.member; value > 0)
      text += (text.empty() ? "" : ", ") + fmt::format(fmt::runtime(field.phrase), field.factor * value);
  return text.empty() ? "none" : text;
}

vision::Augment AugmentStrengths::make() const {
  std::vector<vision::Augment> parts;
  if (elastic > 0) parts.push_back(vision::ElasticDistortion({.alpha = elastic}));
  if (degrees > 0 || zoom > 0 || shift > 0 || shear > 0)
    parts.push_back(vision::RandomAffine({.degrees = degrees, .zoom = zoom, .shift = shift, .shear = shear}));
  if (erase > 0) parts.push_back(vision::RandomErase({.probability = erase}));
  if (noise > 0) parts.push_back(vision::RandomNoise(noise));
  if (parts.empty()) return nullptr;
  return parts.size() == 1 ? parts[0] : vision::Compose(std::move(parts));
}

void AugmentStrengths::set(const std::string& assignment) {
  const size_t equals = assignment.find('=');
  const std::string key = assignment.substr(0, equals);
  for (const StrengthField& field : kStrengths)
    if (equals != std::string::npos && key == field.key) {
      this->*field.member =
          parse_number("--augment " + key, assignment.substr(equals + 1), Range<double>{0.0, field.high});
      return;
    }
  fail(ErrorKind::usage, "--augment: got ", io::printable(assignment),
       ", expected KEY=VALUE with KEY one of degrees, zoom, shift, shear, elastic, noise, erase.");
}

nlohmann::ordered_json Recipe::json() const {
  return {{"epochs", epochs},
          {"batch", batch},
          {"lr", lr},
          {"optimizer", optimizer},
          {"schedule", schedule},
          {"label_smoothing", label_smoothing},
          {"weight_decay", weight_decay},
          {"average", average},
          {"patience", patience},
          {"validation", validation},
          {"augment", augment.text()},
          {"precision", name_of(precision)}};
}

train::FitOptions Recipe::fit_options(uint64_t seed) const {
  return {.epochs = epochs,
          .batch = batch,
          .augment = augment.make(),
          .optimizer = make_optimizer(*this),
          .schedule = make_schedule(schedule),
          .label_smoothing = label_smoothing,
          .average = average,
          .seed = seed,
          .precision = precision};
}

RecipeFlags::RecipeFlags(Program& program, std::string preset, int64_t fewest_epochs)
    : preset_(std::move(preset)) {
  program.choice("--recipe", preset_, {"default", "fast"}, "Preset that the flags below change");
  program.number("--epochs", epochs_, {fewest_epochs, 100'000},
                 join("Passes over the training images", fewest_epochs == 0 ? "; 0 only evaluates" : ""));
  program.number("--batch", batch_, {1, 65'536}, "Images a step");
  program.number("--lr", lr_, Range<double>{0.0, 1000.0, true}, "Learning rate, the highest of the schedule");
  program.choice("--optimizer", optimizer_, {"adam", "adamw", "sgd", "rmsprop"}, "Optimiser");
  program.choice("--schedule", schedule_,
                 {"constant", "step", "exponential", "cosine", "one_cycle", "plateau"},
                 "Learning rate over the run");
  program.number("--label-smoothing", label_smoothing_, Range<double>{0.0, 0.9},
                 "Share of the target spread evenly");
  program.number("--weight-decay", weight_decay_, Range<double>{0.0, 10.0}, "Pull of the weights towards 0");
  program.number("--average", average_, Range<double>{0.0, 0.999999},
                 "Decay of averaged weights a step; 0 is off");
  program.number("--patience", patience_, {1, 100'000}, "Epochs without a gain that end the run");
  program.number("--validation", validation_, {10, 59'000}, "Training images set aside for validation");
  program.choice("--precision", precision_, {"float32", "bf16", "fp16", "tf32"},
                 "Of convolutions and dense layers, forward and backward");
  program.list("--augment", augment_,
               "Strength of degrees, zoom, shift, shear, elastic, noise or erase; 0 is off", "KEY=VALUE");
}

Recipe RecipeFlags::resolve(const std::string& model) const {
  Recipe recipe = find_recipe(preset_, model);
  const auto change = [](auto& value, const auto& flag) { value = flag.value_or(value); };
  change(recipe.epochs, epochs_);
  change(recipe.batch, batch_);
  change(recipe.lr, lr_);
  change(recipe.optimizer, optimizer_);
  change(recipe.schedule, schedule_);
  change(recipe.label_smoothing, label_smoothing_);
  change(recipe.weight_decay, weight_decay_);
  change(recipe.average, average_);
  change(recipe.patience, patience_);
  change(recipe.validation, validation_);
  if (precision_) recipe.precision = precision_of(*precision_);
  for (const std::string& assignment : augment_) recipe.augment.set(assignment);
  return recipe;
}

void RecipeFlags::refuse_augment(std::string_view why) const {
  if (!augment_.empty())
    fail(ErrorKind::usage, "--augment: got ", io::printable(augment_.front()), ", but ", why);
}

}  // namespace uncial::cli
