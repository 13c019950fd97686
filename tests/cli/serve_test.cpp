#include <nlohmann/json.hpp>
#include <thread>

#include "cli/base64.h"
#include "cli/page_answers.h"
#include "cli/page_info.h"
#include "cli/serve_address.h"
#include "cli/serve_hub.h"
#include "cli/served_training.h"
#include "cli/token_bucket.h"
#include "cli/training.h"
#include "support/errors.h"

using namespace uncial;
using namespace std::chrono_literals;
using nlohmann::json;
using test::check_error;

TEST_CASE("base64", "[cli]") {  // RFC 4648, section 10
  CHECK(cli::base64(std::string_view("")) == "");
  CHECK(cli::base64(std::string_view("f")) == "Zg==");
  CHECK(cli::base64(std::string_view("fo")) == "Zm8=");
  CHECK(cli::base64(std::string_view("foobar")) == "Zm9vYmFy");
  CHECK(cli::base64(std::vector<unsigned char>{0xff, 0xfe, 0x00}) == "//4A");
}

TEST_CASE("addresses to serve at", "[cli]") {
  const auto url = [](const char* text, bool network = false) {
    return cli::parse_serve_address(text, network).url();
  };
  CHECK(url("127.0.0.1:8080") == "http://127.0.0.1:8080/");
  CHECK(url("8080") == "http://127.0.0.1:8080/");
  CHECK(url("localhost:0") == "http://127.0.0.1:0/");
  CHECK(url("127.8.9.1:80") == "http://127.8.9.1:80/");
  CHECK(url("[::1]:8080") == "http://[::1]:8080/");
  CHECK(url("0.0.0.0:8080", true) == "http://0.0.0.0:8080/");
  CHECK(url("[::]:8080", true) == "http://[::]:8080/");
  for (const char* text : {"0.0.0.0:8080", "192.168.1.5:8080", "[::]:8080", "[fe80::1]:8080"})
    check_error(
        ErrorKind::usage, [&] { url(text); }, text, "--serve-network", "127.0.0.1:8080");
  for (const char* text : {"", ":8080", "127.0.0.1", "127.0.0.1:", "::1:8080", "[::1", "[::1]8080"})
    check_error(
        ErrorKind::usage, [&] { url(text); }, "expected HOST:PORT");
  for (const char* text : {"example.org:8080", "127.0.0.1.evil:80", "127.1:80"})
    check_error(
        ErrorKind::usage, [&] { url(text); }, "expected an IP address or localhost");
  for (const char* text :
       {"127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:http", "127.0.0.1:80 ", "99999999999"})
    check_error(
        ErrorKind::usage, [&] { url(text); }, "port", "from 0 to 65535");
}

TEST_CASE("hosts and origins that are let in", "[cli]") {
  for (const char* host :
       {"localhost", "LocalHost:8080", "localhost:", "127.0.0.1:8080", "192.168.1.5:9000", "[::1]:8080"})
    CHECK(cli::is_trusted_host(host));
  for (const char* host :
       {"", "evil.example", "evil.example:8080", "localhost.evil.example", "127.0.0.1.evil.example:8080",
        "localhost:8080@evil.example", "::1", "[::1", "127.0.0.1 "}) {
    INFO(host);
    CHECK_FALSE(cli::is_trusted_host(host));
  }
  CHECK(cli::is_same_origin("", "127.0.0.1:8080"));
  CHECK(cli::is_same_origin("http://127.0.0.1:8080", "127.0.0.1:8080"));
  CHECK(cli::is_same_origin("https://127.0.0.1:8080", "127.0.0.1:8080"));
  for (const char* origin : {"null", "http://127.0.0.1", "http://127.0.0.1:8081", "http://evil.example",
                             "http://127.0.0.1:8080.evil.example", "file://127.0.0.1:8080"})
    CHECK_FALSE(cli::is_same_origin(origin, "127.0.0.1:8080"));
}

