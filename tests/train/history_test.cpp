#include "uncial/train/history.h"

#include "support/catch.h"
#include "support/locales.h"

using namespace uncial;

namespace {

train::History example() {
  return {
      .epochs =
          {{.epoch = 1, .loss = 0.1, .accuracy = 0.5, .lr = 1e-3, .seconds = 2, .samples_per_second = 1e4},
           {.epoch = 2,
            .loss = 1.0 / 3,
            .accuracy = 0.75,
            .validation_loss = 0.25,
            .validation_accuracy = 1,
            .lr = 5e-324,
            .seconds = 2.5,
            .samples_per_second = 123.456}},
      .best_epoch = 2,
      .stop_reason = "a \"quoted\" reason"};
}

}  // namespace

TEST_CASE("History as CSV: shortest exact numbers", "[train]") {
  CHECK(example().csv() ==
        "epoch,loss,accuracy,validation_loss,validation_accuracy,lr,seconds,samples_per_second\n"
        "1,0.1,0.5,nan,nan,0.001,2,10000\n"
        "2,0.3333333333333333,0.75,0.25,1,5e-324,2.5,123.456\n");
  CHECK(train::History{}.csv().find('\n') == train::History{}.csv().size() - 1);
}

TEST_CASE("History as JSON: NaN is null, texts are escaped", "[train]") {
  const std::string json = example().json();
  CHECK(json.find("\"validation_loss\": null") != std::string::npos);
  CHECK(json.find("\"best_epoch\": 2") != std::string::npos);
  CHECK(json.find("a \\\"quoted\\\" reason") != std::string::npos);
  CHECK(json.find("0.3333333333333333") != std::string::npos);
  CHECK(json.find("nan") == std::string::npos);
}

TEST_CASE("History's texts do not depend on the locale", "[train]") {
  const std::string csv = example().csv(), json = example().json();
  test::for_each_locale([&](const std::string& name) {
    INFO(name);
    char text[8];
    std::snprintf(text, sizeof text, "%.1f", 1.5);
    REQUIRE(std::string(text) == "1,5");  // or the locale would be none
    CHECK(example().csv() == csv);
    CHECK(example().json() == json);
  });
}
