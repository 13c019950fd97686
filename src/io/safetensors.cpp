#include "uncial/io/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <functional>
#include <nlohmann/json.hpp>
#include <set>

#include "io/atomic_writer.h"
#include "io/posix.h"
#include "io/safetensors_format.h"
#include "uncial/io/atomic_file.h"

namespace uncial::io {
namespace {

static_assert(std::endian::native == std::endian::little,
              "tensors are copied as they lie, and the format is little-endian");

constexpr std::string_view kSave = "save_safetensors", kLoad = "load_safetensors";

std::string_view format_name(DType dtype) {
  return std::find_if(kDTypeNames.begin(), kDTypeNames.end(), [&](const auto& n) { return n.dtype == dtype; })
      ->name;
}

std::string quoted(const std::string& text) {
  require(text.find('\0') == std::string::npos, kSave, ": the name '", printable(text),
          "' holds a NUL byte.");
  try {
    return nlohmann::json(text).dump();
  } catch (const nlohmann::json::exception&) {
    fail(ErrorKind::usage, kSave, ": the text '", printable(text), "' is not UTF-8.");
  }
}

void require_name(const std::string& name, std::set<std::string>& seen) {
  require(name.size() <= kMaxNameBytes, kSave, ": the name '", printable(name), "' has ", name.size(),
          " bytes, expected at most ", kMaxNameBytes, ".");
  require(name != kMetadataKey, kSave, ": ", kMetadataKey, " cannot name a tensor.");
  require(seen.insert(name).second, kSave, ": two tensors are called '", printable(name), "'.");
}

/// The JSON header, written by hand because its order matters, padded so that the tensors begin 8-byte
/// aligned.
std::string make_header(const TensorFile& file) {
  require(file.tensors.size() <= kMaxTensors, kSave, ": ", file.tensors.size(), " tensors, expected at most ",
          kMaxTensors, ".");
  std::string json = "{";
  const auto comma = [&] { return json.back() == '{' ? "" : ","; };
  if (!file.metadata.empty()) {
    json += join(quoted(std::string(kMetadataKey)), ":{");
    for (const auto& [key, value] : file.metadata) json += join(comma(), quoted(key), ":", quoted(value));
    json += "}";
  }
  std::set<std::string> seen;
  int64_t offset = 0;
  for (const auto& [name, tensor] : file.tensors) {
    require_name(name, seen);
    json += join(comma(), quoted(name), ":{\"dtype\":\"", format_name(tensor.dtype()), "\",\"shape\":[");
    for (int i = 0; i < tensor.rank(); ++i) json += join(i > 0 ? "," : "", tensor.shape()[i]);
    json += join("],\"data_offsets\":[", offset, ",", offset + tensor.bytes(), "]}");
    offset += tensor.bytes();
  }
  json += "}";
  json.resize((json.size() + 7) / 8 * 8, ' ');
  require(int64_t(json.size()) <= kMaxHeaderBytes, kSave, ": the header has ", json.size(),
          " bytes, expected at most ", kMaxHeaderBytes, "; shorten names or metadata.");
  return json;
}

/// Only 0 and 1 are bools: any other byte in a bool is undefined behaviour in whoever reads it.
void check_bools(const Tensor& tensor, const std::string& name, const std::string& where) {
  const auto* bytes = static_cast<const uint8_t*>(tensor.view().data);
  const auto* end = bytes + tensor.bytes();
  if (const auto* bad = std::find_if(bytes, end, [](uint8_t b) { return b > 1; }); bad != end)
    fail(ErrorKind::data, where, ": '", printable(name), "': element ", bad - bytes, " is ", int(*bad),
         ", expected 0 or 1 for BOOL. The file is damaged.");
}

/// A file or memory, read from its start on.
struct Source {
  int64_t size;
  std::function<void(void*, size_t)> read;  ///< copies the next so many bytes, which are there
};

std::string read_header(const Source& file, const std::string& where) {
  if (file.size < 8)
    fail(ErrorKind::data, where, ": ", file.size,
         " bytes, expected at least 8. This is no safetensors file.");
  uint64_t length = 0;
  file.read(&length, sizeof length);
  const auto left = uint64_t(file.size - 8);
  if (length == 0 || length > uint64_t(kMaxHeaderBytes) || length > left)
    fail(ErrorKind::data, where, "@byte 0: header length ", length, ", expected 1 to ",
         std::min(uint64_t(kMaxHeaderBytes), left),
         ". The file is cut off, no safetensors file, or of the other byte order.");
  std::string json(size_t(length), '\0');
  file.read(json.data(), json.size());
  return json;
}

TensorFile read_tensors(const Source& file, const std::string& where) {
  const std::string json = read_header(file, where);
  SafetensorsHeader header = parse_safetensors_header(json, file.size - 8 - int64_t(json.size()), where);

  TensorFile out;
  out.metadata = std::move(header.metadata);
  out.tensors.reserve(header.tensors.size());
  for (TensorEntry& entry : header.tensors) {
    Tensor tensor = empty(entry.shape, entry.dtype);
    file.read(tensor.view().data, size_t(tensor.bytes()));
    if (entry.dtype == DType::boolean) check_bools(tensor, entry.name, where);
    out.tensors.emplace_back(std::move(entry.name), std::move(tensor));
  }
  return out;
}

}  // namespace

bool TensorFile::contains(const std::string& name) const {
  return std::any_of(tensors.begin(), tensors.end(), [&](const auto& t) { return t.first == name; });
}

const Tensor& TensorFile::at(const std::string& name) const {
  for (const auto& [key, tensor] : tensors)
    if (key == name) return tensor;
  constexpr size_t kListed = 20;
  std::string names;
  for (size_t i = 0; i < std::min(kListed, tensors.size()); ++i)
    names += (i > 0 ? ", " : "") + printable(tensors[i].first);
  if (tensors.size() > kListed) names += join(" and ", tensors.size() - kListed, " more");
  fail(ErrorKind::data, "TensorFile: no tensor '", printable(name), "'; there are ",
       tensors.empty() ? "none" : names, ".");
}

void save_safetensors(const std::filesystem::path& path, const TensorFile& file) {
  const std::string header = make_header(file);
  const uint64_t length = header.size();
  AtomicWriter writer(kSave, path);
  writer.write(&length, sizeof length);
  writer.write(header.data(), header.size());
  for (const auto& [name, tensor] : file.tensors) {
    const Tensor flat = tensor.detach().to(Device::cpu()).contiguous();
    writer.write(flat.view().data, size_t(flat.bytes()));
  }
  writer.commit();
}

TensorFile load_safetensors(const std::filesystem::path& path) {
  FileReader file(kLoad, path);
  return read_tensors({file.size(), [&](void* to, size_t bytes) { file.read(to, bytes); }},
                      join(kLoad, ": ", printable(path.native())));
}

TensorFile load_safetensors(std::span<const std::byte> bytes, const std::string& name) {
  auto next = [left = bytes](void* to, size_t count) mutable {
    if (count > 0) std::memcpy(to, left.data(), count);  // memory of no bytes may be a null pointer
    left = left.subspan(count);
  };
  return read_tensors({int64_t(bytes.size()), std::move(next)}, join(kLoad, ": ", printable(name)));
}

}  // namespace uncial::io
