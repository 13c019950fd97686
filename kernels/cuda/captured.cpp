// Temporary memory and captured work, for the GPU and for the emulator.

#include "core/captured.h"

#include <utility>

#include "core/device_memory.h"
#include "graph.h"
#include "runtime.h"
#include "scratch.h"
#include "uncial/core/error.h"
#include "uncial/core/log.h"

namespace uncial::cuda {
namespace {

thread_local Scratches* scratches = nullptr;
thread_local int branch = 0;

Scratch* current_scratch() { return scratches ? &(*scratches)[size_t(branch)] : nullptr; }

int64_t rounded(int64_t bytes) { return (bytes + 255) / 256 * 256; }

}  // namespace

ScratchScope::ScratchScope(Scratches& now)
    : previous_(std::exchange(scratches, &now)), branch_(std::exchange(branch, 0)) {}
ScratchScope::~ScratchScope() { scratches = previous_, branch = branch_; }

void use_branch(int number) {
  branch = number;
  capture_branch(number);
}

Temporary::Temporary(int64_t bytes) : bytes_(bytes) {
  if (bytes <= 0) return;
  Scratch* const scratch = current_scratch();
  if (scratch) {
    scratch->used += rounded(bytes);
    scratch->most = scratch->used > scratch->most ? scratch->used : scratch->most;
    from_scratch_ = true;
    if (scratch->used <= scratch->size) {
      data_ = scratch->base + scratch->used - rounded(bytes);
      return;
    }
  }
  device_ = current_device();
  try {
    data_ = allocate(bytes, device_);
  } catch (...) {
    if (from_scratch_) scratch->used -= rounded(bytes);
    throw;
  }
}

Temporary::~Temporary() {
  if (from_scratch_) current_scratch()->used -= rounded(bytes_);
  if (device_ >= 0) release(data_, bytes_, device_);
}

struct Captured::State {
  Device device;
  std::function<void()> work;
  enum { fresh, warm, ready, refused } phase = fresh;
  Scratches scratch;
  Graph one, many;
  bool has_many = false, tried_many = false;

  State(Device d, std::function<void()> w) : device(d), work(std::move(w)) {}
  ~State() {
    for (const Scratch& s : scratch)
      if (s.base) release(s.base, s.size, device.index);
  }

  void call() {
    const ScratchScope scope(scratch);
    work();
  }

  /// Writes down `runs` calls of the work; false, and a line in the log, when that is refused.
  bool capture(Graph& graph, int64_t runs, const char* instead) {
    graph.begin();
    try {
      for (int64_t i = 0; i < runs; ++i) call();
      graph.end();
    } catch (const Error& e) {
      graph.abandon();
      log(LogLevel::info, join("cuda: ", instead, ", because ", e.what()));
      return false;
    } catch (...) {
      graph.abandon();
      throw;
    }
    log(LogLevel::trace, join("cuda: graph of ", graph.nodes(), " nodes",
                              runs > 1 ? join(", ", runs, " runs") : std::string()));
    return true;
  }

  void capture_one() {
    for (Scratch& s : scratch) {
      if (s.most == 0) continue;
      s.base = static_cast<char*>(allocate(s.most, device.index));
      s.size = s.most;
    }
    phase = capture(one, 1, "kernels are launched one by one") ? ready : refused;
  }

  void launch(int64_t runs) {
    if (runs >= kMany && !std::exchange(tried_many, true))
      has_many = capture(many, kMany, "runs are launched one by one");
    for (; has_many && runs >= kMany; runs -= kMany) many.launch();
    for (; runs > 0; --runs) one.launch();
  }
};

Captured::Captured(Device device, std::function<void()> work) : state_(new State(device, std::move(work))) {}
Captured::~Captured() = default;

void Captured::run(int64_t times) {
  State& s = *state_;
  for (; times > 0; --times) {
    if (s.phase == State::warm) s.capture_one();
    if (s.phase == State::ready) return s.launch(times);
    s.call();
    if (s.phase == State::fresh) s.phase = State::warm;
  }
}

int64_t Captured::nodes() const { return state_->phase == State::ready ? state_->one.nodes() : 0; }

}  // namespace uncial::cuda
