#pragma once
/// @file cut.h
/// Many jobs as one parallel region. Internal.

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

namespace uncial::program {

/// Pieces of a list of jobs, each with some tasks: finds the job and the task of a running number.
struct Cut {
  std::vector<int64_t> ends;
  void add(int64_t tasks) { ends.push_back(total() + tasks); }
  int64_t total() const { return ends.empty() ? 0 : ends.back(); }
  std::pair<size_t, int64_t> find(int64_t number) const {
    const size_t job = size_t(std::upper_bound(ends.begin(), ends.end(), number) - ends.begin());
    return {job, number - (job == 0 ? 0 : ends[job - 1])};
  }
};

}  // namespace uncial::program
