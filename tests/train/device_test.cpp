// Training on a GPU: the same numbers as on the host, and state that moves between the two.

#include <numeric>
#include <thread>

#include "support/catch.h"
#include "support/check_op.h"
#include "support/gpus.h"
#include "support/temp_folder.h"
#include "train/experiment.h"
#include "train/feed.h"
#include "uncial/core/cuda.h"
#include "uncial/core/finite.h"
#include "uncial/core/log.h"
#include "uncial/program/profile.h"
#include "uncial/train/evaluate.h"
#include "uncial/train/model_file.h"

using namespace uncial;
using namespace uncial::test;

namespace {

const Device kHost = Device::cpu();

vision::Augment everything() {
  return vision::Compose({vision::RandomAffine({.degrees = 10, .zoom = 0.1, .shift = 0.1}),
                          vision::ElasticDistortion({.alpha = 1, .sigma = 1}), vision::RandomNoise(0.05),
                          vision::RandomErase({}), vision::Normalise({.mean = 0.2, .deviation = 0.4})});
}

/// The batches of epoch `epoch` from the loader that trains on the host.
std::vector<data::Batch> loaded(const data::Dataset& data, int64_t batch, int64_t epoch, int64_t first) {
  data::Loader loader(data, {.batch = batch,
                             .shuffle = true,
                             .seed = 3,
                             .epoch = epoch,
                             .transform =
                                 [](const Tensor& images, const std::vector<int64_t>& indices, uint64_t seed,
                                    int64_t number) {
                                   everything()->apply(images, indices, {.seed = seed, .epoch = number});
                                 },
                             .first_batch = first});
  std::vector<data::Batch> all;
  for (const data::Batch& b : loader) all.push_back(b);
  return all;
}

void check_feed(Device device) {
  const data::Dataset data = blobs(40, 1).subset({30, 2, 7, 11, 25, 0, 39, 5, 6, 17, 18});
  train::Feed feed(data, device, everything());
  const Tensor rate = zeros({}, DType::float64, device);
  for (const int64_t epoch : {int64_t(1), int64_t(2), int64_t(1) << 40})
    for (const int64_t first : {0, 2}) {
      feed.start({.number = epoch,
                  .seed = 3,
                  .order = data::shuffled_order(data.size(), 3, epoch),
                  .rates = {0.5, 0.25, 0.125},
                  .first_sample = 4 * first,
                  .first_step = first,
                  .sums = {.loss = 10, .correct = 3}});
      double loss = 10;
      int64_t correct = 3, step = first;
      for (const data::Batch& expected : loaded(data, 4, epoch, first)) {
        const int64_t n = expected.labels.size();
        const data::Batch got = feed.take(n, rate);
        CHECK(same_bits(got.images.to(kHost), expected.images));
        CHECK(same_bits(got.labels.to(kHost), expected.labels));
        CHECK(same_bits(got.indices.to(kHost), expected.indices));
        CHECK(rate.item() == std::ldexp(0.5, -int(step)));
        // Equal logits: the first is the answer.
        const Tensor logits = zeros({n, 4}, DType::float32, device);
        feed.tally(logits, got.labels, full({}, 0.75, DType::float32, device));
        loss += 0.75 * double(n);
        for (const int64_t label : expected.labels.span<int64_t>()) correct += label == 0;
        CHECK(feed.sums().loss == loss);
        CHECK(feed.sums().correct == correct);
        ++step;
      }
      CHECK(step == 3);
    }
}

/// Trains small_net() and hands back its weights, on the host.
struct Trained {
  nn::NamedTensors weights;
  std::vector<double> figures;
};
Trained trained_on(Device device, const train::FitOptions& options) {
  nn::Sequential net = small_net();
  net.to(device);
  const train::History history = train::fit(net, blobs(90, 1), options);
  CHECK(net.device() == device);
  Trained result{{}, figures_of(history)};
  for (const auto& [name, tensor] : net.state_dict())
    result.weights.emplace_back(name, tensor.detach().to(kHost).clone());
  return result;
}

void check_close(const Trained& a, const Trained& b, double tolerance) {
  REQUIRE(a.weights.size() == b.weights.size());
  for (size_t i = 0; i < a.weights.size(); ++i) {
    INFO(a.weights[i].first);
    test::check_close(a.weights[i].second, b.weights[i].second, tolerance);
  }
  REQUIRE(a.figures.size() == b.figures.size());
  for (size_t i = 0; i < a.figures.size(); ++i) {
    INFO("figure " << i);
    CHECK(a.figures[i] == Approx(b.figures[i]).epsilon(tolerance).margin(tolerance));
  }
}

}  // namespace

TEST_CASE("A feed gives the loader's batches to the bit, and sums losses and hits", "[train]") {
  check_feed(kHost);
  for_each_gpu(check_feed);
}

