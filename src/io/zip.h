#pragma once
/// Taking single files out of a zip archive, by name. Nothing is ever unpacked under a name from the archive.

#include <filesystem>
#include <string>
#include <string_view>

namespace uncial::io {

/// Content of the file `name` in `archive`, at most `limit` bytes (stored or deflated, no zip64, no
/// encryption, one disk; source: PKWARE APPNOTE 6.3.10). Throws Error(io) when the archive cannot be read and
/// Error(data) when it is damaged, has no such file, or more than 65,535 entries.
std::string read_zip_member(const std::filesystem::path& archive, std::string_view name, int64_t limit);

}  // namespace uncial::io
