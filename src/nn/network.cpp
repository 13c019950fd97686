#include "uncial/nn/network.h"

#include "description.h"
#include "uncial/nn/activations.h"
#include "uncial/nn/containers.h"
#include "uncial/nn/layers.h"
#include "uncial/nn/norm.h"
#include "uncial/nn/pooling.h"
#include "walk.h"

namespace uncial::nn {
namespace {

using ModulePtr = std::shared_ptr<Module>;

constexpr int kMaxDepth = 64;
constexpr int64_t kMaxChannels = 1 << 20;  // also features of dense layers
constexpr int64_t kMaxWindow = 1 << 10;    // kernel, stride, padding, dilation

ModulePtr build_module(const Json& json, const std::string& place, int depth, Budget& budget);

int64_t channels(Description& d, const char* key) { return d.integer(key, 1, kMaxChannels); }
int64_t window(Description& d, const char* key, int64_t low, int64_t fallback) {
  return d.integer(key, low, kMaxWindow, fallback);
}
/// A number that divides both `in` and `out`.
int64_t divisor(Description& d, const char* key, int64_t fallback, int64_t in, int64_t out) {
  const int64_t value = d.integer(key, 1, kMaxChannels, fallback);
  if (in % value != 0 || out % value != 0) d.wrong(key, "a divisor of in = ", in, " and out = ", out);
  return value;
}

ModulePtr make_dense(Description& d) {
  const DenseOptions o{.bias = d.flag("bias", DenseOptions().bias)};
  const int64_t in = channels(d, "in"), out = channels(d, "out");
  d.spend(in * out + (o.bias ? out : 0));
  return std::make_shared<Dense>(in, out, o);
}

/// Kernel, stride, padding, dilation, groups and bias, which both convolutions have.
template <class Options>
void read_convolution(Description& d, Options& o, int64_t in, int64_t out) {
  o.kernel = window(d, "kernel", 1, o.kernel);
  o.stride = window(d, "stride", 1, o.stride);
  o.padding = window(d, "padding", 0, o.padding);
  o.dilation = window(d, "dilation", 1, o.dilation);
  o.groups = divisor(d, "groups", o.groups, in, out);
  o.bias = d.flag("bias", o.bias);
  d.spend(in * (out / o.groups));  // first without the window: the full product could overflow
  d.spend((o.kernel * o.kernel - 1) * in * (out / o.groups) + (o.bias ? out : 0));
}

ModulePtr make_conv2d(Description& d) {
  const int64_t in = channels(d, "in"), out = channels(d, "out");
  Conv2dOptions o;
  read_convolution(d, o, in, out);
  return std::make_shared<Conv2d>(in, out, o);
}

ModulePtr make_conv_transpose2d(Description& d) {
  const int64_t in = channels(d, "in"), out = channels(d, "out");
  ConvTranspose2dOptions o;
  read_convolution(d, o, in, out);
  o.output_padding = d.integer("output_padding", 0, o.stride - 1, o.output_padding);
  return std::make_shared<ConvTranspose2d>(in, out, o);
}

template <class Pool>
ModulePtr make_pool(Description& d) {
  PoolOptions o;
  o.kernel = window(d, "kernel", 1, o.kernel);
  o.stride = window(d, "stride", 0, o.stride);
  o.padding = d.integer("padding", 0, o.kernel / 2, o.padding);
  return std::make_shared<Pool>(o);
}

template <class Norm>
ModulePtr make_batch_norm(Description& d) {
  BatchNormOptions o;
  const int64_t features = channels(d, "features");
  o.epsilon = d.number("epsilon", 1e-30, 1e3, o.epsilon);
  o.momentum = d.number("momentum", 0, 1, o.momentum);
  o.affine = d.flag("affine", o.affine);
  d.spend(4 * features);  // running statistics take memory too
  return std::make_shared<Norm>(features, o);
}

ModulePtr make_layer_norm(Description& d) {
  LayerNormOptions o;
  const int64_t features = channels(d, "features");
  o.epsilon = d.number("epsilon", 1e-30, 1e3, o.epsilon);
  o.affine = d.flag("affine", o.affine);
  d.spend(2 * features);
  return std::make_shared<LayerNorm>(features, o);
}

template <class T>
ModulePtr make_plain(Description&) {
  return std::make_shared<T>();
}

ModulePtr make_dropout(Description& d) {
  const double p = d.number("p", 0, 1, 0.5);
  if (p == 1) d.wrong("p", "a number in [0, 1)");
  return std::make_shared<Dropout>(p);
}
ModulePtr make_flatten(Description& d) {
  return std::make_shared<Flatten>(d.integer("first_axis", -kMaxRank, kMaxRank - 1, 1));
}
ModulePtr make_leaky_relu(Description& d) {
  return std::make_shared<LeakyReLU>(d.number("slope", -1e6, 1e6, 0.01));
}
ModulePtr make_elu(Description& d) { return std::make_shared<ELU>(d.number("alpha", -1e6, 1e6, 1)); }
template <class T>
ModulePtr make_softmax(Description& d) {
  return std::make_shared<T>(d.integer("axis", -kMaxRank, kMaxRank - 1, -1));
}

ModulePtr make_sequential(Description& d) {
  std::vector<ModulePtr> modules;
  for (const Json& layer : d.list("layers"))
    modules.push_back(
        build_module(layer, join(d.at("layers"), '[', modules.size(), ']'), d.depth() + 1, d.budget()));
  return std::make_shared<Sequential>(std::move(modules));
}

ModulePtr make_residual(Description& d) {
  const auto child = [&](const char* key) {
    const Json* json = d.find(key);
    return json ? build_module(*json, d.at(key), d.depth() + 1, d.budget()) : nullptr;
  };
  ModulePtr body = child("body");
  if (!body) d.wrong("body", "an object {...}");
  return std::make_shared<Residual>(std::move(body), child("projection"));
}

struct Kind {
  std::string_view name;
  ModulePtr (*make)(Description&);
};
constexpr Kind kKinds[] = {
    {"avg_pool2d", make_pool<AvgPool2d>},
    {"batch_norm1d", make_batch_norm<BatchNorm1d>},
    {"batch_norm2d", make_batch_norm<BatchNorm2d>},
    {"conv2d", make_conv2d},
    {"conv_transpose2d", make_conv_transpose2d},
    {"dense", make_dense},
    {"dropout", make_dropout},
    {"elu", make_elu},
    {"flatten", make_flatten},
    {"gelu", make_plain<GELU>},
    {"global_avg_pool2d", make_plain<GlobalAvgPool2d>},
    {"layer_norm", make_layer_norm},
    {"leaky_relu", make_leaky_relu},
    {"log_softmax", make_softmax<LogSoftmax>},
    {"max_pool2d", make_pool<MaxPool2d>},
    {"relu", make_plain<ReLU>},
    {"residual", make_residual},
    {"sequential", make_sequential},
    {"sigmoid", make_plain<Sigmoid>},
    {"silu", make_plain<SiLU>},
    {"softmax", make_softmax<Softmax>},
    {"softplus", make_plain<Softplus>},
    {"tanh", make_plain<Tanh>},
};

const Kind* find_kind(std::string_view name) {
  for (const Kind& kind : kKinds)
    if (kind.name == name) return &kind;
  return nullptr;
}

std::string all_kinds() {
  std::string names;
  for (const Kind& kind : kKinds) names += join(names.empty() ? "" : ", ", kind.name);
  return names;
}

ModulePtr build_module(const Json& json, const std::string& place, int depth, Budget& budget) {
  Description d(json, place, depth, budget);
  if (depth > kMaxDepth)
    fail(ErrorKind::data, "network description: ", d.at(""), ": modules are nested more than ", kMaxDepth,
         " deep.");
  const Kind* kind = find_kind(d.text("kind"));
  if (!kind) d.wrong("kind", "one of ", all_kinds());
  ModulePtr module = kind->make(d);
  d.finish();
  return module;
}

Json value_of(const AttributeValue& attribute) {
  return std::visit(
      [](const auto& value) -> Json {
        if constexpr (std::is_same_v<std::decay_t<decltype(value)>, Extents>)
          return std::vector<int64_t>(value.begin(), value.end());
        else
          return value;
      },
      attribute);
}

/// Children come as "layers" in a sequential and under their own names elsewhere.
class Describer : public Fields {
 public:
  explicit Describer(std::string path) : path_(std::move(path)) {}

