#include "uncial/data/loader.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <numeric>
#include <optional>
#include <stop_token>
#include <thread>

#include "uncial/core/parallel.h"
#include "uncial/core/random.h"

namespace uncial::data {

namespace {

/// The first `count` numbers of the generator of an epoch's order. They take most of a shuffle's time, and
/// several threads can make them.
std::vector<uint64_t> drawn_numbers(int64_t count, uint64_t seed, int64_t epoch) {
  constexpr int64_t kGrain = 8192;
  std::vector<uint64_t> numbers(static_cast<size_t>(count));
  parallel_blocks(count, kGrain, [&](int64_t begin, int64_t end) {
    Generator random(seed, Purpose::shuffle, uint64_t(epoch));
    random.seek(uint64_t(begin));
    for (int64_t i = begin; i < end; ++i) numbers[size_t(i)] = random();
  });
  return numbers;
}

}  // namespace

std::vector<int64_t> shuffled_order(int64_t size, uint64_t seed, int64_t epoch) {
  require(size >= 0, "shuffled_order: size must be >= 0, got ", size, ".");
  std::vector<int64_t> order(static_cast<size_t>(size));
  std::iota(order.begin(), order.end(), int64_t(0));
  const std::vector<uint64_t> numbers = drawn_numbers(size, seed, epoch);
  Generator more(seed, Purpose::shuffle, uint64_t(epoch));
  more.seek(numbers.size());
  auto next = [&, i = size_t(0)]() mutable { return i < numbers.size() ? numbers[i++] : more(); };
  // Fisher-Yates; std::shuffle differs between standard libraries. As Generator::below(): of the highest
  // numbers, which would make some places likelier, none is taken. Whether it is one of them is seldom asked,
  // because that is a division.
  for (size_t i = order.size(); i > 1; --i) {
    uint64_t number = next();
    if (number > Generator::max() - i)
      while (number >= Generator::max() - Generator::max() % i) number = next();
    std::swap(order[i - 1], order[size_t(number % i)]);
  }
  return order;
}

struct Loader::State {
  Dataset dataset;
  LoaderOptions options;
  std::vector<int64_t> order;  // positions in dataset
  int64_t next_batch = 0;      // to prepare; only the preparing thread touches it once that runs

  std::mutex mutex;
  std::condition_variable_any changed;
  std::deque<Batch> ready;
  std::exception_ptr error;
  bool finished = false;
  std::jthread worker;  // last: its destructor stops and joins it before the rest goes

  int64_t batches() const {
    const int64_t size = dataset.size();
    return options.drop_last ? size / options.batch : ceil_div(size, options.batch);
  }

  std::optional<Batch> prepare() {
    if (next_batch >= batches()) return std::nullopt;
    const int64_t first = next_batch++ * options.batch;
    const int64_t count = std::min(options.batch, dataset.size() - first);
    const std::span<const int64_t> positions(order.data() + first, size_t(count));
    std::vector<int64_t> sources;
    for (const int64_t p : positions) sources.push_back(dataset.source_index(p));
    auto [images, labels] = dataset.gather(positions);
    if (options.transform) options.transform(images, sources, options.seed, options.epoch);
    return Batch{std::move(images), std::move(labels), from_values<int64_t>(sources, {count})};
  }

  void work(const std::stop_token& stop) {
    bool more = true;
    while (more) {
      std::unique_lock lock(mutex);
      changed.wait(lock, stop, [&] { return int64_t(ready.size()) < options.prefetch; });
      if (stop.stop_requested()) return;
      lock.unlock();
      std::optional<Batch> batch;
      std::exception_ptr failure;
      try {
        batch = prepare();
      } catch (...) {
        failure = std::current_exception();
      }
      lock.lock();
      more = batch.has_value();
      if (more)
        ready.push_back(std::move(*batch));
      else
        finished = true;
      error = failure;
      changed.notify_all();
    }
  }

  bool take_prepared(Batch& batch) {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return !ready.empty() || finished; });
    if (ready.empty()) {
      if (error) std::rethrow_exception(std::exchange(error, nullptr));
      return false;
    }
    batch = std::move(ready.front());
    ready.pop_front();
    changed.notify_all();
    return true;
  }
};

Loader::Loader(Dataset dataset, LoaderOptions options) : state_(std::make_unique<State>()) {
  require(options.batch >= 1, "Loader: batch must be >= 1, got ", options.batch, ".");
  require(options.prefetch >= 0 && options.prefetch <= 1024, "Loader: prefetch must be in 0..1024, got ",
          options.prefetch, ".");
  require(options.epoch >= 0, "Loader: epoch must be >= 0, got ", options.epoch, ".");
  State& s = *state_;
  s.dataset = std::move(dataset);
  s.options = std::move(options);
  require(s.options.first_batch >= 0 && s.options.first_batch <= s.batches(),
          "Loader: first_batch must be in 0..", s.batches(), ", got ", s.options.first_batch, ".");
  s.next_batch = s.options.first_batch;
  s.order.resize(size_t(s.dataset.size()));
  if (s.options.shuffle)
    s.order = shuffled_order(s.dataset.size(), s.options.seed, s.options.epoch);
  else
    std::iota(s.order.begin(), s.order.end(), int64_t(0));
  if (s.options.prefetch > 0) s.worker = std::jthread([&s](const std::stop_token& stop) { s.work(stop); });
}

Loader::~Loader() = default;
Loader::Loader(Loader&&) noexcept = default;
Loader& Loader::operator=(Loader&&) noexcept = default;

int64_t Loader::batches() const { return state_->batches(); }

bool Loader::next(Batch& batch) {
  if (state_->options.prefetch > 0) return state_->take_prepared(batch);
  std::optional<Batch> prepared = state_->prepare();
  if (prepared) batch = std::move(*prepared);
  return prepared.has_value();
}

}  // namespace uncial::data
