// Work that is captured once and launched as a whole: the same results, wherever the inputs lie, and a way on
// when something cannot be captured.

#include <algorithm>

#include "core/captured.h"
#include "support/check_op.h"
#include "support/gpus.h"
#include "uncial/autograd/grad_mode.h"
#include "uncial/core/cuda.h"
#include "uncial/core/log.h"
#include "uncial/nn/nn.h"
#include "uncial/ops/ops.h"
#include "uncial/program/compile.h"
#include "uncial/program/profile.h"

using namespace uncial;
using namespace uncial::test;

namespace {

const Device kHost = Device::cpu();

/// What the library logs while it lives.
struct Log {
  std::vector<std::string> lines;
  Log() {
    set_log_sink([this](LogLevel, std::string_view text) { lines.emplace_back(text); });
  }
  ~Log() { set_log_sink({}); }
  int64_t with(std::string_view part) const {
    return std::count_if(lines.begin(), lines.end(),
                         [&](const std::string& line) { return line.find(part) != std::string::npos; });
  }
};

}  // namespace

TEST_CASE("captured work runs at each call, and reads its operands anew", "[cuda]") {
  for_each_gpu([](Device gpu) {
    const Log log;
    const Tensor x = full({5}, 1, DType::float32, gpu), y = zeros({5}, DType::float32, gpu),
                 z = zeros({5}, DType::float32, gpu);
    int calls = 0;
    cuda::Captured captured(gpu, [&] {
      ++calls;
      z.copy_(y);
      y.copy_(x);
    });
    for (int run = 1; run <= 5; ++run) {
      captured.run();
      CHECK(captured.nodes() == (run == 1 ? 0 : 2));
      check_close(y.to(kHost), full({5}, run), 0);
      check_close(z.to(kHost), full({5}, run - 1), 0);
      x.fill_(run + 1);
    }
    CHECK(calls == 2);
    CHECK(log.with("cuda: graph of 2 nodes") == 1);
  });
}

TEST_CASE("many runs at once are few launches, and each of them runs", "[cuda]") {
  for_each_gpu([](Device gpu) {
    const int64_t many = cuda::Captured::kMany;
    const Log log;
    std::vector<Tensor> ring;  // whose numbers go on by one place a run
    for (int i = 0; i < 7; ++i) ring.push_back(full({3}, i, DType::float32, gpu));
    const Tensor kept = zeros({3}, DType::float32, gpu);
    int64_t calls = 0, done = 0;
    cuda::Captured captured(gpu, [&] {
      ++calls;
      kept.copy_(ring[0]);
      for (size_t i = 1; i < ring.size(); ++i) ring[i - 1].copy_(ring[i]);
      ring.back().copy_(kept);
    });
    // Fewer than a graph of many holds; that graph and what is left; twice that graph; one again.
    for (const int64_t times : {int64_t(3), many + 2, 2 * many, int64_t(1)}) {
      captured.run(times);
      done += times;
      check_close(ring[0].to(kHost), full({3}, double(done % 7)), 0);
      CHECK(calls == (done == 3 ? 2 : 2 + many));
    }
    CHECK(log.with(join("nodes, ", many, " runs")) == 1);
    CHECK(log.with("one by one") == 0);
  });
}

TEST_CASE("work that cannot be captured is called each time, and the log says why", "[cuda]") {
  for_each_gpu([](Device gpu) {
    const Log log;
    const Tensor x = full({2}, 1, DType::float32, gpu);
    double seen = 0;
    cuda::Captured captured(gpu, [&] {
      x.fill_(seen + 1);
      seen = x.at({1});
    });
    for (int run = 1; run <= 4; ++run) {
      captured.run();
      CHECK(seen == run);
      CHECK(captured.nodes() == 0);
    }
    captured.run(2);
    CHECK(seen == 6);
    CHECK(log.with("kernels are launched one by one, because") == 1);
    CHECK(log.with("copying from or to the host cannot be part of a graph") == 1);
    const Tensor other = zeros({2}, DType::float32, gpu);  // capturing has ended
    CHECK(other.at({0}) == 0);
  });
}

TEST_CASE("a fault of the work itself passes through", "[cuda]") {
  for_each_gpu([](Device gpu) {
    int calls = 0;
    cuda::Captured captured(gpu, [&] {
      if (++calls > 1) throw std::runtime_error("mine");
    });
    captured.run();
    CHECK_THROWS_AS(captured.run(), std::runtime_error);
    CHECK_THROWS_AS(captured.run(), std::runtime_error);
    CHECK(zeros({2}, DType::float32, gpu).at({0}) == 0);
  });
}

