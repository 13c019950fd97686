#include "cli/profile_flag.h"

#include <nlohmann/json.hpp>

#include "cli/output.h"
#include "cli/program.h"
#include "uncial/io/atomic_file.h"

namespace uncial::cli {

ProfileFlag::ProfileFlag(Program& program) : program_(program) {
  program.text("--profile", file_, "Say where the time goes, and write a trace for ui.perfetto.dev", "FILE");
}

void ProfileFlag::start() {
  if (file_.empty()) return;
  const std::filesystem::path folder = std::filesystem::path(file_).parent_path();
  io::require_writable_folder(folder.empty() ? "." : folder);
  claim_file(file_, program_.common().overwrite);
  scope_.emplace(profile_);
}

void ProfileFlag::finish() {
  if (!scope_) return;
  scope_.reset();
  save_json(file_, nlohmann::ordered_json::parse(profile_.trace_json()), program_.common().overwrite);
  program_.note(profile_.table(measure_peak_flops()));
}

}  // namespace uncial::cli
