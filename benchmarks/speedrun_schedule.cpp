#include "speedrun_schedule.h"

#include <algorithm>
#include <set>

#include "cli/training.h"
#include "uncial/io/atomic_file.h"

namespace uncial::bench {
namespace {

using Json = nlohmann::ordered_json;

constexpr int64_t kLargestFile = int64_t(1) << 24;

/// An object of the file, whose keys are asked for one by one.
class Keys {
 public:
  Keys(const Json& object, std::string place) : object_(object), place_(std::move(place)) {
    if (!object.is_object()) wrong("", "an object {...}");
  }
  const Json* find(const char* key) {
    asked_.insert(key);
    const auto found = object_.find(key);
    return found == object_.end() ? nullptr : &*found;
  }
  double number(const char* key, double low, double high, std::optional<double> fallback = {}) {
    const Json* value = find(key);
    if (!value && fallback) return *fallback;
    if (!value || !value->is_number() || !(value->get<double>() >= low && value->get<double>() <= high))
      wrong(key, join("a number in [", low, ", ", high, "]"));
    return value->get<double>();
  }
  int64_t integer(const char* key, int64_t low, int64_t high, std::optional<int64_t> fallback = {}) {
    const double value = number(key, double(low), double(high),
                                fallback ? std::optional<double>(double(*fallback)) : std::nullopt);
    if (double(int64_t(value)) != value) wrong(key, "an integer");
    return int64_t(value);
  }
  /// A list of at least one number.
  std::vector<double> numbers(const char* key, double low, double high, const std::vector<double>& fallback) {
    const Json* value = find(key);
    if (!value) return fallback;
    std::vector<double> list;
    const auto fits = [&](const Json& x) {
      return x.is_number() && x.get<double>() >= low && x.get<double>() <= high;
    };
    if (!value->is_array() || value->empty() || !std::all_of(value->begin(), value->end(), fits))
      wrong(key, join("a list of numbers in [", low, ", ", high, "]"));
    for (const Json& x : *value) list.push_back(x.get<double>());
    return list;
  }
  std::string text(const char* key, const std::set<std::string>& choices = {}) {
    const Json* value = find(key);
    const bool fits =
        value && value->is_string() && (choices.empty() || choices.count(value->get<std::string>()) > 0);
    if (!fits) {
      std::string list;
      for (const std::string& choice : choices) list += (list.empty() ? "one of " : ", ") + choice;
      wrong(key, list.empty() ? "a text" : list);
    }
    return value->get<std::string>();
  }
  /// An object; an empty one if it is missing.
  Keys object(const char* key) {
    static const Json nothing = Json::object();
    const Json* value = find(key);
    return Keys(value ? *value : nothing, at(key));
  }
  void finish() const {
    for (const auto& [key, value] : object_.items())
      if (asked_.count(key) == 0) fail(ErrorKind::data, at(key), ": got a key that schedules do not have.");
  }
  const Json& json() const { return object_; }

 private:
  std::string at(const std::string& key) const { return key.empty() ? place_ : place_ + "." + key; }
  [[noreturn]] void wrong(const std::string& key, const std::string& expected) const {
    const auto found = object_.is_object() ? object_.find(key) : object_.end();
    const std::string got = !object_.is_object() || found == object_.end() ? "nothing" : found->dump();
    fail(ErrorKind::data, at(key), ": got ", io::printable(got.substr(0, 60)), ", expected ", expected, ".");
  }

