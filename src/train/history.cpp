#include "uncial/train/history.h"

#include <nlohmann/json.hpp>

#include "train/number_text.h"
#include "uncial/core/error.h"

namespace uncial::train {

std::string History::csv() const {
  std::string text =
      "epoch,loss,accuracy,validation_loss,validation_accuracy,lr,seconds,samples_per_second\n";
  for (const EpochRecord& e : epochs) {
    text += join(e.epoch);
    for (const double value : {e.loss, e.accuracy, e.validation_loss, e.validation_accuracy, e.lr, e.seconds,
                               e.samples_per_second})
      text += join(",", shortest(value));
    text += "\n";
  }
  return text;
}

std::string History::json() const {
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (const EpochRecord& e : epochs)
    rows.push_back({{"epoch", e.epoch},
                    {"loss", e.loss},
                    {"accuracy", e.accuracy},
                    {"validation_loss", e.validation_loss},
                    {"validation_accuracy", e.validation_accuracy},
                    {"lr", e.lr},
                    {"seconds", e.seconds},
                    {"samples_per_second", e.samples_per_second}});
  const nlohmann::ordered_json whole = {
      {"best_epoch", best_epoch}, {"stop_reason", stop_reason}, {"epochs", std::move(rows)}};
  return whole.dump(2, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace uncial::train
