#pragma once
/// Progress of a training run on standard error.

#include <chrono>
#include <string>

#include "uncial/train/fit.h"

namespace uncial::cli {

/// On a terminal a bar that is redrawn at most 10 times a second, and a line for each finished epoch; in a
/// pipe or file only the lines, without a byte that steers a terminal. Colours respect NO_COLOR, and nothing
/// is wider than the terminal.
class ProgressPrinter {
 public:
  /// `label` goes before each line ("cnn, seed 3"); may be empty.
  explicit ProgressPrinter(std::string label = "");
  ~ProgressPrinter();
  ProgressPrinter(const ProgressPrinter&) = delete;
  ProgressPrinter& operator=(const ProgressPrinter&) = delete;

  void operator()(const train::Progress& progress);

 private:
  void draw_bar(const train::Progress& progress);
  void print_epoch(const train::Progress& progress);
  void clear();

  std::string label_;
  bool terminal_, colour_, bar_shown_ = false;
  double best_ = -1;
  std::chrono::steady_clock::time_point drawn_{};
};

/// Columns of the terminal on standard error; 80 when it does not tell.
int terminal_width();

}  // namespace uncial::cli
