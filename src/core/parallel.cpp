#include "uncial/core/parallel.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "uncial/core/error.h"

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

namespace uncial {
namespace {

thread_local bool inside_task = false;

/// One call of run(): tasks are handed out by a counter, which decides who runs a task but never what it
/// does.
struct Job {
  const std::function<void(int64_t)>* task;
  int64_t tasks;
  std::atomic<int64_t> next{0};
  std::mutex mutex;
  std::exception_ptr error;

  void work() {
    inside_task = true;
    for (int64_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < tasks;) {
      try {
        (*task)(i);
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (!error) error = std::current_exception();
        next = tasks;
      }
    }
    inside_task = false;
  }
};

class BuiltinPool final : public ThreadPool {
 public:
  explicit BuiltinPool(int threads) {
    try {
      for (int i = 1; i < threads; ++i) workers_.emplace_back([this] { work(); });
    } catch (const std::system_error& error) {
      close();
      fail(ErrorKind::device, "cannot start thread ", workers_.size() + 1, " of ", threads, ": ",
           error.what(), "; use fewer threads.");
    }
  }

  ~BuiltinPool() override { close(); }

  int size() const override { return int(workers_.size()) + 1; }

  void run(int64_t tasks, const std::function<void(int64_t)>& task) override {
    // Nested calls, and a second host thread while the pool is busy, run inline: nobody waits for a worker.
    std::unique_lock busy(busy_, std::defer_lock);
    if (tasks <= 1 || workers_.empty() || inside_task || !busy.try_lock()) {
      for (int64_t i = 0; i < tasks; ++i) task(i);
      return;
    }
    Job job{&task, tasks, {}, {}, {}};
    {
      const std::lock_guard lock(mutex_);
      job_ = &job;
      ++ticket_;
    }
    wake_.notify_all();
    job.work();
    {
      std::unique_lock lock(mutex_);
      job_ = nullptr;  // a worker that wakes late finds nothing
      idle_.wait(lock, [&] { return active_ == 0; });
    }
    if (job.error) std::rethrow_exception(job.error);
  }

 private:
  void close() {
    {
      const std::lock_guard lock(mutex_);
      closing_ = true;
    }
    wake_.notify_all();
    for (std::thread& worker : workers_) worker.join();
  }

  void work() {
    uint64_t seen = 0;
    std::unique_lock lock(mutex_);
    for (;;) {
      wake_.wait(lock, [&] { return closing_ || (job_ && ticket_ != seen); });
      if (closing_) return;
      seen = ticket_;
      Job* job = job_;
      ++active_;
      lock.unlock();
      job->work();
      lock.lock();
      if (--active_ == 0) idle_.notify_one();
    }
  }

  std::mutex mutex_, busy_;
  std::condition_variable wake_, idle_;
  Job* job_ = nullptr;
  uint64_t ticket_ = 0;
  int active_ = 0;
  bool closing_ = false;
  std::vector<std::thread> workers_;
};

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
  if (threads == 0) threads = int(std::clamp(std::thread::hardware_concurrency(), 1u, 1024u));
  return std::make_shared<BuiltinPool>(threads);
}

void set_thread_pool(std::shared_ptr<ThreadPool> new_pool) {
  const std::lock_guard lock(pool_mutex);
  pool.swap(new_pool);
}

void set_num_threads(int threads) { set_thread_pool(make_thread_pool(threads)); }

int num_threads() { return current_pool()->size(); }

void parallel_for(int64_t tasks, const std::function<void(int64_t)>& task) {
  if (tasks <= 0) return;
  if (tasks == 1 || inside_task) {
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
