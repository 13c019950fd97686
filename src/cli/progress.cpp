#include "cli/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string_view>
#include <vector>

namespace uncial::cli {
namespace {

using Clock = std::chrono::steady_clock;

void put(std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(STDERR_FILENO, text.data(), text.size());
    if (n <= 0) return;  // a log that went away does not end the run
    text.remove_prefix(size_t(n));
  }
}

bool set_in_environment(const char* name) {
  const char* value = std::getenv(name);
  return value && *value;
}

bool is_terminal() {
  const char* term = std::getenv("TERM");
  return ::isatty(STDERR_FILENO) && !(term && std::string_view(term) == "dumb");
}

std::string clock_text(double seconds) {
  const auto s = int64_t(std::min(seconds, 359'999.0) + 0.5);
  return s < 3600 ? fmt::format("{}:{:02}", s / 60, s % 60)
                  : fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
}

/// Parts in order as long as they fit into `width` columns; the first always comes, cut if need be.
std::string fitting(const std::vector<std::string>& parts, int width) {
  std::string line;
  for (const std::string& part : parts) {
    if (!line.empty() && int(line.size() + 2 + part.size()) > width) break;
    line += (line.empty() ? "" : "  ") + part;
  }
  return line.substr(0, size_t(std::max(width, 0)));
}

}  // namespace

int terminal_width() {
  winsize size{};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

ProgressPrinter::ProgressPrinter(std::string label)
    : label_(std::move(label)),
      terminal_(is_terminal()),
      colour_(terminal_ && !set_in_environment("NO_COLOR")) {}

ProgressPrinter::~ProgressPrinter() { clear(); }

void ProgressPrinter::clear() {
  if (bar_shown_) put("\r\x1b[K");
  bar_shown_ = false;
}

void ProgressPrinter::operator()(const train::Progress& progress) {
  if (progress.finished) {
    clear();
    print_epoch(progress);
  } else if (terminal_ && Clock::now() - drawn_ >= std::chrono::milliseconds(100)) {
    draw_bar(progress);
    drawn_ = Clock::now();
    bar_shown_ = true;
  }
}

void ProgressPrinter::draw_bar(const train::Progress& progress) {
  const int width = terminal_width() - 1;  // the last column would wrap on some terminals
  const double share = progress.batches > 0 ? double(progress.batch) / double(progress.batches) : 0;
  const int cells = std::clamp(width - 60, 0, 24), filled = int(share * cells);
  std::vector<std::string> parts{
      fmt::format("epoch {}/{} {:3.0f} %", progress.epoch, progress.epochs, 100 * share)};
  if (cells >= 6)
    parts.push_back("[" + std::string(size_t(filled), '#') + std::string(size_t(cells - filled), '-') + "]");
  if (!std::isnan(progress.loss)) {  // a GPU has not been asked yet
    parts.push_back(fmt::format("loss {:.4f}", progress.loss));
    parts.push_back(fmt::format("acc {:.2f} %", 100 * progress.accuracy));
    parts.push_back(fmt::format("{:.0f} img/s", progress.samples_per_second));
  }
  put("\r" + fitting(parts, width) + "\x1b[K");
}

void ProgressPrinter::print_epoch(const train::Progress& progress) {
  const train::EpochRecord& record = *progress.finished;
  const int digits = int(std::to_string(progress.epochs).size());
  std::vector<std::string> parts;
  if (!label_.empty()) parts.push_back(label_);
  parts.push_back(fmt::format("epoch {:>{}}/{}", record.epoch, digits, progress.epochs));
  const bool validated = std::isfinite(record.validation_accuracy);
  const std::string validation = fmt::format("val acc {:.2f} %", 100 * record.validation_accuracy);
  if (validated) parts.push_back(validation);
  parts.push_back(fmt::format("loss {:.4f}", record.loss));
  parts.push_back(fmt::format("acc {:.2f} %", 100 * record.accuracy));
  if (validated) parts.push_back(fmt::format("val loss {:.4f}", record.validation_loss));
  parts.push_back(fmt::format("lr {:.2g}", record.lr));
  parts.push_back(clock_text(record.seconds));

  std::string line = fitting(parts, terminal_ ? terminal_width() - 1 : 1000);
  const bool better = validated && record.validation_accuracy > best_;
  if (better) best_ = record.validation_accuracy;
  // Green for the best epoch so far.
  if (const size_t at = line.find(validation); colour_ && better && at != std::string::npos)
    line = line.substr(0, at) + "\x1b[32m" + validation + "\x1b[0m" + line.substr(at + validation.size());
  put(line + "\n");
}

}  // namespace uncial::cli