  const Json& object_;
  std::string place_;
  std::set<std::string> asked_;
};

optim::Recipe read_optimizer(Keys keys) {
  const std::string kind = keys.text("kind", {"adam", "adamw", "sgd"});
  const double lr = keys.number("lr", 0, 1e3), decay = keys.number("weight_decay", 0, 10, 0);
  if (kind == "sgd") {
    const double momentum = keys.number("momentum", 0, 1, 0.9);
    keys.finish();
    return optim::SGD({.lr = lr, .momentum = momentum, .nesterov = momentum > 0, .weight_decay = decay});
  }
  const double beta1 = keys.number("beta1", 0, 1, 0.9), beta2 = keys.number("beta2", 0, 1, 0.999),
               epsilon = keys.number("epsilon", 0, 1, 1e-8);
  keys.finish();
  if (kind == "adamw")
    return optim::AdamW(
        {.lr = lr, .beta1 = beta1, .beta2 = beta2, .epsilon = epsilon, .weight_decay = decay});
  return optim::Adam({.lr = lr, .beta1 = beta1, .beta2 = beta2, .epsilon = epsilon, .weight_decay = decay});
}

optim::OneCycleOptions read_cycle(Keys keys) {
  const optim::OneCycleOptions usual;
  const optim::OneCycleOptions cycle{.warm_up = keys.number("warm_up", 0, 1, usual.warm_up),
                                     .first = keys.number("first", 0, 1, usual.first),
                                     .last = keys.number("last", 0, 1, usual.last)};
  keys.finish();
  return cycle;
}

cli::AugmentStrengths read_augment(Keys keys) {
  cli::AugmentStrengths strengths;
  for (const auto& [key, value] : keys.json().items()) strengths.set(key + "=" + value.dump());
  return strengths;
}

SpeedrunSchedule read_schedule(const Json& json, const std::string& place) {
  Keys keys(json, place);
  SpeedrunSchedule s;
  s.name = keys.text("name");
  s.network = keys.object("network").json().dump();
  s.goal = keys.number("goal", 0, 100);
  s.seeds = keys.integer("seeds", 1, 1000);
  s.samples = keys.integer("samples", 0, 60'000, 0);
  s.start_scales = keys.numbers("start_scales", 0, 100, {1});
  s.epochs = keys.integer("epochs", 1, 100'000);
  s.batch = keys.integer("batch", 1, 65'536);
  s.optimizer = read_optimizer(keys.object("optimizer"));
  s.cycle = read_cycle(keys.object("one_cycle"));
  s.label_smoothing = keys.number("label_smoothing", 0, 0.9, 0);
  s.average = keys.number("average", 0, 0.999999, 0);
  s.augment = read_augment(keys.object("augment"));
  s.precision = precision_of(keys.text("precision", {"float32", "bf16"}));
  s.json = json;
  keys.finish();
  return s;
}

}  // namespace

std::shared_ptr<nn::Module> SpeedrunSchedule::build(uint64_t seed) const {
  auto net = cli::build_network({name, network}, seed);
  size_t layer = 0;
  for (const Tensor& parameter : net->parameters()) {
    if (parameter.shape().rank() < 2) continue;
    const auto scale = float(start_scales[std::min(layer++, start_scales.size() - 1)]);
    const Tensor values = parameter.detach();
    for (float& weight : values.span<float>()) weight *= scale;
  }
  return net;
}

train::FitOptions SpeedrunSchedule::fit_options(uint64_t seed) const {
  return {.epochs = epochs,
          .batch = batch,
          .augment = augment.make(),
          .optimizer = optimizer,
          .schedule = optim::one_cycle(cycle),
          .label_smoothing = label_smoothing,
          .average = average,
          .seed = seed,
          .precision = precision};
}

std::vector<SpeedrunSchedule> read_speedrun_schedules(const std::string& path) {
  const std::string text = io::read_file(path, kLargestFile);
  Json json;
  try {
    json = Json::parse(text);
  } catch (const Json::exception&) {
    fail(ErrorKind::data, io::printable(path),
         ": got text that is not JSON, expected a schedule or a list of them.");
  }
  std::vector<SpeedrunSchedule> schedules;
  if (!json.is_array()) return {read_schedule(json, path)};
  for (const Json& one : json)
    schedules.push_back(read_schedule(one, join(path, '[', schedules.size(), ']')));
  return schedules;
}

}  // namespace uncial::bench
