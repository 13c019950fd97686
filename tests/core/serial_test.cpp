// A build without threads (UNCIAL_THREADS=OFF).
#include <stdexcept>
#include <vector>

#include "support/check_op.h"
#include "uncial/core/parallel.h"

using namespace uncial;
using namespace uncial::test;

TEST_CASE("serial: tasks run in the caller, in order, whatever number of threads is asked for") {
  for (int threads : {0, 1, 3}) {
    set_num_threads(threads);
    CHECK(num_threads() == 1);
    std::vector<int64_t> seen;
    parallel_for(4, [&](int64_t i) { parallel_for(2, [&](int64_t j) { seen.push_back(2 * i + j); }); });
    CHECK(seen == std::vector<int64_t>{0, 1, 2, 3, 4, 5, 6, 7});
  }
  set_thread_pool(nullptr);
  CHECK(num_threads() == 1);
}

TEST_CASE("serial: an exception comes back from its task") {
  CHECK_THROWS_WITH(parallel_for(5,
                                 [](int64_t i) {
                                   if (i == 3) throw std::runtime_error("task 3");
                                 }),
                    "task 3");
}

TEST_CASE("serial: thread counts out of range are refused as ever") {
  check_error([] { make_thread_pool(-1); },
              "make_thread_pool: threads must be 0 (all cores) to 1024, got -1");
}

TEST_CASE("serial: memory beyond every address is refused") {
  check_error(
      ErrorKind::device, [] { empty({int64_t(1) << 40}); }, "out of memory", "4398046511104 bytes");
}
