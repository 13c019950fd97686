#include "uncial/core/parallel.h"

#include <atomic>
#include <stdexcept>
#include <thread>
#include <vector>

#include "support/check_op.h"

using namespace uncial;
using namespace uncial::test;

TEST_CASE("parallel: every task runs once, whatever the number of threads") {
  for (int threads : {1, 2, 3, 8}) {
    const Threads scope(threads);
    CHECK(num_threads() == threads);
    for (int64_t tasks : {0, 1, 2, 7, 1000}) {
      std::vector<std::atomic<int>> seen(size_t(tasks) + 1);
      parallel_for(tasks, [&](int64_t i) { ++seen[size_t(i)]; });
      for (int64_t i = 0; i < tasks; ++i) CHECK(seen[size_t(i)] == 1);
      CHECK(seen[size_t(tasks)] == 0);
    }
  }
}

TEST_CASE("parallel: blocks cover the range, and are cut by size alone") {
  for (int threads : {1, 3}) {
    const Threads scope(threads);
    std::vector<std::atomic<int>> seen(10);
    std::atomic<int> calls{0};
    parallel_blocks(10, 4, [&](int64_t begin, int64_t end) {
      ++calls;
      CHECK_NOTHROW(require(begin % 4 == 0 && end <= 10, "block"));
      for (int64_t i = begin; i < end; ++i) ++seen[size_t(i)];
    });
    CHECK(calls == 3);
    for (const auto& s : seen) CHECK(s == 1);
  }
  parallel_blocks(0, 4, [](int64_t, int64_t) { FAIL("an empty range has no blocks"); });
}

TEST_CASE("parallel: the first exception comes back, and the pool lives on") {
  const Threads scope(3);
  for (int round = 0; round < 20; ++round) {
    CHECK_THROWS_WITH(parallel_for(100,
                                   [](int64_t i) {
                                     if (i == 50) throw std::runtime_error("task 50");
                                   }),
                      "task 50");
    std::atomic<int> sum{0};
    parallel_for(10, [&](int64_t) { ++sum; });
    CHECK(sum == 10);
  }
}

TEST_CASE("parallel: a call from inside a task runs inline") {
  const Threads scope(3);
  std::atomic<int> inner{0};
  parallel_for(6, [&](int64_t) {
    const auto thread = std::this_thread::get_id();
    parallel_for(5, [&](int64_t) {
      if (std::this_thread::get_id() == thread) ++inner;
    });
  });
  CHECK(inner == 30);
}

TEST_CASE("parallel: a nested call leaves the outer task marked as inside") {
  const Threads scope(2);
  std::atomic<int> inner{0};
  parallel_for(4, [&](int64_t) {
    const auto thread = std::this_thread::get_id();
    for (int again = 0; again < 2; ++again)
      parallel_for(3, [&](int64_t) {
        if (std::this_thread::get_id() == thread) ++inner;
      });
  });
  CHECK(inner == 24);
}

TEST_CASE("parallel: two host threads at once") {
  const Threads scope(3);
  std::atomic<int> sum{0};
  const auto work = [&] {
    for (int round = 0; round < 200; ++round) parallel_for(10, [&](int64_t) { ++sum; });
  };
  std::thread other(work);
  work();
  other.join();
  CHECK(sum == 4000);
}

TEST_CASE("parallel: a host's own pool takes the work") {
  struct Inline : ThreadPool {
    int runs = 0;
    int size() const override { return 5; }
    void run(int64_t tasks, const std::function<void(int64_t)>& task) override {
      ++runs;
      for (int64_t i = tasks; i-- > 0;) task(i);
    }
  };
  const auto pool = std::make_shared<Inline>();
  set_thread_pool(pool);
  CHECK(num_threads() == 5);
  int64_t sum = 0;
  parallel_for(4, [&](int64_t i) { sum += i; });
  set_thread_pool(nullptr);
  CHECK(sum == 6);
  CHECK(pool->runs == 1);
}

TEST_CASE("parallel: thread counts out of range") {
  check_error([] { make_thread_pool(-1); },
              "make_thread_pool: threads must be 0 (all cores) to 1024, got -1");
  check_error([] { set_num_threads(1025); }, "got 1025");
}

TEST_CASE("parallel: denormals are flushed inside tasks, and the caller's mode comes back") {
  // Volatile, so that the compiler does not compute at build time.
  volatile float tiny = 1e-40f;
  const auto doubled_is_zero = [&] { return tiny * 2 == 0; };
  const Threads scope(2);
  CHECK_FALSE(doubled_is_zero());
#if defined(__SSE2__)
  std::atomic<int> flushed{0};
  parallel_for(64, [&](int64_t) { flushed += doubled_is_zero(); });
  CHECK(flushed == 64);
  {
    const FlushDenormals outer;
    { const FlushDenormals inner; }
    CHECK(doubled_is_zero());
  }
#endif
  CHECK_FALSE(doubled_is_zero());
}
