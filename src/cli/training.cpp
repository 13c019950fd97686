#include "cli/training.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "cli/program.h"
#include "cli/progress.h"
#include "cli/watcher.h"
#include "uncial/core/error.h"
#include "uncial/core/finite.h"
#include "uncial/data/download.h"
#include "uncial/io/atomic_file.h"
#include "uncial/train/callback.h"
#include "uncial/train/fit.h"
#include "uncial/train/model_file.h"

namespace uncial::cli {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kSplitSeed = 1;  // not --seed: runs of several seeds are compared on the same images

/// Keeps the weights that a complete run ends with, as EarlyStopping leaves the best ones in the net. Hands
/// epochs to the watcher, too: a callback of its own would be one more thing that must agree when a run is
/// resumed.
class FinalWeights : public train::Callback {
 public:
  explicit FinalWeights(TrainingWatcher* watcher) : watcher_(watcher) {}
  std::string on_epoch(const train::EpochView& view) override {
    if (watcher_) watcher_->on_epoch(view);
    return {};
  }
  void on_complete(const train::EpochView& view) override {
    weights_.clear();
    for (const auto& [name, tensor] : view.weights) weights_.emplace_back(name, tensor.detach().clone());
  }
  std::string name() const override { return "FinalWeights"; }
  const nn::NamedTensors& weights() const { return weights_; }

 private:
  TrainingWatcher* watcher_;
  nn::NamedTensors weights_;
};

/// Removes what an earlier run left behind, once this one has something to keep: until then the earlier run
/// can be resumed, after that its checkpoints would be taken for those of this one.
class RemoveOutdated : public train::Callback {
 public:
  explicit RemoveOutdated(std::vector<fs::path> files) : files_(std::move(files)) {}
  bool keeps_state() const override { return true; }
  void on_save(const train::RunState&) override {
    std::error_code ignored;  // one that stays is refused by its own job if it does not fit
    for (const fs::path& file : std::exchange(files_, {})) fs::remove(file, ignored);
  }
  std::string name() const override { return "RemoveOutdated"; }

 private:
  std::vector<fs::path> files_;
};

void require_finite(const nn::Module& net, const train::Progress& progress) {
  if (const auto bad = find_non_finite(net.named_parameters()))
    fail(ErrorKind::diverged, "--check-finite: ", bad->tensor, "[", bad->index, "] became ", bad->value, " (",
         bad->count, " such values in all) in epoch ", progress.epoch, ", step ", progress.batch,
         ". Lower --lr.");
}

/// The final net of an earlier run, for --epochs 0.
TrainedNetwork evaluate_only(const MnistData& data, const TrainingJob& job, Device device) {
  const fs::path path = job.prefix.native() + "_final.safetensors";
  std::error_code error;
  if (!fs::exists(path, error))
    fail(ErrorKind::io, "model: ", io::printable(path.native()),
         ": not found, expected what --epochs 0 should evaluate. Train it first.");
  TrainedNetwork result;
  result.net = train::load_model(path).net;
  result.net->to(device);
  result.report = train::evaluate(*result.net, data.test, {.precision = job.recipe.precision});
  result.history.stop_reason = "evaluated only";
  return result;
}

TrainedNetwork train_network(Program& program, const MnistData& data, const TrainingJob& job,
                             std::vector<fs::path> outdated) {
  if (job.recipe.epochs == 0) return evaluate_only(data, job, program.common().device);

  TrainedNetwork result;
  result.net = build_network(job.network, job.seed);
  result.net->to(program.common().device);
  const auto final_weights = std::make_shared<FinalWeights>(job.watcher);
  train::FitOptions options = job.recipe.fit_options(job.seed);
  options.validation = data.validation;
  options.callbacks = {train::EarlyStopping({.patience = int(job.recipe.patience)}), final_weights,
                       std::make_shared<RemoveOutdated>(std::move(outdated)),
                       train::Checkpoint(job.prefix, {.best = job.model_files, .final = job.model_files})};
  options.stop = program.stop_token();
  options.resume = job.resume;
  ProgressPrinter printer(job.label);
  options.progress = [&](const train::Progress& progress) {
    if (job.check_finite) require_finite(*result.net, progress);
    if (program.verbose()) printer(progress);
    if (job.watcher) job.watcher->on_progress(*result.net, progress);
  };
  if (job.watcher) job.watcher->on_begin(job.label);
  result.history = train::fit(*result.net, data.train, options);
  program.throw_if_stopped("Everything is saved; go on with: " + program.resume_command());

  result.net->load_state_dict(final_weights->weights());
  result.report = train::evaluate(*result.net, data.test, {.precision = job.recipe.precision});
  for (const train::EpochRecord& epoch : result.history.epochs) result.seconds += epoch.seconds;
  return result;
}

}  // namespace

