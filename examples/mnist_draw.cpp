// A page to draw digits on: what a trained network reads, and what all its layers make of it.
//   mnist_draw                               the network that mnist_train left, at http://127.0.0.1:8080/
//   mnist_draw --model mine.safetensors --serve 127.0.0.1:0
#include "cli/page_answers.h"
#include "cli/page_info.h"
#include "cli/page_server.h"
#include "cli/program.h"
#include "cli/serve_flag.h"
#include "cli/served_model.h"
#include "cli/training.h"
#include "uncial/io/atomic_file.h"

namespace {

using namespace uncial;

void run(cli::Program& program) {
  std::string model = "cnn";
  program.text("--model", model, "Trained network: cnn, ... or FILE.safetensors", "MODEL");
  cli::ServeFlag serve(program, "127.0.0.1:8080");
  program.parse();
  const std::optional<cli::ServeAddress> address = serve.address();
  require(address.has_value(), "--serve: got nothing, expected HOST:PORT such as 127.0.0.1:8080.");

  const auto net = cli::load_trained(program.root(), model, program.common().device);
  cli::require_finite_weights(*net, model);
  const data::Dataset test = cli::find_data(program.root()).test;
  const std::string name = std::filesystem::path(model).stem().native();
  cli::PageInfo info = cli::info_of(*net, io::printable(name), "");
  info.accuracy = train::evaluate(*net, test).accuracy;
  info.examples = cli::example_images(test);
  const std::string facts = cli::info_json(info);

  cli::ServedModel served(*net);
  const cli::PageServer server(
      *address, {.info = [&] { return facts; },
                 .predict = [&](std::span<const uint8_t> pixels) { return served.answer(pixels); }});
  cli::announce_page(program, server.url());
  program.note("open it in a browser; Ctrl-C ends the program");
  cli::stay_until_stopped(program);
}

}  // namespace

int main(int argc, char** argv) {
  return cli::run_main("mnist_draw", "Reads digits that you draw in a browser", argc, argv, run);
}
