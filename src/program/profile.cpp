#include "uncial/program/profile.h"

#include <algorithm>
#include <utility>

#include "peak_loops.h"
#include "profile_state.h"
#include "uncial/core/isa.h"
#include "uncial/core/parallel.h"
#include "uncial/program/program.h"

namespace uncial {
namespace {

thread_local program::Probe* probe = nullptr;

/// The row that a piece belongs to, without times: its layers, pass and cost. A step that several pieces
/// share costs the first of them: `counted` says which did.
ProfileRow describe(const program::Program& program, const program::Piece& piece,
                    std::vector<bool>& counted) {
  ProfileRow row;
  row.operators = piece.name;
  std::vector<std::string> layers;
  for (const int s : piece.steps) {
    const program::Step& step = program.steps()[size_t(s)];
    row.pass = std::max(row.pass, step.origin.pass);
    if (!counted[size_t(s)]) {
      const Cost cost = program.cost(step);
      row.flops += cost.flops;
      row.bytes += cost.bytes;
      counted[size_t(s)] = true;
    }
    const std::string& layer = step.origin.layer;
    if (layer.empty() || std::find(layers.begin(), layers.end(), layer) != layers.end()) continue;
    row.layers += (layers.empty() ? "" : " + ") + layer;
    layers.push_back(layer);
  }
  return row;
}

}  // namespace

/// The best of several rounds: a ceiling is what the machine can do, not what it did while others worked.
double measure_peak_flops(double seconds) {
  constexpr int64_t kRounds = 500'000;  // some 2 ms a thread, so that waking threads costs little
  const cpu::PeakLoop loop = cpu::fma_loop(std::string(isa()));
  const int threads = num_threads();
  const auto begin = program::Probe::Clock::now();
  double best = 0;
  while (true) {
    const auto start = program::Probe::Clock::now();
    parallel_for(threads, [&](int64_t) { loop.run(kRounds); });
    const auto now = program::Probe::Clock::now();
    best = std::max(
        best, loop.flops_a_round * kRounds * threads / std::chrono::duration<double>(now - start).count());
    if (std::chrono::duration<double>(now - begin).count() >= seconds) return best;
  }
}

program::Probe* program::current_probe() { return probe; }

ProfileScope::ProfileScope(Profile& profile)
    : previous_(std::exchange(probe, static_cast<program::Probe*>(profile.state_.get()))) {}
ProfileScope::~ProfileScope() { probe = static_cast<program::Probe*>(previous_); }

Profile::Profile(const ProfileOptions& options) : state_(std::make_unique<State>(options)) {}
Profile::~Profile() = default;

int64_t Profile::replays() const { return state_->replays; }
double Profile::seconds() const { return state_->seconds; }
std::vector<ProfileRow> Profile::rows() const { return state_->rows; }

/// Pieces with equal texts share a row: one step recorded for two batch sizes is one line of the table.
size_t Profile::State::row_of(ProfileRow row) {
  const auto [place, fresh] =
      row_by_text_.try_emplace(join(row.layers, '\n', row.operators, '\n', int(row.pass)), rows.size());
  if (fresh) {
    rows.push_back(std::move(row));
  } else {
    rows[place->second].flops += row.flops;
    rows[place->second].bytes += row.bytes;
  }
  return place->second;
}

void Profile::State::begin(const program::Program& program, const std::vector<program::Piece>& pieces) {
  const std::lock_guard lock(mutex);
  concurrency_ = num_threads();
  known_.clear();
  std::vector<bool> counted(program.steps().size());
  for (const program::Piece& piece : pieces) {
    const size_t row = row_of(describe(program, piece, counted));
    known_[piece.who] = piece.stage ? Known{row, true, known_.at(piece.stage).row} : Known{row};
  }
}

/// A stage's time is the caller's; that of pieces inside it is spread over all threads and taken off the
/// stage's, so that what stays with the stage is the time in which threads had nothing to do.
void Profile::State::ran(const void* who, Clock::time_point start, Clock::time_point end) {
  const double took = std::chrono::duration<double>(end - start).count();
  const std::lock_guard lock(mutex);
  const Known& known = known_.at(who);
  if (known.nested) {
    rows[known.row].seconds += took / concurrency_;
    rows[known.stage_row].seconds -= took / concurrency_;
  } else {
    rows[known.row].seconds += took;
  }
  if (replays < options.trace_replays) events.push_back({known.row, thread_number(), start, end});
}

void Profile::State::end(Clock::time_point start) {
  const double took = std::chrono::duration<double>(Clock::now() - start).count();
  const std::lock_guard lock(mutex);
  seconds += took;
  ++replays;
}

int Profile::State::thread_number() {
  return threads_.try_emplace(std::this_thread::get_id(), int(threads_.size())).first->second;
}

}  // namespace uncial
