#include "thread_pool.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "uncial/core/error.h"

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

namespace uncial {
namespace {

using Clock = std::chrono::steady_clock;

/// How long a thread that waits looks on before it sleeps: regions of a step follow one another within
/// microseconds, while waking a sleeper takes 5 to 50. It does not yield: on a busy machine that gives the
/// core away for milliseconds (seen), while a sleeper that is woken gets one at once.
constexpr auto kPatience = std::chrono::microseconds(30);

inline void pause() {
#if defined(__SSE2__)
  _mm_pause();
#endif
}

template <class Ready>
bool look_on(Clock::duration patience, const Ready& ready) {
  if (ready()) return true;
  if (patience == Clock::duration::zero()) return false;
  for (const auto end = Clock::now() + patience; Clock::now() < end;)
    for (int i = 0; i < 16; ++i) {
      pause();
      if (ready()) return true;
    }
  return false;
}

/// The tasks of one call of run(), dealt out in equal runs, one a thread: from step to step a thread meets
/// the same data in its cache. Who is done takes tasks of the others. That decides who runs a task, never
/// what it does.
class Deal {
 public:
  explicit Deal(int threads) : shares_(size_t(threads)) {}

  void start(int64_t tasks, const std::function<void(int64_t)>& task) {
    task_ = &task;
    const auto threads = int64_t(shares_.size());
    for (int64_t t = 0; t < threads; ++t) {
      shares_[size_t(t)].next.store(t * tasks / threads, std::memory_order_relaxed);
      shares_[size_t(t)].end = (t + 1) * tasks / threads;
    }
  }
  void work(int thread) {
    inside_task() = true;
    for (size_t i = 0; i < shares_.size(); ++i) work_on(shares_[(size_t(thread) + i) % shares_.size()]);
    inside_task() = false;
  }
  /// When nobody works any more.
  void rethrow() {
    failed_ = false;
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
  }

 private:
  struct alignas(64) Share {
    std::atomic<int64_t> next{0};
    int64_t end = 0;
  };
  void work_on(Share& share) {
    if (share.next.load(std::memory_order_relaxed) >= share.end) return;
    for (int64_t i; (i = share.next.fetch_add(1, std::memory_order_relaxed)) < share.end;) {
      if (failed_.load(std::memory_order_relaxed)) return;
      try {
        (*task_)(i);
      } catch (...) {
        const std::lock_guard lock(mutex_);
        if (!error_) error_ = std::current_exception();
        failed_ = true;
      }
    }
  }

  const std::function<void(int64_t)>* task_ = nullptr;
  std::vector<Share> shares_;
  std::atomic<bool> failed_{false};
  std::mutex mutex_;
  std::exception_ptr error_;
};

class BuiltinPool final : public ThreadPool {
 public:
  explicit BuiltinPool(int threads)
      : deal_(threads),
        // With more threads than cores, one that looks on takes a core from one that works.
        patience_(threads <= int(std::thread::hardware_concurrency()) ? Clock::duration(kPatience)
                                                                      : Clock::duration::zero()) {
    try {
      for (int i = 1; i < threads; ++i) workers_.emplace_back([this, i] { serve(i); });
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
    if (tasks <= 1 || workers_.empty() || inside_task() || !busy.try_lock()) {
      for (int64_t i = 0; i < tasks; ++i) task(i);
      return;
    }
    deal_.start(tasks, task);
    open_gate();
    deal_.work(0);
    gate_.fetch_and(~kOpen);  // a worker that comes late finds it closed
    wait_for_workers();
    deal_.rethrow();
  }

 private:
  // The gate: how many workers are inside, whether it is open, and the number of the call, in one word. A
  // worker enters each call at most once; the caller goes on when the gate is closed and nobody is inside.
  static constexpr uint64_t kOpen = 1 << 16, kInside = kOpen - 1, kCall = kOpen << 1;

  void open_gate() {
    gate_.store((gate_.load() / kCall + 1) * kCall | kOpen);
    // Either this sees the sleeper's mark, or the sleeper, who looks once more after setting it, sees the
    // call.
    if (sleepers_ == 0) return;
    { const std::lock_guard lock(mutex_); }
    wake_.notify_all();
  }
  bool called(uint64_t seen) const {
    const uint64_t gate = gate_.load();
    return ((gate & kOpen) && gate / kCall != seen) || closing_.load(std::memory_order_relaxed);
  }
  bool enter(uint64_t& seen) {
    uint64_t gate = gate_.load();
    while ((gate & kOpen) && gate / kCall != seen)
      if (gate_.compare_exchange_weak(gate, gate + 1)) {
        seen = gate / kCall;
        return true;
      }
    return false;
  }
  void leave() {
    if (((gate_.fetch_sub(1) - 1) & (kOpen | kInside)) || !caller_sleeps_) return;
    { const std::lock_guard lock(mutex_); }
    idle_.notify_one();
  }
  void wait_for_workers() {
    const auto empty = [&] { return (gate_ & kInside) == 0; };
    if (look_on(patience_, empty)) return;
    std::unique_lock lock(mutex_);
    caller_sleeps_ = true;
    idle_.wait(lock, empty);
    caller_sleeps_ = false;
  }

  void serve(int self) {
    uint64_t seen = 0;
    while (!closing_) {
      if (!look_on(patience_, [&] { return called(seen); })) {
        std::unique_lock lock(mutex_);
        ++sleepers_;
        wake_.wait(lock, [&] { return called(seen); });
        --sleepers_;
      }
      if (!enter(seen)) continue;
      deal_.work(self);
      leave();
    }
  }
  void close() {
    closing_ = true;
    { const std::lock_guard lock(mutex_); }
    wake_.notify_all();
    for (std::thread& worker : workers_) worker.join();
  }

  Deal deal_;
  const Clock::duration patience_;
  std::mutex mutex_, busy_;
  std::condition_variable wake_, idle_;
  std::atomic<uint64_t> gate_{0};
  std::atomic<int> sleepers_{0};
  std::atomic<bool> caller_sleeps_{false}, closing_{false};
  std::vector<std::thread> workers_;
};

}  // namespace

std::shared_ptr<ThreadPool> start_thread_pool(int threads) {
  if (threads == 0) threads = int(std::clamp(std::thread::hardware_concurrency(), 1u, 1024u));
  return std::make_shared<BuiltinPool>(threads);
}

}  // namespace uncial
