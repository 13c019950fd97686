#pragma once
/// Where programs find what they need.

#include <filesystem>

namespace uncial::cli {

/// Where results go without --out: the repository when the program runs from its build tree and the sources
/// are still there and writable, else the current folder.
std::filesystem::path default_root();

/// The folder of the shipped network descriptions: in the installation this program belongs to, or in the
/// source tree it was built from. Throws Error(io) when it is in neither.
std::filesystem::path network_folder();

}  // namespace uncial::cli
