#pragma once
/// One self-contained HTML page: styles and pictures are inside, nothing is loaded from elsewhere.

#include <string>
#include <string_view>
#include <vector>

namespace uncial::cli {

/// What every page starts with; the version follows. It is the mark by which is_own_file() knows a page.
inline constexpr std::string_view kPageStart =
    "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<meta name=\"generator\" content=\"uncial ";

class ReportPage {
 public:
  explicit ReportPage(std::string title);

  void heading(std::string_view text);
  void paragraph(std::string_view text);
  /// The first cell of each row is its heading.
  void table(const std::vector<std::string>& columns, const std::vector<std::vector<std::string>>& rows);
  /// `png` are the file's bytes; the caption is what a screen reader says, too.
  void picture(std::string_view png, std::string_view caption);
  std::string html() const;

 private:
  std::string title_, body_;
};

}  // namespace uncial::cli
