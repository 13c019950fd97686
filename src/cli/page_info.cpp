#include "cli/page_info.h"

#include <nlohmann/json.hpp>

#include "cli/base64.h"
#include "uncial/nn/summary.h"

namespace uncial::cli {

PageInfo info_of(const nn::Module& net, std::string network, std::string origin) {
  const nn::Summary summary = nn::summary(net, {1, 1, 28, 28});
  PageInfo info{.network = std::move(network),
                .origin = std::move(origin),
                .parameters = summary.parameters,
                .multiply_adds = summary.multiply_adds,
                .classes = {}};
  for (int digit = 0; digit < 10; ++digit) info.classes.push_back(std::to_string(digit));
  return info;
}

std::string info_json(const PageInfo& info) {
  using Json = nlohmann::ordered_json;
  Json examples = Json::array(), rows = Json::array();
  for (const LabelledImage& example : info.examples)
    examples.push_back({{"label", example.label}, {"pixels", base64(example.pixels)}});
  for (const auto& images : info.augmented) {
    Json row = Json::array();
    for (const ImageBytes& image : images) row.push_back(base64(image));
    rows.push_back(std::move(row));
  }
  const Json augmentation =
      info.augmentation.empty() ? Json() : Json{{"text", info.augmentation}, {"rows", std::move(rows)}};
  const Json all{{"network", info.network},
                 {"origin", info.origin},
                 {"parameters", info.parameters},
                 {"multiply_adds", info.multiply_adds},
                 {"accuracy", info.accuracy ? Json(*info.accuracy) : Json()},
                 {"classes", info.classes},
                 {"examples", std::move(examples)},
                 {"augmentation", augmentation},
                 {"training", info.training}};
  return all.dump(-1, ' ', false, Json::error_handler_t::replace);  // file names may hold any bytes
}

}  // namespace uncial::cli
