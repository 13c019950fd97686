#include "uncial/nn/network.h"

#include "support/check_op.h"
#include "uncial/nn/nn.h"

using namespace uncial;

namespace {

void check_bad(const std::string& json, std::initializer_list<std::string_view> parts) {
  INFO(json.substr(0, 200));
  for (const std::string_view part : parts)
    test::check_error(
        ErrorKind::data, [&] { nn::build(json); }, "network description", part);
}

nn::Sequential every_kind() {
  return nn::Sequential(
      nn::Conv2d(2, 4, {.kernel = 5, .stride = 2, .padding = 2, .dilation = 1, .groups = 2, .bias = false}),
      nn::BatchNorm2d(4, {.epsilon = 1e-3, .momentum = 0.05}), nn::ReLU(),
      nn::Residual(nn::Sequential(nn::Conv2d(4, 4, {.padding = 1}), nn::GELU()),
                   nn::Conv2d(4, 4, {.kernel = 1, .bias = false})),
      nn::Residual(nn::SiLU()), nn::MaxPool2d({.kernel = 3, .stride = 2, .padding = 1}), nn::AvgPool2d(2),
      nn::ConvTranspose2d(4, 2, {.kernel = 4, .stride = 2, .padding = 1, .output_padding = 1}),
      nn::LeakyReLU(0.125), nn::ELU(0.5), nn::Sigmoid(), nn::Tanh(), nn::Softplus(), nn::GlobalAvgPool2d(),
      nn::Flatten(), nn::Dropout(0.25), nn::Dense(2, 6, {.bias = false}),
      nn::BatchNorm1d(6, {.affine = false}), nn::LayerNorm(6, {.epsilon = 1e-6}), nn::Dense(6, 3),
      nn::Softmax(), nn::LogSoftmax(1));
}

}  // namespace

TEST_CASE("network: every kind of layer survives the way to text and back") {
  nn::Sequential net = every_kind();
  const std::string text = nn::describe(net);
  const auto built = nn::build(text);
  CHECK(nn::describe(*built) == text);
  // Start values are those of a net made by hand, and so is everything it computes.
  const Tensor x = randn({3, 2, 16, 16}, 1);
  CHECK(test::same_bits((*built).eval()(x), net.eval()(x)));
  built->load_state_dict(net.initialize({.seed = 2}).state_dict());
  CHECK(test::same_bits((*built)(x), net(x)));
}

TEST_CASE("network: what a description looks like") {
  CHECK(
      nn::describe(nn::Sequential(nn::Conv2d(1, 16, {.kernel = 5, .bias = false}), nn::ReLU())) ==
      R"({"kind":"sequential","layers":[{"kind":"conv2d","in":1,"out":16,"kernel":5,"stride":1,"padding":0,)"
      R"("dilation":1,"groups":1,"bias":false},{"kind":"relu"}]})");
  CHECK(nn::describe(nn::Residual(nn::Dropout(0.1))) ==
        R"({"kind":"residual","body":{"kind":"dropout","p":0.1}})");
  CHECK(nn::describe(nn::Sequential()) == R"({"kind":"sequential","layers":[]})");
}

TEST_CASE("network: keys left out take the defaults of the layer's options") {
  const auto built = nn::build(R"({"kind": "sequential", "layers": [
    {"kind": "conv2d", "in": 1, "out": 16, "kernel": 5, "bias": false}, {"kind": "max_pool2d"},
    {"kind": "dropout"}, {"kind": "flatten"}, {"kind": "dense", "in": 2304, "out": 10}]})");
  const nn::Sequential expected(nn::Conv2d(1, 16, {.kernel = 5, .bias = false}), nn::MaxPool2d(),
                                nn::Dropout(), nn::Flatten(), nn::Dense(2304, 10));
  CHECK(nn::describe(*built) == nn::describe(expected));
  CHECK(built->training());
}

TEST_CASE("network: a module of the user's own has no description") {
  struct Mine : nn::Module {
    Tensor forward(const Tensor& x, nn::Context&) const override { return x; }
    std::string_view kind() const override { return "mine"; }
    std::shared_ptr<Module> copy() const override { return std::make_shared<Mine>(*this); }
  };
  test::check_error([] { nn::describe(nn::Sequential(nn::ReLU(), Mine())); }, "\"1\" is of kind \"mine\"");
}

