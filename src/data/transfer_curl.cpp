#include <curl/curl.h>

#include <exception>
#include <memory>
#include <mutex>

#include "data/transfer.h"
#include "io/posix.h"
#include "uncial/config.h"
#include "uncial/core/error.h"
#include "uncial/io/atomic_file.h"

namespace uncial::data {
namespace {

constexpr int64_t kProgressStep = 1 << 20;

/// What the write callback needs. Exceptions must not pass through libcurl's C frames: they wait in `thrown`.
struct Sink {
  const TransferRequest& request;
  int64_t done;
  int64_t reported = 0;
  bool too_long = false;
  std::exception_ptr thrown;
};

size_t on_body(char* data, size_t size, size_t count, void* user) {
  auto& sink = *static_cast<Sink*>(user);
  const auto bytes = int64_t(size * count);
  if (bytes > sink.request.bytes - sink.done) {
    sink.too_long = true;
    return 0;
  }
  try {
    io::write_all(sink.request.fd, data, size_t(bytes), "download", sink.request.path);
    sink.done += bytes;
    if (sink.request.progress &&
        (sink.done - sink.reported >= kProgressStep || sink.done == sink.request.bytes)) {
      sink.reported = sink.done;
      sink.request.progress(sink.done);
    }
  } catch (...) {
    sink.thrown = std::current_exception();
    return 0;
  }
  return size * count;
}

void initialise_once() {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
}

void restrict_protocols(CURL* curl) {
#if LIBCURL_VERSION_NUM >= 0x075500
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "https");
#else
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS, long(CURLPROTO_HTTP | CURLPROTO_HTTPS));
  curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS, long(CURLPROTO_HTTPS));
#endif
}

}  // namespace

TransferResult transfer(const TransferRequest& request) {
  initialise_once();
  const std::unique_ptr<CURL, void (*)(CURL*)> handle(curl_easy_init(), curl_easy_cleanup);
  CURL* curl = handle.get();
  if (!curl) fail(ErrorKind::device, "download: no memory for a transfer.");
  Sink sink{request, request.offset, request.offset, false, nullptr};
  char cause[CURL_ERROR_SIZE] = "";
  restrict_protocols(curl);
  curl_easy_setopt(curl, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "uncial/" UNCIAL_VERSION);
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(curl, CURLOPT_MAXREDIRS, 5L);
  curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);  // no SIGALRM, no SIGPIPE in the host
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, long(request.connect_seconds));
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 256L);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, long(request.stall_seconds));
  curl_easy_setopt(curl, CURLOPT_RESUME_FROM_LARGE, curl_off_t(request.offset));
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &sink);
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, cause);

  const CURLcode status = curl_easy_perform(curl);
  if (sink.thrown) std::rethrow_exception(sink.thrown);
  if (sink.too_long) return {join("sends more than the ", request.bytes, " bytes expected"), false, true};
  if (status == CURLE_OK) return {};
  long response = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &response);
  return {io::printable(cause[0] != '\0' ? cause : curl_easy_strerror(status)),
          status == CURLE_RANGE_ERROR || response == 416, false};
}

void require_transfers(const std::string&) {}

}  // namespace uncial::data
