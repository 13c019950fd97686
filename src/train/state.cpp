#include "train/state.h"

#include <algorithm>

#include "train/description.h"
#include "train/number_text.h"
#include "uncial/io/atomic_file.h"

namespace uncial::train {
namespace {

constexpr int64_t kHistoryColumns = 8;

std::array<double EpochRecord::*, kHistoryColumns - 1> history_columns() {
  return {&EpochRecord::loss,
          &EpochRecord::accuracy,
          &EpochRecord::validation_loss,
          &EpochRecord::validation_accuracy,
          &EpochRecord::lr,
          &EpochRecord::seconds,
          &EpochRecord::samples_per_second};
}

Tensor history_tensor(const std::vector<EpochRecord>& epochs) {
  const Tensor table = empty({int64_t(epochs.size()), kHistoryColumns}, DType::float64);
  double* out = table.data<double>();
  for (const EpochRecord& e : epochs) {
    *out++ = double(e.epoch);
    for (const auto column : history_columns()) *out++ = e.*column;
  }
  return table;
}

std::vector<EpochRecord> history_from(const Tensor& table) {
  const double* in = table.data<double>();
  std::vector<EpochRecord> epochs;
  for (int64_t row = 0; row < table.size(0); ++row) {
    EpochRecord e;
    e.epoch = int64_t(*in++);
    for (const auto column : history_columns()) e.*column = *in++;
    epochs.push_back(e);
  }
  return epochs;
}

std::string shapes_of(const nn::Module& net) {
  std::string text;
  for (const auto& [path, tensor] : net.state_dict())
    text += join(text.empty() ? "" : ", ", path, " ", tensor.shape(), " ", tensor.dtype());
  return text;
}

std::string names_of(const std::vector<CallbackPtr>& callbacks) {
  std::string text;
  for (const CallbackPtr& c : callbacks) text += (text.empty() ? "" : ", ") + c->name();
  return text.empty() ? "none" : text;
}

/// Long descriptions would bury what a reader looks for.
std::string shortened(const std::string& text) {
  constexpr size_t kShown = 200;
  const std::string printable = io::printable(text);
  return printable.size() <= kShown ? printable : printable.substr(0, kShown) + "...";
}

}  // namespace

nn::NamedTensors with_prefix(const std::string& prefix, const nn::NamedTensors& tensors) {
  nn::NamedTensors named;
  for (const auto& [name, tensor] : tensors) named.emplace_back(prefix + name, tensor);
  return named;
}

nn::NamedTensors under_prefix(const std::string& prefix, const nn::NamedTensors& tensors) {
  nn::NamedTensors found;
  for (const auto& [name, tensor] : tensors)
    if (name.starts_with(prefix)) found.emplace_back(name.substr(prefix.size()), tensor);
  return found;
}

void append(nn::NamedTensors& all, const nn::NamedTensors& more) {
  all.insert(all.end(), more.begin(), more.end());
}

const Tensor& named(const nn::NamedTensors& tensors, const std::string& name, DType dtype,
                    const Shape& shape) {
  const auto place =
      std::find_if(tensors.begin(), tensors.end(), [&](const auto& entry) { return entry.first == name; });
  if (place == tensors.end()) fail(ErrorKind::data, "checkpoint: no tensor '", name, "'.");
  const Tensor& t = place->second;
  bool fits = t.dtype() == dtype && t.rank() == shape.rank();
  for (int axis = 0; fits && axis < shape.rank(); ++axis)
    fits = shape[axis] < 0 || t.shape()[axis] == shape[axis];
  if (!fits)
    fail(ErrorKind::data, "checkpoint: tensor '", name, "': got ", t.dtype(), " ", t.shape(), ", expected ",
         dtype, " ", shape, ".");
  return t;
}

nn::NamedTensors progress_tensors(const Position& position, const EpochSums& sums, const History& history) {
  return {{"run.position", tensor<int64_t>({position.epoch, position.batch, position.step})},
          {"run.counts", tensor<int64_t>({sums.samples, sums.correct, history.best_epoch})},
          {"run.sums", tensor<double>({sums.loss, sums.seconds})},
          {"run.history", history_tensor(history.epochs)}};
}

void load_progress(const nn::NamedTensors& tensors, Position& position, EpochSums& sums, History& history) {
  const auto where = named(tensors, "run.position", DType::int64, {3}).span<int64_t>();
  const auto counts = named(tensors, "run.counts", DType::int64, {3}).span<int64_t>();
  const auto means = named(tensors, "run.sums", DType::float64, {2}).span<double>();
  position = {.epoch = where[0], .batch = where[1], .step = where[2]};
  sums = {.samples = counts[0], .correct = counts[1], .loss = means[0], .seconds = means[1]};
  history.epochs = history_from(named(tensors, "run.history", DType::float64, {-1, kHistoryColumns}));
  history.best_epoch = counts[2];
}

std::map<std::string, std::string> describe_run(const nn::Module& net, const data::Dataset& train,
                                                const FitOptions& o) {
  std::map<std::string, std::string> texts = {
      {"option.architecture", description_or_empty(net)},
      {"option.tensors", shapes_of(net)},
      {"option.data", train.fingerprint()},
      {"option.validation data", o.validation ? o.validation->fingerprint() : "none"},
      {"option.batch", join(o.batch)},
      {"option.drop_last", o.drop_last ? "yes" : "no"},
      {"option.seed", join(o.seed)},
      {"option.augment", o.augment ? o.augment->describe() : "none"},
      {"option.optimizer", o.optimizer.describe()},
      {"option.schedule", o.schedule ? o.schedule->describe() : "constant"},
      {"option.label_smoothing", shortest(o.label_smoothing)},
      {"option.average", shortest(o.average)},
      {"option.clip_norm", shortest(o.clip_norm)},
      {"option.precision", join(o.precision)},
      {"option.callbacks", names_of(o.callbacks)},
  };
  if (o.precision == Precision::fp16)
    texts["option.loss_scale"] =
        join("start ", shortest(o.loss_scale.start), ", interval ", o.loss_scale.interval);
  // A schedule bends to the length of the run; a constant rate does not, so such a run may be made longer.
  if (o.schedule) texts["option.epochs"] = join(o.epochs);
  return texts;
}

void require_same_run(const std::map<std::string, std::string>& saved,
                      const std::map<std::string, std::string>& now) {
  constexpr std::string_view kPrefix = "option.";
  const auto value = [](const auto& texts, const std::string& key) {
    const auto place = texts.find(key);
    if (place != texts.end()) return place->second;
    // Checkpoints from before there was a choice do not name it.
    return std::string(key == "option.precision" ? name_of(Precision::float32) : "nothing");
  };
  std::map<std::string, std::string> all = now;
  all.insert(saved.begin(), saved.end());
  std::string differences;
  for (const auto& [key, unused] : all)
    if (key.starts_with(kPrefix) && value(saved, key) != value(now, key))
      differences +=
          join(differences.empty() ? "" : "; ", key.substr(kPrefix.size()), ": the checkpoint has ",
               shortened(value(saved, key)), ", this run ", shortened(value(now, key)));
  if (!differences.empty())
    fail(ErrorKind::data, "fit: cannot resume, the checkpoint is of another run: ", differences,
         ". Resume with the same settings, or start anew with another prefix.");
}

std::string digest(const RunState& state) {
  Sha256 hash;
  // Each text goes with its length, so that no two states run together.
  const auto add = [&](std::string_view text) {
    const uint64_t length = text.size();
    hash.update(&length, sizeof length).update(text.data(), text.size());
  };
  for (const auto& [key, value] : state.texts) {
    add(key);
    add(value);
  }
  for (const auto& [name, tensor] : state.tensors) {
    const Tensor flat = tensor.detach().to(Device::cpu()).contiguous();
    add(name);
    add(join(flat.dtype(), flat.shape()));
    hash.update(flat.view().data, size_t(flat.bytes()));
  }
  return hash.hex();
}

}  // namespace uncial::train