TEST_CASE("network: hostile text is refused with the place named") {
  check_bad("", {"@byte", "not JSON"});
  check_bad("{\"kind\": \"relu\"", {"@byte"});
  check_bad("{\"kind\": \"relu\"} x", {"@byte 18"});
  check_bad("[]", {"the outermost value: got a list, expected an object"});
  check_bad("{}", {"kind: got nothing, expected a string"});
  check_bad(R"({"kind": 3})", {"kind: got 3"});
  check_bad(R"({"kind": "conv3d"})", {"kind: got \"conv3d\", expected one of avg_pool2d"});
  check_bad(R"({"kind": "relu", "slope": 1})", {"the key \"slope\""});
  check_bad(R"({"kind": "relu", "kind": "relu"})", {"\"kind\" is given twice"});
  check_bad(R"({"kind": "dense", "in": 3})", {"out: got nothing, expected an integer in [1, 1048576]"});
  check_bad(R"({"kind": "dense", "in": 3, "out": 2.5})", {"out: got 2.5"});
  check_bad(R"({"kind": "dense", "in": 3, "out": 18446744073709551615})", {"out: got 18446744073709551615"});
  check_bad(R"({"kind": "dense", "in": 3, "out": 1e999})", {"number"});
  check_bad(R"({"kind": "dense", "in": 3, "out": 2, "bias": 1})", {"bias: got 1, expected true or false"});
  check_bad(R"({"kind": "dropout", "p": 1})", {"p: got 1, expected a number in [0, 1)"});
  check_bad(R"({"kind": "dropout", "p": "\u001b[31m)" + std::string(99, 'x') + "\"}",
            {"p: got \"\\u001b[31mx"});
  check_bad(R"({"kind": "max_pool2d", "kernel": 2, "padding": 2})",
            {"padding: got 2, expected an integer in [0, 1]"});
  check_bad(R"({"kind": "conv2d", "in": 4, "out": 6, "groups": 4})",
            {"groups: got 4, expected a divisor of in = 4"});
  check_bad(R"({"kind": "conv_transpose2d", "in": 4, "out": 4, "output_padding": 1})",
            {"output_padding: got 1"});
  check_bad(R"({"kind": "sequential", "layers": {}})", {"layers: got an object, expected a list"});
  check_bad(R"({"kind": "sequential", "layers": [{"kind": "relu"}, {"kind": "residual", "body": 7}]})",
            {"layers[1].body: got 7, expected an object"});
  check_bad(R"({"kind": "residual"})", {"body: got nothing"});
  check_bad("\xff\xfe", {"@byte"});
}

TEST_CASE("network: descriptions cannot make the library eat memory or stack") {
  const auto nested = [](int depth) {
    std::string text = R"({"kind":"relu"})";
    for (int i = 1; i < depth; ++i) text = R"({"kind":"sequential","layers":[)" + text + "]}";
    return text;
  };
  CHECK(nn::build(nested(64))->parameters().empty());
  check_bad(nested(65), {"nested more than 64 deep"});
  check_bad(std::string(500'000, '['), {"nested more than"});
  check_bad(std::string((1 << 20) + 1, ' '), {"at most 1048576"});
  check_bad(R"({"kind": "dense", "in": 1048576, "out": 1048576})", {"more than 268435456 parameters"});
  check_bad(R"({"kind": "conv2d", "in": 1048576, "out": 1048576, "kernel": 1024})", {"parameters"});
  check_bad(R"({"kind": "conv2d", "in": 1024, "out": 1024, "kernel": 1024})", {"parameters"});
  // Many small ones add up.
  test::check_error(
      ErrorKind::data,
      [] {
        nn::build(R"({"kind": "sequential", "layers": [{"kind": "dense", "in": 10, "out": 10},
          {"kind": "dense", "in": 10, "out": 10}]})",
                  {.max_parameters = 200});
      },
      "layers[1]", "more than 200 parameters");
}
