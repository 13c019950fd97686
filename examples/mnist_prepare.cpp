// Finds the data set or downloads it, checks it, counts its classes, and writes which images are for
// validation.
#include <nlohmann/json.hpp>

#include "cli/output.h"
#include "cli/program.h"
#include "cli/training.h"
#include "uncial/core/error.h"
#include "uncial/data/download.h"
#include "uncial/io/atomic_file.h"

namespace {

using namespace uncial;

/// What is on disk, or else what a mirror has. Whatever comes was checked against pinned checksums.
data::Splits find_or_download(const cli::Program& program, const std::string& name) {
  try {
    return cli::find_data(program.root(), name);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::io && error.kind() != ErrorKind::data) throw;
    program.note(std::string(error.what()) + "\ndownloading it");
  }
  const auto progress = [&](std::string_view file, int64_t done, int64_t total) {
    if (done == total) program.note(fmt::format("{}: {} bytes", file, total));
  };
  const auto folder = data::download(name, {.directory = program.root() / "data", .progress = progress});
  return data::load(name, {.directory = folder});
}

void print_counts(const cli::Program& program, const data::Dataset& part) {
  std::string line = fmt::format("{:<22}", part.name());
  for (const int64_t count : part.class_counts()) line += fmt::format(" {:>6}", count);
  program.print("{} {:>7}\n", line, part.size());
}

void run(cli::Program& program) {
  std::string name = "mnist";
  int64_t validation = 5'000;
  program.choice("--dataset", name, data::names(), "Which data set");
  program.number("--validation", validation, {1, 1'000'000}, "Training images to set aside");
  program.parse();
  const cli::Output& output = program.open_output({"data"});
  const std::string split_file = "data/" + name + "_split.json";
  output.claim(split_file);

  const data::Splits set = find_or_download(program, name);
  const auto [train, held_out] = set.train.split({.validation = validation});
  const Shape shape = set.train.sample_shape();
  program.print("{}: {} training and {} test images of {}x{} pixels, checksums right\n", name,
                set.train.size(), set.test.size(), shape[2], shape[1]);
  std::string header = fmt::format("{:<22}", "images of class");
  for (const std::string& label : set.train.classes()) header += fmt::format(" {:>6.6}", label);
  program.print("{} {:>7}\n", header, "all");
  for (const data::Dataset* part : {&set.train, &set.test}) print_counts(program, *part);
  program.print("split: {} for training, {} for validation, listed in {}\n", train.size(), held_out.size(),
                io::printable((program.root() / split_file).native()));

  std::vector<int64_t> indices;
  for (int64_t i = 0; i < held_out.size(); ++i) indices.push_back(held_out.source_index(i));
  const nlohmann::ordered_json results = {{"dataset", name},
                                          {"fingerprint", set.train.fingerprint()},
                                          {"classes", set.train.classes()},
                                          {"train_counts", set.train.class_counts()},
                                          {"test_counts", set.test.class_counts()},
                                          {"validation_indices", indices}};
  output.save(split_file, results);
  program.save_results(results);
}

}  // namespace

int main(int argc, char** argv) {
  return cli::run_main("mnist_prepare", "Finds or downloads the data, checks it, and writes the split", argc,
                       argv, run);
}