TEST_CASE("A net trained on a GPU is the one trained on the host, up to rounding", "[train]") {
  for_each_gpu([](Device gpu) {
    train::FitOptions options = Experiment("unused").options();
    options.epochs = 2;
    options.callbacks = {};
    options.schedule = optim::one_cycle();  // without a state, that a second run would go on with
    options.augment = everything();
    const std::vector<optim::Recipe> recipes = {
        optim::SGD({.lr = 0.05, .momentum = 0.9, .nesterov = true, .weight_decay = 1e-3}),
        optim::RMSprop({.lr = 0.003}), optim::Adam({.lr = 0.01}), optim::AdamW({.lr = 0.01})};
    for (const optim::Recipe& recipe : recipes) {
      INFO(recipe.describe());
      options.optimizer = recipe;
      const Trained there = trained_on(gpu, options);
      check_close(there, trained_on(kHost, options), 2e-3);
      const Trained again = trained_on(gpu, options);
      CHECK(digest_of(again.weights) == digest_of(there.weights));
      CHECK(again.figures == there.figures);
    }
  });
}

TEST_CASE("On a GPU recorded steps, eager ones and a transform of the host's agree", "[train]") {
  struct OfTheHost final : vision::Transform {
    void apply(const Tensor& images, const std::vector<int64_t>& indices,
               vision::AugmentKey key) const override {
      everything()->apply(images, indices, key);
    }
    std::string describe() const override { return "of the host"; }
  };
  for_each_gpu([](Device gpu) {
    train::FitOptions options = Experiment("unused").options();
    options.epochs = 2;
    options.callbacks = {};
    options.schedule = optim::one_cycle();  // without a state, that a second run would go on with
    options.augment = everything();
    std::vector<std::string> refusals;
    int graphs = 0;
    set_log_sink([&](LogLevel, std::string_view text) {
      for (const char* fault : {"runs eagerly", "one by one"})
        if (text.find(fault) != std::string_view::npos) refusals.emplace_back(text);
      graphs += text.find("cuda: graph of") != std::string_view::npos;
    });
    const Trained recorded = trained_on(gpu, options);
    set_log_sink({});
    CHECK(refusals.empty());
    CHECK(graphs >= 2);  // of whole batches, and of the last one
    options.augment = std::make_shared<OfTheHost>();
    check_close(recorded, trained_on(gpu, options), 1e-6);
    options.record = false;
    check_close(recorded, trained_on(gpu, options), 1e-6);
  });
}

TEST_CASE("On a GPU the loss is read seldom, and progress is told of every step", "[train]") {
  for_each_gpu([](Device gpu) {
    nn::Sequential net = small_net();
    net.to(gpu);
    std::vector<train::Progress> seen;
    train::fit(net, blobs(70, 1),
               {.epochs = 2,
                .batch = 16,
                .progress = [&](const train::Progress& p) { seen.push_back(p); },
                .drop_last = false});
    REQUIRE(seen.size() == 2 * (5 + 1));
    for (size_t i = 0; i < seen.size(); ++i) {
      INFO(i);
      CHECK(seen[i].batch == int64_t(std::min<size_t>(i % 6, 4)) + 1);
      CHECK(std::isfinite(seen[i].loss) == (i % 6 >= 4));
    }
    CHECK(seen[11].loss < seen[5].loss);
  });
}

TEST_CASE("A run goes on with the same bits after a stop, also on another device", "[train]") {
  for_each_gpu([](Device gpu) {
    const TempFolder whole_folder, folder;
    const auto run = [&](const std::filesystem::path& prefix, Device device, bool resume, int64_t steps) {
      Experiment e(prefix);
      e.net = small_net(resume ? 99 : 1);
      e.net.to(device);
      std::stop_source stop;
      train::FitOptions o = e.options();
      o.resume = resume;
      o.stop = stop.get_token();
      o.progress = [&](const train::Progress& p) {
        if (!p.finished && steps > 0 && --steps == 0) stop.request_stop();
      };
      const train::History history = train::fit(e.net, e.data, o);
      Trained result{{}, figures_of(history)};
      for (const auto& [name, tensor] : e.net.state_dict())
        result.weights.emplace_back(name, tensor.detach().to(kHost).clone());
      return result;
    };
    const Trained whole = run(whole_folder / "run", gpu, false, 0);
    for (const int64_t steps : {int64_t(1), int64_t(3), kBatches, 2 * kBatches + 4}) {
      INFO("stopped after " << steps << " steps");
      run(folder / "run", gpu, false, steps);
      const Trained rest = run(folder / "run", gpu, true, 0);
      CHECK(digest_of(rest.weights) == digest_of(whole.weights));
      CHECK(rest.figures == whole.figures);
      run(folder / "run", kHost, false, steps);
      check_close(run(folder / "run", gpu, true, 0), whole, 0.02);
      run(folder / "run", gpu, false, steps);
      check_close(run(folder / "run", kHost, true, 0), whole, 0.02);
    }
  });
}

