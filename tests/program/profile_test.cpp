#include "uncial/program/profile.h"

#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>

#include "support/catch.h"
#include "uncial/core/parallel.h"
#include "uncial/nn/nn.h"
#include "uncial/ops/ops.h"
#include "uncial/optim/optimizer.h"
#include "uncial/program/compile.h"

using namespace uncial;

namespace {

constexpr int64_t kBatch = 40;  // some groups of lanes, and one that is not full

/// A recorded training step of a small net with a residual block.
class Training {
 public:
  Training()
      : net_(nn::Conv2d(1, 4, {.kernel = 3, .padding = 1}), nn::ReLU(),
             nn::Residual(nn::Sequential(nn::Conv2d(4, 4, {.kernel = 3, .padding = 1}), nn::BatchNorm2d(4))),
             nn::MaxPool2d(2), nn::Flatten(), nn::Dense(64, 5)),
        adam_(net_.parameters(), {.lr = 0.01}),
        step_(compile([this](const Tensors& in) {
          const Tensor loss = cross_entropy(context_.run("", net_, in[0]), in[1]);
          loss.backward();
          adam_.step();
          context_.apply_updates();
          adam_.zero_grad();
          return Tensors{loss.detach()};
        })) {}

  double step() { return step_({images_, labels_})[0].item(); }
  const program::Program& program() const { return *step_.program(); }

 private:
  nn::Sequential net_;
  optim::Adam adam_;
  nn::Context context_{nn::Mode::train};
  Tensor images_ = randn({kBatch, 1, 8, 8}, 1), labels_ = zeros({kBatch}, DType::int64);
  Compiled step_;
};

double sum(const std::vector<ProfileRow>& rows, double ProfileRow::*what) {
  return std::accumulate(rows.begin(), rows.end(), 0.0,
                         [&](double s, const ProfileRow& row) { return s + row.*what; });
}

/// The passes in which a layer appears.
std::map<std::string, std::set<Pass>> passes(const std::vector<ProfileRow>& rows) {
  std::map<std::string, std::set<Pass>> found;
  for (const ProfileRow& row : rows)
    for (const char* layer : {"0 conv2d", "2.body.0 conv2d", "2.body.1 batch_norm2d", "5 dense", "optimizer"})
      if (row.layers.find(layer) != std::string::npos) found[layer].insert(row.pass);
  return found;
}

}  // namespace

TEST_CASE("a profile tells layers and passes apart and accounts for all time and work") {
  Training training;
  Profile profile({.trace_replays = 2});
  constexpr int kReplays = 5;
  {
    const ProfileScope scope(profile);
    for (int i = 0; i < kReplays; ++i) training.step();
  }
  training.step();  // nobody looks

  const std::vector<ProfileRow> rows = profile.rows();
  CHECK(profile.replays() == kReplays);
  auto found = passes(rows);
  for (const char* layer : {"0 conv2d", "2.body.0 conv2d", "2.body.1 batch_norm2d", "5 dense"}) {
    INFO(layer);
    CHECK(found[layer].count(Pass::forward));
    CHECK(found[layer].count(Pass::backward));
  }
  CHECK(found["optimizer"] == std::set<Pass>{Pass::update});
  // Stages follow one another, so their times sum to the whole but for the profile's own work between them.
  CHECK(sum(rows, &ProfileRow::seconds) > 0);
  CHECK(sum(rows, &ProfileRow::seconds) <= profile.seconds());
  // The gradients of activations and pools that were fused into a convolution's are not counted apart.
  const double flops = sum(rows, &ProfileRow::flops), all = kReplays * training.program().cost().flops;
  CHECK(flops <= all);
  CHECK(flops > 0.9 * all);
}

TEST_CASE("a profile changes no result") {
  Training plain, profiled;
  Profile profile;
  for (int i = 0; i < 3; ++i) {
    const double expected = plain.step();
    const ProfileScope scope(profile);
    CHECK(profiled.step() == expected);
  }
}

TEST_CASE("a profile is written as a table and as a trace") {
  Training training;
  Profile profile({.trace_replays = 2});
  {
    const ProfileScope scope(profile);
    for (int i = 0; i < 3; ++i) training.step();
  }
  const std::string table = profile.table(1e9);
  for (const char* part : {"0 conv2d", "backward", "update", "% peak", "3 replays"}) {
    INFO(table);
    CHECK(table.find(part) != std::string::npos);
  }
  CHECK(profile.table().find("% peak") == std::string::npos);

  const auto trace = nlohmann::json::parse(profile.trace_json());
  CHECK(trace.at("traceEvents").size() >= 2 * training.program().stages().size());
  for (const auto& event : trace.at("traceEvents")) {
    CHECK(event.at("ph") == "X");
    CHECK(event.at("dur").get<double>() >= 0);
    CHECK_FALSE(event.at("name").get<std::string>().empty());
  }
}

TEST_CASE("a profile of nothing is empty, and scopes nest") {
  Profile outer, inner;
  CHECK(outer.table().find("0 replays") != std::string::npos);
  CHECK(nlohmann::json::parse(outer.trace_json()).at("traceEvents").empty());
  Training training;
  const ProfileScope first(outer);
  {
    const ProfileScope second(inner);
    training.step();
  }
  training.step();
  CHECK(outer.replays() == 1);
  CHECK(inner.replays() == 1);
  CHECK(measure_peak_flops(0.001) > 1e8);
}
