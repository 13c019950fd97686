#include "uncial/core/parallel.h"

#include <algorithm>
#include <mutex>

#include "thread_pool.h"
#include "uncial/core/error.h"

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

namespace uncial {
namespace {

thread_local bool runs_task = false;

std::mutex pool_mutex;
std::shared_ptr<ThreadPool> pool;

std::shared_ptr<ThreadPool> current_pool() {
  const std::lock_guard lock(pool_mutex);
  if (!pool) pool = make_thread_pool(0);
  return pool;
}

}  // namespace

std::shared_ptr<ThreadPool> make_thread_pool(int threads) {
  require(threads >= 0 && threads <= 1024, "make_thread_pool: threads must be 0 (all cores) to 1024, got ",
          threads, ".");
  return start_thread_pool(threads);
}

bool& inside_task() { return runs_task; }

void set_thread_pool(std::shared_ptr<ThreadPool> new_pool) {
  const std::lock_guard lock(pool_mutex);
  pool.swap(new_pool);
}

void set_num_threads(int threads) { set_thread_pool(make_thread_pool(threads)); }

int num_threads() { return current_pool()->size(); }

void parallel_for(int64_t tasks, const std::function<void(int64_t)>& task) {
  if (tasks <= 0) return;
  if (tasks == 1 || runs_task) {
    const FlushDenormals flush;
    for (int64_t i = 0; i < tasks; ++i) task(i);
    return;
  }
  current_pool()->run(tasks, [&](int64_t i) {
    const FlushDenormals flush;
    task(i);
  });
}

void parallel_blocks(int64_t size, int64_t grain, const std::function<void(int64_t, int64_t)>& body) {
  grain = std::max<int64_t>(grain, 1);
  parallel_for((size + grain - 1) / grain,
               [&](int64_t block) { body(block * grain, std::min((block + 1) * grain, size)); });
}

#if defined(__SSE2__)
namespace {
constexpr unsigned kFlushToZeroAndDenormalsAreZero = 0x8040;
}
FlushDenormals::FlushDenormals() : saved_(_mm_getcsr()) {
  if ((saved_ & kFlushToZeroAndDenormalsAreZero) != kFlushToZeroAndDenormalsAreZero)
    _mm_setcsr(saved_ | kFlushToZeroAndDenormalsAreZero);
}
FlushDenormals::~FlushDenormals() {
  if ((saved_ & kFlushToZeroAndDenormalsAreZero) != kFlushToZeroAndDenormalsAreZero) _mm_setcsr(saved_);
}
#else
FlushDenormals::FlushDenormals() : saved_(0) {}
FlushDenormals::~FlushDenormals() { (void)saved_; }
#endif

}  // namespace uncial
