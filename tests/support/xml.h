#pragma once
/// A reader for the XML that the library writes. It knows elements, attributes in double quotes, text,
/// comments and the five named entities, and throws std::runtime_error for whatever else comes: strict on
/// purpose.

#include <cctype>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace uncial::test {

struct XmlElement {
  std::string name;
  std::map<std::string, std::string> attributes;
  std::string text;  ///< directly inside

  const std::string& at(const std::string& key) const {
    const auto found = attributes.find(key);
    if (found == attributes.end()) throw std::runtime_error("<" + name + "> has no " + key);
    return found->second;
  }
  double number(const std::string& key) const { return std::stod(at(key)); }
};

class XmlReader {
 public:
  explicit XmlReader(std::string_view text) : text_(text) {}

  /// All elements in the order of their start tags; the first is the root.
  std::vector<XmlElement> read() {
    skip_comments();
    element();
    skip_comments();
    if (at_ != text_.size()) fault("content after the root element");
    return elements_;
  }

 private:
  [[noreturn]] void fault(const std::string& what) const {
    throw std::runtime_error("XML: " + what + " at byte " + std::to_string(at_) + ": " +
                             std::string(text_.substr(at_, 40)));
  }
  bool take(std::string_view token) {
    if (text_.substr(at_, token.size()) != token) return false;
    at_ += token.size();
    return true;
  }
  void expect(std::string_view token) {
    if (!take(token)) fault("expected " + std::string(token));
  }
  void skip_space() {
    while (at_ < text_.size() && std::string_view(" \n\t\r").find(text_[at_]) != std::string_view::npos)
      ++at_;
  }
  void skip_comments() {
    for (skip_space(); take("<!--"); skip_space()) {
      at_ = text_.find("--", at_);
      if (at_ == std::string_view::npos) throw std::runtime_error("XML: a comment does not end");
      expect("-->");
    }
  }
  std::string name() {
    const size_t begin = at_;
    while (at_ < text_.size() && (std::isalnum(static_cast<unsigned char>(text_[at_])) || text_[at_] == '-'))
      ++at_;
    if (at_ == begin) fault("expected a name");
    return std::string(text_.substr(begin, at_ - begin));
  }
  /// Characters up to `end`, with entities resolved.
  std::string characters(char end) {
    std::string out;
    for (; at_ < text_.size() && text_[at_] != end; ++at_) {
      const char c = text_[at_];
      if (c == '<') fault("a bare <");
      if (static_cast<unsigned char>(c) < 0x20 && c != '\n') fault("a control character");
      out += c == '&' ? entity() : c;
    }
    return out;
  }
  /// Leaves the place on its semicolon.
  char entity() {
    const size_t semicolon = text_.find(';', at_);
    const std::string_view word = text_.substr(at_ + 1, semicolon - at_ - 1);
    for (const auto& [known, c] : std::map<std::string_view, char>{
             {"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"quot", '"'}, {"apos", '\''}})
      if (word == known) {
        at_ = semicolon;
        return c;
      }
    fault("an unknown entity");
  }
  void element() {
    expect("<");
    const size_t index = elements_.size();
    elements_.push_back({name(), {}, ""});
    for (skip_space(); at_ < text_.size() && text_[at_] != '>' && text_[at_] != '/'; skip_space()) {
      const std::string key = name();
      expect("=\"");
      if (!elements_[index].attributes.emplace(key, characters('"')).second) fault("attribute twice: " + key);
      expect("\"");
    }
    if (take("/>")) return;
    expect(">");
    while (true) {
      elements_[index].text += characters('<');
      if (take("</")) break;
      element();
    }
    if (name() != elements_[index].name) fault("the wrong end tag");
    expect(">");
  }

  std::string_view text_;
  size_t at_ = 0;
  std::vector<XmlElement> elements_;
};

}  // namespace uncial::test
