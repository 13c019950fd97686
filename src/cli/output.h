#pragma once
/// Where programs put their results, and what they may replace there.

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "uncial/vision/canvas.h"

namespace uncial::cli {

/// The folders of results, opened for writing. One program at a time: a second one gets Error(io) naming the
/// first one's process.
class Output {
 public:
  /// Makes root/folder for each of `folders`, proves by a probe that they can be written, and locks `root`.
  Output(std::filesystem::path root, const std::vector<std::string>& folders, bool overwrite);
  ~Output();
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  /// root/relative, once it is sure that nothing foreign is there: see claim_file(). Call it for every
  /// result before long work begins.
  std::filesystem::path claim(const std::filesystem::path& relative) const;
  /// Claims and saves atomically; a picture as PNG.
  void save(const std::filesystem::path& relative, const vision::Canvas& picture) const;
  /// For figures/NAME.png and figures/NAME.svg: both files of one picture.
  void claim_figure(const std::string& name) const;
  void save_figure(const std::string& name, const vision::Canvas& picture);
  /// The files of the figures that were saved, below the root.
  const std::vector<std::string>& figures() const { return figures_; }
  void save(const std::filesystem::path& relative, const nlohmann::ordered_json& value) const;
  void save_text(const std::filesystem::path& relative, const std::string& text) const;

 private:
  std::filesystem::path root_;
  int lock_ = -1;
  bool overwrite_;
  std::vector<std::string> figures_;
};

/// Throws Error(io) unless nothing is at `path` or a file that these programs made; with `overwrite` removes
/// what is in the way, but never a folder with something in it. A file is taken for our own by its mark: see
/// is_own_file() (cli/own_file.h).
void claim_file(const std::filesystem::path& path, bool overwrite);

/// Saves with the mark and a line feed at the end, atomically.
void save_json(const std::filesystem::path& path, const nlohmann::ordered_json& value, bool overwrite);

/// PNG bytes with a "Software" text chunk that says who made them.
std::string stamped_png(const std::string& png);
/// SVG with a comment in front that says the same.
std::string stamped_svg(const std::string& svg);

/// Reads a JSON file. Throws Error(io), or Error(data) with the byte where it is wrong.
nlohmann::ordered_json load_json(const std::filesystem::path& path);

}  // namespace uncial::cli
