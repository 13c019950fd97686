#include "vision/layout.h"

#include <algorithm>

namespace uncial::vision {
namespace {

constexpr double kNoteLine = 19;

}  // namespace

TextStyle fitted(const Canvas& canvas, std::string_view text, TextStyle style, double width) {
  const double length = canvas.text_width(text, style);
  if (length > width && width > 0) style.size = std::max(kLeastSize, style.size * width / length);
  return style;
}

std::vector<std::string> wrapped(const Canvas& canvas, std::string_view text, const TextStyle& style,
                                 double width) {
  std::vector<std::string> lines(1);
  while (!text.empty()) {
    const std::string word(text.substr(0, text.find(' ')));
    text.remove_prefix(std::min(text.size(), word.size() + 1));
    std::string& line = lines.back();
    const std::string longer = line.empty() ? word : line + " " + word;
    if (line.empty() || canvas.text_width(longer, style) <= width)
      line = longer;
    else
      lines.push_back(word);
  }
  return lines;
}

double widest(const Canvas& canvas, const std::vector<std::string>& texts, const TextStyle& style) {
  double width = 0;
  for (const std::string& text : texts) width = std::max(width, canvas.text_width(text, style));
  return width;
}

double draw_chart_title(Canvas& canvas, double x, double top, double width, const std::string& title) {
  if (title.empty()) return 0;
  const TextStyle style{.size = kTitleSize, .bold = true};
  const std::vector<std::string> lines = wrapped(canvas, title, style, width);
  for (size_t i = 0; i < lines.size(); ++i)
    canvas.text(x, top + 10 + 21 * double(i), lines[i], fitted(canvas, lines[i], style, width));
  return 5 + 21 * double(lines.size());
}

Head::Head(const std::string& title, const std::string& note, double width) : title_(title) {
  if (!note.empty()) note_ = wrapped(Canvas(1, 1), note, {.size = kTickSize}, width - 24);
}

double Head::height() const { return (title_.empty() ? 0 : 40) + kNoteLine * double(note_.size()); }

void Head::draw(Canvas& canvas) const {
  const double middle = canvas.width() / 2.0, width = canvas.width() - 24;
  if (!title_.empty()) {
    const TextStyle style{.size = kTitleSize + 2, .align = Align::centre, .bold = true};
    canvas.text(middle, 22, title_, fitted(canvas, title_, style, width));
  }
  const TextStyle style{.size = kTickSize, .colour = kText, .align = Align::centre};
  for (size_t i = 0; i < note_.size(); ++i)
    canvas.text(middle, (title_.empty() ? 12 : 46) + kNoteLine * double(i), note_[i],
                fitted(canvas, note_[i], style, width));
}

}  // namespace uncial::vision
