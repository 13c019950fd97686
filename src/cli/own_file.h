#pragma once
/// How programs know their own results again (docs/decisions/0004-own-files.md).

#include <filesystem>

namespace uncial::cli {

/// True for a regular file with the exact mark that these programs write, at the exact place where they write
/// it: "generator" as the first member of JSON, the "Software" text after a PNG file's IHDR, a comment in
/// front of an SVG file's first tag, "format" in the metadata of safetensors, <meta name="generator"> in the
/// head of the report page, the first line of a history table. A file that merely speaks of uncial, and an
/// empty one, are not ours.
bool is_own_file(const std::filesystem::path& path);

}  // namespace uncial::cli