data::Splits find_data(const fs::path& root, const std::string& name) {
  try {
    return data::load(name, {.directory = root / "data"});
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::io) throw;  // damaged files are to be mended, not passed over
  }
  return data::load(name);
}

MnistData load_mnist(const fs::path& root, int64_t validation, int64_t train_samples) {
  const data::Splits mnist = find_data(root);
  auto [train, held_out] = mnist.train.split({.validation = validation, .seed = kSplitSeed});
  require(train_samples <= train.size(), "--train-samples: got ", train_samples, ", expected at most ",
          train.size(), ": the others are for validation.");
  return {train_samples > 0 ? train.take(train_samples) : train, held_out, mnist.test};
}

void train_all(Program& program, const MnistData& data, const std::vector<TrainingJob>& jobs,
               const std::function<void(size_t, TrainedNetwork)>& done) {
  for (size_t i = 0; i < jobs.size(); ++i) {
    std::vector<fs::path> outdated;
    if (i == 0 && !jobs[0].resume)
      for (size_t later = 1; later < jobs.size(); ++later)
        for (const fs::path& file : checkpoint_files(jobs[later].prefix)) outdated.push_back(file);
    done(i, train_network(program, data, jobs[i], std::move(outdated)));
  }
}

std::vector<fs::path> checkpoint_files(const fs::path& prefix) {
  return {prefix.native() + "_checkpoint.safetensors", prefix.native() + "_checkpoint.prev.safetensors"};
}

std::vector<fs::path> model_files(const fs::path& prefix) {
  std::vector<fs::path> files = checkpoint_files(prefix);
  for (const char* end : {"_best", "_final"}) files.emplace_back(prefix.native() + end + ".safetensors");
  return files;
}

fs::path model_prefix(const std::string& network, uint64_t seed, bool first) {
  return "models/mnist_" + network + (first ? "" : "_seed" + std::to_string(seed));
}

std::optional<NonFinite> find_non_finite(const nn::NamedTensors& tensors) {
  std::optional<NonFinite> first;
  for (const auto& [name, tensor] : tensors) {
    const auto place = first_non_finite(tensor);
    if (!place) continue;
    const Tensor flat = tensor.detach().to(Device::cpu()).reshape({-1});
    if (!first) first = NonFinite{name, *place, flat.at({*place}), 0};
    for (int64_t i = *place; i < flat.size(); ++i) first->count += std::isfinite(flat.at({i})) ? 0 : 1;
  }
  return first;
}

nlohmann::ordered_json to_json(const train::Report& report) {
  return nlohmann::ordered_json::parse(report.json());
}
nlohmann::ordered_json to_json(const train::History& history) {
  return nlohmann::ordered_json::parse(history.json());
}

Spread spread(const std::vector<double>& values) {
  Spread result;
  const double n = double(values.size());
  for (const double v : values) result.mean += v / n;
  for (const double v : values) result.deviation += (v - result.mean) * (v - result.mean);
  result.deviation = values.size() > 1 ? std::sqrt(result.deviation / (n - 1)) : 0;
  return result;
}

}  // namespace uncial::cli
