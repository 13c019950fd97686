#pragma once
/// @file parallel.h
/// Splitting work over threads. Work is cut by its shape, never by the number of threads, so that results
/// have the same bits on any machine.

#include <cstdint>
#include <functional>
#include <memory>

namespace uncial {

/// Runs tasks; a host may hand in its own (set_thread_pool).
class ThreadPool {
 public:
  virtual ~ThreadPool() = default;
  /// Threads that may work at once, the caller included.
  virtual int size() const = 0;
  /// Calls task(i) once for each i in [0, tasks), in any order, possibly at the same time; returns when all
  /// are done. Rethrows the first exception. A call from inside a task runs inline. While it waits, the
  /// calling thread must run nothing but these tasks: kernels keep packed operands in memory of that thread.
  virtual void run(int64_t tasks, const std::function<void(int64_t)>& task) = 0;
};

/// Threads that sleep when idle. `threads` 0 takes all cores; throws a usage Error outside 0..1024.
std::shared_ptr<ThreadPool> make_thread_pool(int threads);

/// Replaces the pool that parallel_for uses; nullptr brings back the default (all cores, started on first
/// use).
void set_thread_pool(std::shared_ptr<ThreadPool> pool);
/// Short for set_thread_pool(make_thread_pool(threads)).
void set_num_threads(int threads);
/// Threads of the current pool.
int num_threads();

/// Calls task(i) for each i in [0, tasks) on the current pool, each with denormals flushed to zero
/// (see FlushDenormals).
void parallel_for(int64_t tasks, const std::function<void(int64_t)>& task);

/// Cuts [0, size) into blocks of `grain` and calls body(begin, end) for each, in parallel.
void parallel_blocks(int64_t size, int64_t grain, const std::function<void(int64_t, int64_t)>& body);

/// While alive, this thread's arithmetic treats denormal floats as zero (FTZ and DAZ on x86); the caller's
/// mode comes back afterwards. Without it Adam's moments of dead weights become denormal after some 700
/// steps and Adam runs 11 times slower (measured).
class FlushDenormals {
 public:
  FlushDenormals();
  ~FlushDenormals();
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

 private:
  unsigned saved_;
};

}  // namespace uncial
