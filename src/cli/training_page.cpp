#include "cli/training_page.h"

#include "cli/page_answers.h"
#include "cli/page_info.h"
#include "cli/program.h"
#include "cli/serve_flag.h"

namespace uncial::cli {
namespace {

constexpr int kRows = 5, kDraws = 9;  // of the preview of augmentation

std::string facts(const Network& network, const nn::Module& net, const MnistData& data, const Recipe& recipe,
                  uint64_t seed) {
  PageInfo info =
      info_of(net, network.name, fmt::format("trained on {} images, seed {}", data.train.size(), seed));
  info.examples = example_images(data.test);
  if (const vision::Augment augment = recipe.augment.make()) {
    info.augmentation = recipe.augment.text();
    info.augmented = augmented_images(data.train, augment, seed, kRows, kDraws);
  }
  info.training = true;
  return info_json(info);
}

}  // namespace

TrainingPage::TrainingPage(Program& program, const ServeAddress& address, const Network& network,
                           const nn::Module& net, const MnistData& data, const Recipe& recipe, uint64_t seed)
    : program_(program),
      data_(data),
      model_(net),
      training_(model_, hub_, data.validation),
      info_(facts(network, net, data, recipe, seed)),
      server_(address, {.info = [this] { return info_; },
                        .predict = [this](std::span<const uint8_t> pixels) { return model_.answer(pixels); },
                        .hub = &hub_}) {
  announce_page(program, server_.url());
}

TrainingPage::~TrainingPage() {
  if (!done_) training_.end("stopped");
}

void TrainingPage::show(const TrainedNetwork& trained) {
  training_.complete(*trained.net, trained.report, data_.test);
}

void TrainingPage::done() {
  done_ = true;
  training_.end("done");
}

void TrainingPage::stay() {
  program_.close_output();  // others may work in the folder meanwhile
  program_.note(fmt::format("the page stays at {} until Ctrl-C", server_.url()));
  stay_until_stopped(program_);
}

}  // namespace uncial::cli
