#pragma once
/// Networks, data and training runs as the programs share them.

#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cli/recipe.h"
#include "uncial/data/dataset.h"
#include "uncial/nn/module.h"
#include "uncial/train/evaluate.h"
#include "uncial/train/history.h"

namespace uncial::cli {

class Output;
class Program;
class TrainingWatcher;

/// A network description.
struct Network {
  std::string name;  ///< "cnn", or the file's name without folder and ending
  std::string json;
};
/// The shipped network `model`, or the one in the file of that name. Throws Error(io) or Error(data).
Network find_network(const std::string& model);
/// Builds it with start values from `seed`. Throws Error(data) unless it turns (N, 1, 28, 28) into (N, 10).
std::shared_ptr<nn::Module> build_network(const Network& network, uint64_t seed);

/// The data set `name` from root/data, where mnist_prepare downloads to, or else from where the library looks
/// for it. Throws what data::load() throws.
data::Splits find_data(const std::filesystem::path& root, const std::string& name = "mnist");

/// MNIST, with some of the training images set aside.
struct MnistData {
  data::Dataset train, validation, test;
};
/// Of find_data(root). The split is the same for every seed. `train_samples` 0 takes all.
MnistData load_mnist(const std::filesystem::path& root, int64_t validation, int64_t train_samples = 0);

/// What train_network() needs beside the data.
struct TrainingJob {
  Network network;
  Recipe recipe;
  uint64_t seed = 1;
  std::string label = "";        ///< of the progress lines
  std::filesystem::path prefix;  ///< of checkpoints and model files
  bool model_files = true;       ///< false: only checkpoints are written
  bool resume = false, check_finite = false;
  TrainingWatcher* watcher = nullptr;  ///< is told of the training; may be null
};
struct TrainedNetwork {
  std::shared_ptr<nn::Module> net;  ///< with its last or averaged weights: those of PREFIX_final
  train::History history;
  train::Report report;  ///< of the test set
  double seconds = 0;    ///< of training, all parts of a resumed run together
};
/// Trains one job after the other with early stopping, evaluates each net, and hands it to `done` with its
/// place in `jobs`. A stop by signal leaves checkpoints and throws Error(stopped). Resumed, the jobs that are
/// finished are taken from their checkpoints, the one that was stopped goes on, the others start: the results
/// are those of the uninterrupted run. All jobs resume or none.
void train_all(Program& program, const MnistData& data, const std::vector<TrainingJob>& jobs,
               const std::function<void(size_t, TrainedNetwork)>& done);

/// The checkpoints that train_all() writes for `prefix`.
std::vector<std::filesystem::path> checkpoint_files(const std::filesystem::path& prefix);
/// The same and the model files.
std::vector<std::filesystem::path> model_files(const std::filesystem::path& prefix);
/// models/mnist_NAME, with _seedN for those of several seeds after the first.
std::filesystem::path model_prefix(const std::string& network, uint64_t seed, bool first);

/// A trained net from a model file, FILE.safetensors or that of the network `model` trained under `root`, on
/// `device`.
std::shared_ptr<nn::Module> load_trained(const std::filesystem::path& root, const std::string& model,
                                         Device device);

/// The first value that is NaN or infinite, and how many there are in all tensors.
struct NonFinite {
  std::string tensor;
  int64_t index;  ///< in row-major order
  double value;
  int64_t count;
};
std::optional<NonFinite> find_non_finite(const nn::NamedTensors& tensors);
/// Throws Error(data) if `net`, loaded as `model`, has such values: it would answer something all the same.
void require_finite_weights(const nn::Module& net, const std::string& model);

nlohmann::ordered_json to_json(const train::Report& report);
nlohmann::ordered_json to_json(const train::History& history);

/// Mean and standard deviation (n - 1; 0 for one value).
struct Spread {
  double mean = 0, deviation = 0;
};
Spread spread(const std::vector<double>& values);

}  // namespace uncial::cli