TEST_CASE("a bucket of tokens limits bursts and rates", "[cli]") {
  const auto start = cli::TokenBucket::Clock::time_point() + 1h;
  cli::TokenBucket bucket(10, 3, start);
  for (int i = 0; i < 3; ++i) CHECK(bucket.take(start));
  CHECK_FALSE(bucket.take(start));
  CHECK_FALSE(bucket.take(start + 90ms));
  CHECK(bucket.take(start + 110ms));
  CHECK_FALSE(bucket.take(start + 120ms));
  int taken = 0;  // however long nobody came, no more than the burst
  for (int i = 0; i < 10; ++i) taken += bucket.take(start + 10min);
  CHECK(taken == 3);
}

TEST_CASE("a hub tells every reader what is new, and the newest of it", "[cli]") {
  cli::ServeHub hub;
  CHECK(hub.news(0, 0ms).json.empty());
  hub.update({{"epoch", 1}, {"phase", "training"}});
  const auto first = hub.news(0, 0ms);
  CHECK(json::parse(first.json) == json({{"epoch", 1}, {"phase", "training"}}));
  CHECK(hub.news(first.version, 0ms).json.empty());
  hub.update({{"epoch", 2}});
  hub.update({{"epoch", 3}});
  CHECK(hub.news(first.version, 0ms).json == "{\"epoch\":3}");
  CHECK(json::parse(hub.news(0, 0ms).json) == json({{"epoch", 3}, {"phase", "training"}}));

  const uint64_t seen = hub.news(0, 0ms).version;
  std::thread writer([&] { hub.update({{"epoch", 4}}); });
  CHECK(hub.news(seen, 1h).json == "{\"epoch\":4}");  // waits for it
  writer.join();
}

TEST_CASE("a hub takes a few readers, and wakes them when it closes", "[cli]") {
  cli::ServeHub hub;
  std::vector<std::unique_ptr<cli::ServeHub::Reader>> readers;
  for (int i = 0; i < cli::ServeHub::kReaders; ++i) {
    readers.push_back(hub.join());
    REQUIRE(readers.back());
  }
  CHECK_FALSE(hub.join());
  readers.pop_back();
  CHECK(hub.readers() == cli::ServeHub::kReaders - 1);
  readers.push_back(hub.join());
  CHECK(readers.back());

  hub.update({{"phase", "stopped"}});
  hub.close();
  const auto last = hub.news(0, 1h);
  CHECK(last.json == "{\"phase\":\"stopped\"}");  // what came before the end is not lost
  CHECK(hub.news(last.version, 1h).json.empty());
  CHECK(hub.closed());
  CHECK_FALSE(hub.join());
}