TEST_CASE("a recorded step is one launch, wherever its inputs lie", "[cuda]") {
  for_each_gpu([](Device gpu) {
    const Log log;
    const Tensor state = zeros({3}, DType::float32, gpu);
    // Sums of long rows need memory for the time of a call.
    Compiled step = compile([&](const Tensors& in) {
      const NoGrad no_grad;
      state.copy_(state + sum(in[0], 1) * 2.0);
      return Tensors{state + sum(in[1])};
    });
    Tensor expected = zeros({3});
    std::vector<Tensor> kept;  // so that memory comes from elsewhere each time
    for (int run = 0; run < 8; ++run) {
      const Tensor a = randn({3, 20'000}, uint64_t(run)), b = randn({4}, uint64_t(run) + 100);
      const bool again = run % 4 == 3;  // now and then from where the last ones lay
      if (again) {
        kept[kept.size() - 2].copy_(a.to(gpu));
        kept[kept.size() - 1].copy_(b.to(gpu));
      } else {
        kept.push_back(a.to(gpu));
        kept.push_back(b.to(gpu));
      }
      expected = expected + sum(a, 1) * 2.0;
      const Tensor result = step({kept[kept.size() - 2], kept[kept.size() - 1]})[0];
      INFO("run " << run);
      check_close(result.to(kHost), expected + sum(b), 1e-4);
    }
    CHECK(log.with("cuda: graph of") == 2);
    CHECK(log.with("one by one") == 0);
  });
}

TEST_CASE("a step repeated on a GPU is one asked for again and again, to the bit", "[cuda]") {
  for_each_gpu([](Device gpu) {
    for (const bool fuse : {true, false}) {
      const auto runs = [&](int64_t steps, int64_t at_once) {
        const Tensor state = randn({4, 50}, 1).to(gpu), w = randn({50, 50}, 2).to(gpu);
        Compiled step = compile(
            [&](const Tensors& in) {
              const NoGrad no_grad;
              state.copy_(tanh(matmul(state, w) + in[0]));
              return Tensors{sum(state, 1)};
            },
            {.fuse = fuse});
        const Tensor x = randn({50}, 3).to(gpu);
        for (; steps > at_once; steps -= at_once) step.repeat({x}, at_once);
        const Tensor last = step.repeat({x}, steps)[0].clone();
        CHECK(step.reason() == "");
        check_close(last.to(kHost), sum(state, 1).to(kHost), 1e-5);
        return state;
      };
      const Tensor expected = runs(75, 1).to(kHost);
      for (const int64_t at_once : {7, 20, 75}) CHECK(same_bits(runs(75, at_once).to(kHost), expected));
    }
  });
}

TEST_CASE("a profile sees the stages of a captured step", "[cuda]") {
  for_each_gpu([](Device gpu) {
    const Tensor x = randn({4, 4}, 1).to(gpu);
    Compiled step = compile([&](const Tensors& in) { return Tensors{relu(in[0]) * 2.0}; });
    for (int run = 0; run < 3; ++run) step({x});
    Profile profile;
    {
      const ProfileScope scope(profile);
      check_close(step({x})[0].to(kHost), (relu(x) * 2.0).to(kHost), 0);
    }
    CHECK(profile.replays() == 1);
    {
      const ProfileScope scope(profile);
      step.repeat({x}, 20);
    }
    CHECK(profile.replays() == 21);
    CHECK(profile.rows().size() >= 1);
    check_close(step({x})[0].to(kHost), (relu(x) * 2.0).to(kHost), 0);
  });
}

TEST_CASE("wrong data in a captured step are an Error when the host next waits", "[cuda]") {
  for_each_gpu([](Device gpu) {
    const Tensor logits = randn({3, 5}, 1).to(gpu), labels = tensor<int64_t>({0, 1, 4}).to(gpu);
    Compiled step = compile([](const Tensors& in) { return Tensors{cross_entropy(in[0], in[1])}; });
    double loss = 0;
    for (int run = 0; run < 3; ++run) loss = step({logits, labels})[0].item();
    labels.copy_(tensor<int64_t>({0, 7, 4}).to(gpu));
    const Tensor bad = step({logits, labels})[0];
    check_error([&] { bad.item(); }, "label 7 at index 1 is outside [0, 5)");
    labels.copy_(tensor<int64_t>({0, 1, 4}).to(gpu));
    CHECK(step({logits, labels})[0].item() == loss);
  });
}

TEST_CASE("a step on two devices runs eagerly, to its end", "[cuda]") {
  for_each_gpu([](Device gpu) {
    Compiled step = compile([&](const Tensors& in) { return Tensors{(in[0] * 2.0).to(gpu) + 1.0}; });
    for (int run = 0; run < 3; ++run)
      check_close(step({full({3}, run)})[0].to(kHost), full({3}, 2 * run + 1), 0);
    CHECK(step.reason().find("works on two devices") != std::string::npos);
  });
}

TEST_CASE("dropout and weights that are rounded once stay right in a graph", "[cuda]") {
  for_each_gpu([](Device gpu) {
    nn::Sequential net(nn::Flatten(), nn::Dense(6, 5), nn::Dropout(0.5), nn::Dense(5, 3)), here = net;
    net.initialize({.seed = 1});
    here = nn::Sequential(nn::Flatten(), nn::Dense(6, 5), nn::Dropout(0.5), nn::Dense(5, 3));
    here.initialize({.seed = 1});
    net.to(gpu);
    const Tensor x = randn({4, 6}, 2);
    for (const nn::Mode mode : {nn::Mode::train, nn::Mode::eval}) {
      nn::Context there(mode), host(mode);
      for (nn::Context* context : {&there, &host}) {
        context->set_seed(3);
        context->set_precision(Precision::bf16);
      }
      const NoGrad no_grad;
      Compiled step = compile([&](const Tensors& in) { return Tensors{net.forward(in[0], there)}; });
      for (int64_t epoch = 1; epoch <= 6; ++epoch) {
        there.set_epoch(epoch);
        host.set_epoch(epoch);
        if (epoch == 4)  // weights change between two replays
          for (const nn::Module* module : {static_cast<nn::Module*>(&net), static_cast<nn::Module*>(&here)})
            for (const Tensor& p : module->parameters()) p.copy_(p * 2.0);
        INFO("epoch " << epoch);
        check_close(step({x.to(gpu)})[0].to(kHost), here.forward(x, host), 2e-2);
        CHECK(step.reason() == "");
      }
    }
  });
}
