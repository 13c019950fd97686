#pragma once
/// The figures that the programs make: each is figures/NAME.png and figures/NAME.svg.

#include <filesystem>
#include <span>
#include <string>

namespace uncial::cli {

struct FigureInfo {
  const char *name, *program;  ///< the program that draws it
  const char* group;           ///< heading in the report
  const char* caption;
};
/// In the order of the report.
std::span<const FigureInfo> figure_list();

/// Reads both files of a figure below `root` and returns a remark, "" when neither is there. Throws Error(io)
/// when one is missing, and Error(data) when one is damaged or they are not of one picture.
std::string check_figure(const std::filesystem::path& root, const FigureInfo& figure);

}  // namespace uncial::cli
