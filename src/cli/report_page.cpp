#include "cli/report_page.h"

#include "cli/base64.h"
#include "uncial/config.h"

namespace uncial::cli {
namespace {

/// Light and dark by the reader's setting. Pictures keep their white paper. Wide tables scroll on a phone.
constexpr std::string_view kStyle = R"(
:root { color-scheme: light dark; --text: #1c1f23; --soft: #5b626b; --back: #ffffff; --line: #d9dde2; --row: #f5f6f8; }
@media (prefers-color-scheme: dark) {
  :root { --text: #e6e8eb; --soft: #a0a7b0; --back: #16181c; --line: #353a41; --row: #1e2126; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 72rem; padding: 1rem; background: var(--back); color: var(--text);
       font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 1rem 0 0.5rem; }
h2 { font-size: 1.25rem; margin: 2.2rem 0 0.5rem; border-bottom: 1px solid var(--line); padding-bottom: 0.2rem; }
p { max-width: 46rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 0.92rem; }
th, td { padding: 0.25rem 0.8rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child { text-align: left; }
thead th { color: var(--soft); font-weight: 600; }
tbody th { font-weight: 500; }
tbody tr:nth-child(even) { background: var(--row); }
figure { margin: 1.2rem 0; }
img { display: block; max-width: 100%; height: auto; border: 1px solid var(--line); border-radius: 6px; background: #fff; }
figcaption, footer { color: var(--soft); font-size: 0.9rem; margin-top: 0.4rem; }
)";

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  return out;
}

std::string row(const std::vector<std::string>& cells, const char* tag) {
  std::string html = "<tr>";
  for (size_t i = 0; i < cells.size(); ++i) {
    const std::string name = i == 0 ? "th" : tag;
    html += "<" + name + ">" + escaped(cells[i]) + "</" + name + ">";
  }
  return html + "</tr>\n";
}

}  // namespace

ReportPage::ReportPage(std::string title) : title_(std::move(title)) {}

void ReportPage::heading(std::string_view text) { body_ += "<h2>" + escaped(text) + "</h2>\n"; }

void ReportPage::paragraph(std::string_view text) { body_ += "<p>" + escaped(text) + "</p>\n"; }

void ReportPage::table(const std::vector<std::string>& columns,
                       const std::vector<std::vector<std::string>>& rows) {
  body_ += "<div class=\"scroll\"><table>\n<thead>" + row(columns, "th") + "</thead>\n<tbody>\n";
  for (const auto& cells : rows) body_ += row(cells, "td");
  body_ += "</tbody></table></div>\n";
}

void ReportPage::picture(std::string_view png, std::string_view caption) {
  const std::string text = escaped(caption);
  body_ += "<figure><img alt=\"" + text + "\" src=\"data:image/png;base64," + base64(png) +
           "\"><figcaption>" + text + "</figcaption></figure>\n";
}

std::string ReportPage::html() const {
  return std::string(kPageStart) + UNCIAL_VERSION "\">\n<title>" + escaped(title_) + "</title>\n<style>" +
         std::string(kStyle) + "</style>\n</head>\n<body>\n<h1>" + escaped(title_) + "</h1>\n" + body_ +
         "<footer>Made by uncial " UNCIAL_VERSION ".</footer>\n</body>\n</html>\n";
}

}  // namespace uncial::cli