TEST_CASE("Many steps at once on a GPU are those one by one, to the bit", "[train]") {
  for_each_gpu([](Device gpu) {
    for (const Precision precision : {Precision::float32, Precision::bf16, Precision::fp16}) {
      INFO(name_of(precision));
      train::FitOptions options = Experiment("unused").options();
      options.epochs = 3;
      options.batch = 2;  // 45 steps an epoch, and no smaller batch
      options.callbacks = {};
      options.schedule = optim::one_cycle();
      options.augment = everything();
      options.precision = precision;
      int64_t many = 0, skipped = 0;
      set_log_sink([&](LogLevel, std::string_view text) {
        many += text.find("nodes, 16 runs") != std::string_view::npos;
        skipped += text.find("steps changed nothing") != std::string_view::npos;
      });
      const Trained at_once = trained_on(gpu, options);
      set_log_sink({});
      CHECK(many >= 1);
      CHECK(skipped == (precision == Precision::fp16 ? 1 : 0));
      const auto same = [&](const Trained& other) {
        CHECK(digest_of(other.weights) == digest_of(at_once.weights));
        CHECK(other.figures == at_once.figures);
      };
      int64_t told = 0;
      options.progress = [&](const train::Progress&) { ++told; };
      same(trained_on(gpu, options));
      CHECK(told == 3 * (45 + 1));
      Profile profile;  // under which nothing is captured
      const ProfileScope scope(profile);
      same(trained_on(gpu, options));
      CHECK(profile.replays() >= 3 * 45);
    }
  });
}

TEST_CASE("A stop on a GPU comes within an epoch, and the run goes on with the same bits", "[train]") {
  for_each_gpu([](Device gpu) {
    const TempFolder whole_folder, folder;
    int64_t batch = 0;  // the last that was told of
    const auto run = [&](const std::filesystem::path& prefix, bool resume, int64_t steps) {
      Experiment e(prefix);
      e.net = small_net(resume ? 99 : 1);
      e.net.to(gpu);
      std::stop_source stop;
      train::FitOptions o = e.options();
      o.epochs = 2;
      o.batch = 1;  // 90 steps an epoch
      o.resume = resume;
      o.stop = stop.get_token();
      o.progress = [&](const train::Progress& p) {
        batch = p.batch;
        if (!p.finished && steps > 0 && --steps == 0) stop.request_stop();
      };
      train::fit(e.net, e.data, o);
      return digest_of(e.net.to(kHost));
    };
    const std::string whole = run(whole_folder / "run", false, 0);
    for (const int64_t steps : {1, 40}) {
      run(folder / "run", false, steps);
      CHECK(batch == (steps == 1 ? 32 : 64));
      CHECK(run(folder / "run", true, 0) == whole);
    }
  });
}

TEST_CASE("Evaluation, prediction and model files are of any device", "[train]") {
  for_each_gpu([](Device gpu) {
    const TempFolder folder;
    const data::Dataset data = blobs(70, 4);
    nn::Sequential net = small_net(2), there = small_net(2);
    there.to(gpu);
    const train::Report a = train::evaluate(net, data, {.batch = 32}),
                        b = train::evaluate(there, data, {.batch = 32});
    CHECK(b.loss == Approx(a.loss).epsilon(1e-5));
    CHECK(b.accuracy == a.accuracy);
    test::check_close(b.probabilities, a.probabilities, 1e-5);
    const Tensor images = data.range(0, 7).first;
    test::check_close(train::predict(there, images), train::predict(net, images), 1e-5);
    test::check_close(train::predict(there, images.to(gpu)), train::predict(net, images), 1e-5);
    CHECK(train::accuracy(there, data) == train::accuracy(net, data));
    train::save_model(folder / "here.safetensors", net, net.state_dict());
    train::save_model(folder / "there.safetensors", there, there.state_dict());
    CHECK(digest_of(folder / "here.safetensors") == digest_of(folder / "there.safetensors"));
    there.load_state_dict(train::load_model(folder / "here.safetensors").net->state_dict());
    CHECK(there.device() == gpu);
  });
}

TEST_CASE("A run that diverges on a GPU is found out at the end of the epoch", "[train]") {
  for_each_gpu([](Device gpu) {
    nn::Sequential net = small_net();
    net.to(gpu);
    const auto fit = [&] {
      train::fit(net, blobs(90, 1), {.epochs = 3, .batch = 16, .optimizer = optim::SGD({.lr = 1e30})});
    };
    check_error(ErrorKind::diverged, fit, "first bad tensor");
    for (const auto& [name, tensor] : net.state_dict()) CHECK(all_finite(tensor));
  });
}
