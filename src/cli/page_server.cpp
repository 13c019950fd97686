#include "cli/page_server.h"

#include <atomic>
#include <chrono>
#include <exception>
#include <string_view>
#include <thread>

#include "cli/base64.h"
#include "cli/bounded_server.h"
#include "cli/serve_hub.h"
#include "cli/token_bucket.h"
#include "uncial/core/error.h"
#include "uncial/core/sha256.h"

namespace uncial::cli {

/// The page, made of src/cli/page by inline_page.cmake.
extern const std::string_view kPage;

namespace {

using httplib::Request;
using httplib::Response;

constexpr size_t kPixels = 28 * 28;
constexpr double kQuestionsASecond = 120, kQuestionsAtOnce = 240;
constexpr std::chrono::milliseconds kBetweenSigns{5'000};  // of life, to find out that a reader has gone
constexpr const char* kJson = "application/json; charset=utf-8";
constexpr const char* kText = "text/plain; charset=utf-8";

void refuse(Response& response, int status, const std::string& text) {
  response.status = status;
  response.set_content(text + "\n", kText);
}

/// 'sha256-...' of the text between two marks of the page.
std::string hash_between(std::string_view begin, std::string_view end) {
  const size_t from = kPage.find(begin) + begin.size();
  const std::string_view text = kPage.substr(from, kPage.find(end, from) - from);
  const std::string hex = sha256_hex(text.data(), text.size());
  std::string bytes;
  for (size_t i = 0; i < hex.size(); i += 2) bytes += char(std::stoi(hex.substr(i, 2), nullptr, 16));
  return "'sha256-" + base64(bytes) + "'";
}

/// The page may run its own script and style, and ask this server; a browser refuses all else.
std::string content_policy() {
  return "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; img-src data:; "
         "connect-src 'self'; script-src " +
         hash_between("<script type=\"module\">", "</script>") + "; style-src " +
         hash_between("<style>", "</style>");
}

/// True when the request may go on to its handler, before its body is read.
bool admit(const Request& request, Response& response) {
  const std::string host = request.get_header_value("Host");
  if (!is_trusted_host(host)) {
    refuse(response, 403, "Host: expected localhost or an IP address. Open this page by one of them.");
  } else if (!is_same_origin(request.get_header_value("Origin"), host)) {
    refuse(response, 403, "Origin: expected this page itself.");
  } else if (request.method != "GET" && request.method != "POST") {
    refuse(response, 405, "Method: expected GET or POST.");
  } else if (request.method == "POST" &&
             (request.get_header_value("Content-Type") != "application/octet-stream" ||
              request.has_header("Content-Encoding"))) {
    refuse(response, 415, "Content-Type: expected application/octet-stream, not compressed.");
  } else {
    return true;
  }
  return false;
}

/// Events for one reader, until it goes, or nothing more will come.
void stream_events(ServeHub& hub, Response& response) {
  std::shared_ptr<ServeHub::Reader> reader = hub.join();
  if (!reader) return refuse(response, 503, "Too many pages are open on this training. Close one.");
  response.set_chunked_content_provider(
      "text/event-stream", [&hub, reader, seen = uint64_t(0)](size_t, httplib::DataSink& sink) mutable {
        const ServeHub::News news = hub.news(seen, kBetweenSigns);
        seen = news.version;
        if (news.json.empty() && hub.closed()) {
          sink.done();
          return true;
        }
        const std::string text = news.json.empty() ? ":\n\n" : "data: " + news.json + "\n\n";
        return sink.write(text.data(), text.size());
      });
}

}  // namespace

struct PageServer::State {
  State(ServeAddress where, PageContent what)
      : address(std::move(where)), content(std::move(what)), server(address), url(address.url()) {}

  ServeAddress address;
  PageContent content;
  BoundedServer server;
  std::string url;
  TokenBucket questions{kQuestionsASecond, kQuestionsAtOnce};
  std::atomic<bool> ended{false};
  std::thread thread;

  void route();
  void answer(const Request& request, Response& response);
};

void PageServer::State::route() {
  server.set_payload_max_length(kPixels);
  server.set_default_headers({{"Cache-Control", "no-store"},
                              {"X-Content-Type-Options", "nosniff"},
                              {"Referrer-Policy", "no-referrer"},
                              {"Cross-Origin-Resource-Policy", "same-origin"}});
  server.set_pre_routing_handler([](const Request& request, Response& response) {
    return admit(request, response) ? httplib::Server::HandlerResponse::Unhandled
                                    : httplib::Server::HandlerResponse::Handled;
  });
  server.set_exception_handler([](const Request&, Response& response, std::exception_ptr error) {
    try {
      std::rethrow_exception(error);
    } catch (const std::exception& e) {
      refuse(response, 500, e.what());
    }
  });
  server.set_error_handler([](const Request&, Response& response) {
    if (!response.body.empty()) return;
    response.set_content(response.status == 413   ? "Body: expected 784 bytes.\n"
                         : response.status == 404 ? "There is nothing here; the page is at /.\n"
                                                  : "This request was not understood.\n",
                         kText);
  });
  server.Get("/", [policy = content_policy()](const Request&, Response& response) {
    response.set_header("Content-Security-Policy", policy);
    response.set_content(kPage.data(), kPage.size(), "text/html; charset=utf-8");
  });
  server.Get("/api/info",
             [this](const Request&, Response& response) { response.set_content(content.info(), kJson); });
  server.Post("/api/predict",
              [this](const Request& request, Response& response) { answer(request, response); });
  if (content.hub)
    server.Get("/api/events",
               [this](const Request&, Response& response) { stream_events(*content.hub, response); });
}

void PageServer::State::answer(const Request& request, Response& response) {
  if (!questions.take()) {
    response.set_header("Retry-After", "1");
    return refuse(response, 429, "Too many questions at once. Ask again in a second.");
  }
  if (request.body.size() != kPixels)
    return refuse(response, 400, join("Body: got ", request.body.size(), " bytes, expected ", kPixels, "."));
  const auto* pixels = reinterpret_cast<const uint8_t*>(request.body.data());
  response.set_content(content.predict({pixels, kPixels}), kJson);
}

void require_page_server() {}

PageServer::PageServer(ServeAddress address, PageContent content)
    : state_(std::make_unique<State>(std::move(address), std::move(content))) {
  state_->route();
  state_->thread = std::thread([state = state_.get()] {
    state->server.serve();
    state->ended = true;
  });
  // stop() does nothing before the loop has begun.
  while (!state_->server.is_running() && !state_->ended)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

PageServer::~PageServer() {
  if (ServeHub* hub = state_->content.hub) {
    hub->close();
    hub->wait_for_readers(std::chrono::milliseconds(500));  // so that they get the last news
  }
  state_->server.stop_serving();
  state_->thread.join();
}

const std::string& PageServer::url() const { return state_->url; }

}  // namespace uncial::cli
