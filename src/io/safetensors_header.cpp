#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "io/safetensors_format.h"
#include "uncial/core/error.h"
#include "uncial/io/atomic_file.h"

namespace uncial::io {
namespace {

using Json = nlohmann::json;

/// Receives the parser's events. The header has one legal form, so this walks through it instead of building
/// a tree: depth is at most 3, memory is what the tensors need, and duplicate keys, which a tree would drop
/// without a word, are seen.
class HeaderHandler : public nlohmann::json_sax<Json> {
 public:
  explicit HeaderHandler(const std::string& where) : where_(where) {}
  SafetensorsHeader take() { return std::move(header_); }

  bool key(std::string& text) override {
    if (text.find('\0') != std::string::npos) bad("a name holds a NUL byte");
    if (text.size() > kMaxNameBytes)
      bad(join("a name has ", text.size(), " bytes, expected at most ", kMaxNameBytes));
    switch (place_) {
      case Place::top:
        return top_key(text);
      case Place::metadata:
        if (header_.metadata.contains(text)) bad("the key appears twice in __metadata__", text);
        key_ = text;
        return true;
      case Place::tensor:
        return tensor_key(text);
      default:
        return unexpected("a key");
    }
  }

  bool start_object(size_t) override {
    if (place_ == Place::start) return go(Place::top);
    if (place_ == Place::value && key_ == kMetadataKey) return go(Place::metadata);
    if (place_ == Place::value) return go(Place::tensor);
    return unexpected("an object");
  }

  bool end_object() override {
    if (place_ == Place::tensor) {
      if (!dtype_ || !shape_ || !offsets_) bad("needs dtype, shape and data_offsets", name_);
      header_.tensors.push_back({name_, *dtype_, *shape_, (*offsets_)[0], (*offsets_)[1]});
    }
    return go(place_ == Place::top ? Place::end : Place::top);
  }

  bool start_array(size_t) override {
    if (place_ != Place::field || key_ == "dtype") return unexpected("an array");
    numbers_.clear();
    return go(Place::numbers);
  }

  bool end_array() override {
    if (key_ == "shape") {
      if (numbers_.size() > size_t(kMaxRank))
        bad(join("shape has ", numbers_.size(), " extents, expected at most ", kMaxRank), name_);
      shape_ = Shape(std::span<const int64_t>(numbers_));
    } else {
      if (numbers_.size() != 2)
        bad(join("data_offsets has ", numbers_.size(), " numbers, expected 2"), name_);
      offsets_ = {numbers_[0], numbers_[1]};
    }
    return go(Place::tensor);
  }

  bool number_unsigned(number_unsigned_t value) override {
    if (place_ != Place::numbers) return unexpected("a number");
    if (value > uint64_t(INT64_MAX)) bad(join(value, " in ", key_, " is too large"), name_);
    // No early stop is needed for long arrays: the header's length bounds them.
    numbers_.push_back(int64_t(value));
    return true;
  }
  bool number_integer(number_integer_t value) override {
    if (place_ != Place::numbers) return unexpected("a number");
    bad(join(value, " in ", key_, ", expected an integer >= 0"), name_);
  }
  bool number_float(number_float_t, const std::string& text) override {
    if (place_ != Place::numbers) return unexpected("a number");
    bad(join(printable(text), " in ", key_, ", expected an integer in [0, 2^63)"), name_);
  }

  bool string(std::string& text) override {
    if (place_ == Place::metadata) {
      header_.metadata[key_] = text;
      return true;
    }
    if (place_ != Place::field || key_ != "dtype") return unexpected("a text");
    for (const DTypeName& known : kDTypeNames)
      if (known.name == text) dtype_ = known.dtype;
    if (!dtype_)
      bad(join("dtype ", printable(text), ", expected F32, F64, BF16, I64, I32, U8 or BOOL"), name_);
    return go(Place::tensor);
  }

  bool null() override { return unexpected("null"); }
  bool boolean(bool) override { return unexpected("a truth value"); }
  bool binary(binary_t&) override { return unexpected("binary data"); }
  bool parse_error(size_t position, const std::string& token, const Json::exception& error) override {
    // The parser's message begins with a tag of its own.
    std::string cause = error.what();
    if (const size_t at = cause.find("parse error"); at != std::string::npos) cause.erase(0, at);
    fail(ErrorKind::data, where_, "@byte ", 8 + position, ": the header is no valid JSON near '",
         printable(token), "': ", printable(cause), ". Write the file again.");
  }

 private:
  enum class Place { start, top, value, metadata, tensor, field, numbers, end };

  bool go(Place place) {
    place_ = place;
    return true;
  }

