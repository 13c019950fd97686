// Events of a GPU that the host waits for.

#include <cuda_runtime_api.h>

#include <utility>

#include "core/captured.h"
#include "runtime.h"

namespace uncial::cuda {

struct Pace::State {
  cudaEvent_t last = nullptr, now = nullptr;
  bool has_last = false;

  ~State() {
    if (last) cudaEventDestroy(last);
    if (now) cudaEventDestroy(now);
  }
};

Pace::Pace(Device) : state_(new State) {
  // The host sleeps, as there is another piece for the GPU to go on with.
  for (cudaEvent_t* event : {&state_->last, &state_->now})
    check(cudaEventCreateWithFlags(event, cudaEventDisableTiming | cudaEventBlockingSync), "making an event");
}
Pace::~Pace() = default;

void Pace::next() {
  State& s = *state_;
  check(cudaEventRecord(s.now, current_stream()), "recording an event");
  if (std::exchange(s.has_last, true)) check(cudaEventSynchronize(s.last), "waiting for the GPU");
  std::swap(s.last, s.now);
}

}  // namespace uncial::cuda
