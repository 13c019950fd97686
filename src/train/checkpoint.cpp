#include <filesystem>

#include "train/number_text.h"
#include "train/state.h"
#include "uncial/core/log.h"
#include "uncial/io/atomic_file.h"
#include "uncial/io/safetensors.h"
#include "uncial/train/callback.h"
#include "uncial/train/model_file.h"

namespace uncial::train {
namespace {

using Path = std::filesystem::path;

constexpr const char *kFormatKey = "format", *kFormat = "uncial-checkpoint";
constexpr const char *kVersionKey = "format_version", *kVersion = "1";
constexpr const char* kDigestKey = "sha256";

void require_file_or_nothing(const Path& path) {
  std::error_code ignored;
  const auto status = std::filesystem::symlink_status(path, ignored);
  if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status))
    fail(ErrorKind::io, "Checkpoint: ", io::printable(path.native()),
         ": something else is in the way, expected a file or nothing. Move it away, or choose another "
         "prefix.");
}

/// Reads a checkpoint and proves that it is whole. Throws Error(data) or Error(io).
RunState read_state(const Path& path) {
  io::TensorFile file = io::load_safetensors(path);
  const std::string where = join("Checkpoint: ", io::printable(path.native()));
  const auto expect = [&](const char* key, const std::string& expected) {
    const std::string got = file.metadata.contains(key) ? file.metadata.at(key) : "nothing";
    if (got != expected)
      fail(ErrorKind::data, where, ": ", key, ": got ", io::printable(got), ", expected ", expected,
           ". The file is damaged, or not a checkpoint of this version.");
  };
  expect(kFormatKey, kFormat);
  expect(kVersionKey, kVersion);
  RunState state{.tensors = std::move(file.tensors), .texts = file.metadata};
  state.texts.erase(kDigestKey);
  expect(kDigestKey, digest(state));
  return state;
}

class CheckpointWriter final : public Callback {
 public:
  CheckpointWriter(const Path& prefix, const CheckpointOptions& options)
      : options_(options),
        best_(with_suffix(prefix, "_best")),
        final_(with_suffix(prefix, "_final")),
        newest_(with_suffix(prefix, "_checkpoint")),
        previous_(with_suffix(prefix, "_checkpoint.prev")) {}

  void on_start(const nn::Module&) override {
    io::require_writable_folder(newest_.has_parent_path() ? newest_.parent_path() : ".");
    for (const Path& path : {best_, final_, newest_, previous_}) require_file_or_nothing(path);
    newest_is_whole_ = false;
  }

  std::string on_epoch(const EpochView& view) override {
    const EpochRecord& now = view.history.epochs.back();
    if (options_.best && view.history.best_epoch == now.epoch) save(best_, view);
    return {};
  }

  void on_complete(const EpochView& view) override {
    if (options_.final) save(final_, view);
  }

  bool keeps_state() const override { return options_.resumable; }

  void on_save(const RunState& state) override {
    if (!options_.resumable) return;
    RunState whole = state;
    whole.texts.insert_or_assign(kFormatKey, kFormat);
    whole.texts.insert_or_assign(kVersionKey, kVersion);
    const std::string sum = digest(whole);
    whole.texts[kDigestKey] = sum;
    keep_previous();
    io::save_safetensors(newest_, {.tensors = whole.tensors, .metadata = whole.texts});
    newest_is_whole_ = true;
  }

  std::optional<RunState> saved() override {
    const bool has_newest = std::filesystem::exists(newest_),
               has_previous = std::filesystem::exists(previous_);
    if (!has_newest && !has_previous) return std::nullopt;
    if (!has_newest) return fall_back("it is missing");
    try {
      RunState state = read_state(newest_);
      newest_is_whole_ = true;
      return state;
    } catch (const Error& e) {
      if (!has_previous) throw;
      return fall_back(e.what());
    }
  }

  std::string name() const override { return "checkpoint"; }

 private:
  static Path with_suffix(Path path, const char* suffix) { return path += join(suffix, ".safetensors"); }

  static void save(const Path& path, const EpochView& view) {
    const EpochRecord& now = view.history.epochs.back();
    std::map<std::string, std::string> extra = {{"epoch", join(now.epoch)},
                                                {"best_epoch", join(view.history.best_epoch)}};
    if (!std::isnan(now.validation_accuracy)) {
      extra["validation_accuracy"] = shortest(now.validation_accuracy);
      extra["validation_loss"] = shortest(now.validation_loss);
    }
    save_model(path, view.net, view.weights, extra);
  }

  /// The newest becomes the previous one, unless it is not known to be whole: a damaged file must not replace
  /// a good one.
  void keep_previous() {
    if (!newest_is_whole_) return;
    std::error_code error;
    std::filesystem::rename(newest_, previous_, error);
    if (error)
      fail(ErrorKind::io, "Checkpoint: cannot rename ", io::printable(newest_.native()), " to ",
           io::printable(previous_.native()), ": ", error.message(), ".");
    newest_is_whole_ = false;  // until the save that follows succeeds, there is no newest one
  }

  std::optional<RunState> fall_back(const std::string& why) const {
    RunState state = read_state(previous_);
    log(LogLevel::warning, join("resuming from ", io::printable(previous_.native()), " instead of ",
                                io::printable(newest_.native()), ": ", why));
    return state;
  }

  CheckpointOptions options_;
  Path best_, final_, newest_, previous_;
  bool newest_is_whole_ = false;
};

}  // namespace

CallbackPtr Checkpoint(const std::filesystem::path& prefix, const CheckpointOptions& options) {
  require(prefix.has_filename(), "Checkpoint: the prefix '", io::printable(prefix.native()),
          "' must end with a name, such as models/mnist.");
  return std::make_shared<CheckpointWriter>(prefix, options);
}

}  // namespace uncial::train