  bool top_key(const std::string& text) {
    if (!names_.insert(text).second) bad("the name appears twice", text);
    if (names_.size() > kMaxTensors) bad(join("more than ", kMaxTensors, " tensors"));
    key_ = name_ = text;
    dtype_.reset(), shape_.reset(), offsets_.reset();
    return go(Place::value);
  }

  bool tensor_key(const std::string& text) {
    const bool again =
        (text == "dtype" && dtype_) || (text == "shape" && shape_) || (text == "data_offsets" && offsets_);
    if (again) bad(join("has ", text, " twice"), name_);
    if (text != "dtype" && text != "shape" && text != "data_offsets")
      bad(join("unknown key '", printable(text), "', expected dtype, shape and data_offsets"), name_);
    key_ = text;
    return go(Place::field);
  }

  bool unexpected(std::string_view what) {
    if (place_ == Place::metadata) bad(join("__metadata__ holds ", what, ", expected texts"), key_);
    if (place_ == Place::start) bad(join("the header is ", what, ", expected an object"));
    bad(join("unexpected ", what), name_);
  }

  [[noreturn]] void bad(const std::string& cause) const {
    fail(ErrorKind::data, where_, ": header: ", cause, ". Write the file again.");
  }
  [[noreturn]] void bad(const std::string& cause, const std::string& name) const {
    fail(ErrorKind::data, where_, ": '", printable(name), "': ", cause, ". Write the file again.");
  }

  const std::string& where_;
  SafetensorsHeader header_;
  Place place_ = Place::start;
  std::set<std::string> names_;  // a tree, not a hash table: no set of names can make it slow
  std::string name_, key_;
  std::optional<DType> dtype_;
  std::optional<Shape> shape_;
  std::optional<std::array<int64_t, 2>> offsets_;
  std::vector<int64_t> numbers_;
};

/// Bytes of a tensor of this shape, or nothing when that is no int64. Extents beside a 0 must fit as well:
/// strides are computed from them.
std::optional<int64_t> checked_bytes(const TensorEntry& t) {
  int64_t bytes = size_of(t.dtype);
  bool zero = false;
  for (const int64_t extent : t.shape) {
    zero = zero || extent == 0;
    if (extent != 0 && __builtin_mul_overflow(bytes, extent, &bytes)) return std::nullopt;
  }
  return zero ? 0 : bytes;
}

void check_ranges(const SafetensorsHeader& header, int64_t payload_bytes, const std::string& where) {
  int64_t cursor = 0;
  const TensorEntry* before = nullptr;
  const auto before_name = [&] {
    return before ? join("'", printable(before->name), "'") : std::string("the start");
  };
  for (const TensorEntry& t : header.tensors) {
    const auto bad = [&](const auto&... parts) {
      fail(ErrorKind::data, where, ": '", printable(t.name), "': data_offsets [", t.begin, ", ", t.end, ")",
           parts..., ". Write the file again.");
    };
    if (t.end < t.begin) bad(" are reversed");
    if (t.end > payload_bytes)
      bad(" pass the end, expected at most ", payload_bytes, "; the file is cut off or damaged");
    if (t.begin != cursor)
      bad(t.begin < cursor ? " overlap or precede " : " leave a hole after ", before_name(),
          ", which ends at ", cursor);
    const auto bytes = checked_bytes(t);
    if (!bytes || *bytes != t.end - t.begin)
      bad(" hold ", t.end - t.begin, " bytes, expected ",
          bytes ? join(*bytes) : std::string("more than 2^63"), " for shape ", t.shape, " of ", t.dtype);
    cursor = t.end;
    before = &t;
  }
  if (cursor != payload_bytes)
    fail(ErrorKind::data, where, ": ", payload_bytes - cursor, " bytes follow ", before_name(),
         ", which ends at ", cursor, ", expected the end of the file. Write the file again.");
}

}  // namespace

SafetensorsHeader parse_safetensors_header(std::string_view json, int64_t payload_bytes,
                                           const std::string& where) {
  if (json.front() != '{')
    fail(ErrorKind::data, where, "@byte 8: the header starts with '", printable(json.substr(0, 1)),
         "', expected '{'. This is no safetensors file.");
  const size_t last = json.find_last_not_of(' ');
  if (json[last] != '}')
    fail(ErrorKind::data, where, "@byte ", 8 + last, ": the header ends with '",
         printable(json.substr(last, 1)), "', expected '}' and spaces. Write the file again.");
  HeaderHandler handler(where);
  Json::sax_parse(json.begin(), json.end(), &handler);
  SafetensorsHeader header = handler.take();
  check_ranges(header, payload_bytes, where);
  return header;
}

}  // namespace uncial::io
