// A build without CUDA: there is no GPU to use, and whoever asks for one learns why.

#include "core/captured.h"
#include "core/device_memory.h"
#include "uncial/core/cuda.h"
#include "uncial/core/error.h"

namespace uncial::cuda {
namespace {

[[noreturn]] void refuse() {
  fail(ErrorKind::device, "cuda: ", why_unavailable(),
       "; use Device::cpu(), or build with -DUNCIAL_CUDA=ON.");
}

}  // namespace

bool available() { return false; }
int device_count() { return 0; }
std::string why_unavailable() { return "this build of uncial has no CUDA"; }

void synchronize(Device) { refuse(); }
MemoryStats memory_stats(Device) { refuse(); }
void empty_cache(Device) { refuse(); }
void set_memory_limit(Device, int64_t) { refuse(); }

void* allocate(int64_t, int) { refuse(); }
void release(void*, int64_t, int) noexcept {}
void copy(void*, Device, const void*, Device, int64_t) { refuse(); }
void zero(void*, Device, int64_t) { refuse(); }

struct Captured::State {};
Captured::Captured(Device, std::function<void()>) { refuse(); }
Captured::~Captured() = default;
void Captured::run(int64_t) {}
int64_t Captured::nodes() const { return 0; }

void use_branch(int) {}
void mark_point(int) {}
void wait_for_point(int) {}

struct Pace::State {};
Pace::Pace(Device) { refuse(); }
Pace::~Pace() = default;
void Pace::next() {}

}  // namespace uncial::cuda