namespace {

data::Dataset digits(int64_t n) {
  Tensor images = empty({n, 1, 28, 28}, DType::uint8), labels = empty({n}, DType::uint8);
  for (int64_t i = 0; i < images.size(); ++i) images.data<uint8_t>()[i] = uint8_t(i * 31 % 251);
  for (int64_t i = 0; i < n; ++i) labels.data<uint8_t>()[i] = uint8_t(i % 10);
  return data::Dataset("digits", images, labels, {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"});
}

json state(cli::ServeHub& hub) { return json::parse(hub.news(0, 0ms).json); }

}  // namespace

TEST_CASE("answers to a data set: counts, the surest errors first, then unsure right ones", "[cli]") {
  const data::Dataset data = digits(40);
  const auto net = cli::build_network(cli::find_network("tiny"), 1);
  const train::Report report = train::evaluate(*net, data);
  const json answers = cli::answers_json(report, data, "test images");
  int64_t total = 0;
  for (const json& row : answers["confusion"]["counts"])
    for (const json& count : row) total += count.get<int64_t>();
  CHECK(total == 40);
  const json& samples = answers["samples"];
  CHECK(samples["of"] == "test images");
  CHECK(samples["count"] == 40);
  CHECK(samples["errors"] == report.errors);
  double before = 1;
  bool right_came = false;
  for (const json& sample : samples["list"]) {
    const auto p = sample["probabilities"].get<std::vector<double>>();
    const auto best = std::max_element(p.begin(), p.end());
    const bool right = best - p.begin() == sample["label"];
    if (!right) {
      CHECK_FALSE(right_came);
      CHECK(*best <= before);
      before = *best;
    }
    right_came = right_came || right;
    CHECK(sample["pixels"].get<std::string>().size() == (784 + 2) / 3 * 4);
  }
}

TEST_CASE("facts and pictures of a page", "[cli]") {
  const data::Dataset data = digits(40);
  const auto net = cli::build_network(cli::find_network("tiny"), 1);
  cli::PageInfo info =
      cli::info_of(*net, "tiny", "a file \xff");  // a name in no encoding must not end the page
  info.examples = cli::example_images(data);
  json facts = json::parse(cli::info_json(info));
  CHECK(facts["parameters"] == net->parameter_count());
  CHECK(facts["accuracy"].is_null());
  CHECK(facts["augmentation"].is_null());
  CHECK(facts["training"] == false);
  CHECK(facts["examples"].size() == 10);
  CHECK(facts["examples"][7]["label"] == 7);

  info.augmentation = "shift=0.1";
  info.augmented = cli::augmented_images(data, vision::RandomAffine({.shift = 0.1}), 1, 3, 4);
  facts = json::parse(cli::info_json(info));
  const json& rows = facts["augmentation"]["rows"];
  REQUIRE(rows.size() == 3);
  REQUIRE(rows[0].size() == 5);
  CHECK(rows[0][0] == facts["examples"][0]["pixels"]);
  CHECK(rows[0][1] != rows[0][0]);
  CHECK(rows[0][1] != rows[0][2]);
}

TEST_CASE("a training is told step by step", "[cli]") {
  const data::Dataset data = digits(20);
  const auto net = cli::build_network(cli::find_network("tiny"), 1);
  cli::ServedModel model(*net);
  cli::ServeHub hub;
  cli::ServedTraining served(model, hub, data);
  const auto reader = hub.join();
  served.on_begin("seed 2");
  CHECK(state(hub)["phase"] == "training");
  CHECK(state(hub)["label"] == "seed 2");

  // Running means of 1 and 3 steps: the second point is of the two steps between.
  served.on_progress(
      *net, {.epoch = 1, .epochs = 1, .batch = 1, .batches = 4, .loss = 2, .accuracy = 0.1, .lr = 1});
  served.on_progress(
      *net, {.epoch = 1, .epochs = 1, .batch = 3, .batches = 4, .loss = 1, .accuracy = 0.5, .lr = 1});
  train::History history;
  history.epochs.push_back({.epoch = 1, .loss = 1, .accuracy = 0.5, .seconds = 2});
  served.on_epoch({.net = *net, .history = history, .weights = net->state_dict()});
  served.on_progress(*net,
                     {.epoch = 1, .epochs = 1, .batch = 4, .batches = 4, .finished = &history.epochs[0]});
  json now = state(hub);
  CHECK(now["steps"] == json({{0.25, 2.0, 0.1}, {0.75, 0.5, 0.7}}));
  CHECK(now["history"][0]["validation_accuracy"].is_null());
  CHECK(now["weights"] == 2);  // one of a step, one of the epoch

  while (!state(hub).contains("confusion")) std::this_thread::yield();  // the other thread's part
  CHECK(state(hub)["samples"]["of"] == "validation images");
  served.complete(*net, train::evaluate(*net, data), data);
  served.end("done");
  now = state(hub);
  CHECK(now["samples"]["of"] == "test images");
  CHECK(now["weights"] == 3);
  CHECK(now["phase"] == "done");
  CHECK(now["test_accuracy"].is_number());
}

TEST_CASE("a training that nobody watches hands over no weights", "[cli]") {
  const data::Dataset data = digits(20);
  const auto net = cli::build_network(cli::find_network("tiny"), 1);
  cli::ServedModel model(*net);
  cli::ServeHub hub;
  cli::ServedTraining served(model, hub, data);
  served.on_begin("");
  served.on_progress(*net, {.epoch = 1, .epochs = 1, .batch = 1, .batches = 4, .loss = 2, .accuracy = 0.1});
  const train::History history;
  served.on_epoch({.net = *net, .history = history, .weights = net->state_dict()});
  CHECK_FALSE(state(hub).contains("weights"));
  CHECK(state(hub)["epoch"] == 1);
}