  Json describe(Module& module) {
    require(find_kind(module.kind()) != nullptr, "describe: module ",
            path_.empty() ? "" : "\"" + path_ + "\" ", "is of kind \"", module.kind(),
            "\", which a description cannot hold; it can hold ", all_kinds(), ".");
    json_["kind"] = module.kind();
    for (const auto& [name, value] : module.attributes()) json_[name] = value_of(value);
    in_list_ = module.kind() == "sequential";
    if (in_list_) json_["layers"] = Json::array();
    module.visit(*this);
    return json_;
  }

  void parameter(std::string_view, Tensor&, const Initializer&) override {}
  void buffer(std::string_view, Tensor&, double) override {}
  void child(std::string_view name, Module& module) override {
    Json description = Describer(path_.empty() ? std::string(name) : join(path_, '.', name)).describe(module);
    if (in_list_)
      json_["layers"].push_back(std::move(description));
    else
      json_[std::string(name)] = std::move(description);
  }

 private:
  std::string path_;
  Json json_;
  bool in_list_ = false;
};

}  // namespace

std::string describe(const Module& module) {
  // visit() hands out references that may be written through; Describer only reads.
  return Describer("").describe(const_cast<Module&>(module)).dump();
}

ModulePtr build(std::string_view json, const BuildOptions& options) {
  const Json parsed = parse_description(json);
  Budget budget{options.max_parameters, options.max_parameters};
  ModulePtr module;
  {
    const DeferInitialization once;
    module = build_module(parsed, "", 1, budget);
  }
  initialize_untouched(*module);
  return module;
}

}  // namespace uncial::nn
