#pragma once
/// Where data sets lie on this machine.

#include <filesystem>
#include <string_view>
#include <vector>

namespace uncial::data {

/// Folders that may hold the files of a data set whose own folder is called `set_folder`, in the order to
/// look. With an explicit `directory` only that one and its subfolder.
std::vector<std::filesystem::path> data_folders(const std::filesystem::path& directory,
                                                std::string_view set_folder);

/// The folder that download() writes below when none was named. Throws a usage Error when there is none.
std::filesystem::path download_root();

}  // namespace uncial::data
