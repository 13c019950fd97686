// Stands in for thread_pool.cpp in a build without threads (UNCIAL_THREADS=OFF).
#include "thread_pool.h"

namespace uncial {
namespace {

class SerialPool final : public ThreadPool {
 public:
  int size() const override { return 1; }
  void run(int64_t tasks, const std::function<void(int64_t)>& task) override {
    for (int64_t i = 0; i < tasks; ++i) task(i);
  }
};

}  // namespace

// Whatever number was asked for: results have the same bits for any, and size() tells the truth.
std::shared_ptr<ThreadPool> start_thread_pool(int) { return std::make_shared<SerialPool>(); }

}  // namespace uncial
