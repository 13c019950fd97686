// What src/cli/page/backend_wasm.js calls: a network from memory, and what it makes of an image. Replies are
// JSON; one with "error" says what went wrong, as exceptions mean nothing to JavaScript.
#if defined(__EMSCRIPTEN__)
#include <emscripten.h>
#else
#define EMSCRIPTEN_KEEPALIVE  // its test is an ordinary program
#endif

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>

#include "cli/look.h"
#include "cli/page_info.h"
#include "uncial/core/error.h"
#include "uncial/train/model_file.h"

namespace {

using namespace uncial;

// A page has one network, and reads a reply before it asks again.
std::optional<cli::Looker> looker;
std::string reply;

template <class Ask>
const char* reply_of(const Ask& ask) {
  try {
    reply = ask();
  } catch (const std::exception& e) {
    const nlohmann::json error = {{"error", e.what()}};
    reply = error.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  }
  return reply.c_str();
}

std::string open_network(std::span<const std::byte> file) {
  const std::shared_ptr<nn::Module> net = train::load_model(file, "the network in this page").net;
  looker.emplace(net);
  return cli::info_json(cli::info_of(*net, "", ""));
}

std::string predict(std::span<const uint8_t> pixels) {
  require(looker.has_value(), "demo: uncial_predict() before uncial_open().");
  return cli::look_json((*looker)(pixels));
}

}  // namespace

extern "C" {

/// Takes a model file; replies with info_json(), in which names and examples are for the page to fill in.
EMSCRIPTEN_KEEPALIVE const char* uncial_open(const std::byte* file, size_t bytes) {
  return reply_of([&] { return open_network({file, bytes}); });
}

/// Takes the 28 x 28 pixels of an image, 0 = paper, 255 = ink; replies with look_json().
EMSCRIPTEN_KEEPALIVE const char* uncial_predict(const uint8_t* pixels, size_t count) {
  return reply_of([&] { return predict({pixels, count}); });
}
}
