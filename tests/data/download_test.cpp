// Downloads from a server of this test's own on 127.0.0.1 (mirror.py); nothing here needs a network.
#include "uncial/data/download.h"

#include <chrono>
#include <cstdio>
#include <thread>

#include "data/fetch.h"
#include "support/errors.h"
#include "support/temp_folder.h"
#include "uncial/config.h"
#include "uncial/core/log.h"
#include "uncial/core/sha256.h"

using namespace uncial;
using namespace uncial::test;

namespace {

/// The server and a folder to download to. Without python3 there is none: usable() is false then.
class Mirror {
 public:
  Mirror() {
    for (uint32_t i = 0; i < 200'000; ++i) content_ += char(i * i >> 7);
    write_bytes(folder_ / "source", content_);
    if (!kCurlBuild || std::system("python3 -c 'import http.server' >/dev/null 2>&1") != 0) return;
    const std::string command = "exec python3 '" UNCIAL_TEST_SERVER "' '" + (folder_ / "source").native() +
                                "' '" + (folder_ / "port").native() + "' '" + (folder_ / "log").native() +
                                "'";
    server_ = ::popen(command.c_str(), "w");  // it ends when this pipe is closed
    while (server_ && !std::filesystem::exists(folder_ / "port"))
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    port_ = read_bytes(folder_ / "port");
  }
  ~Mirror() {
    if (server_) ::pclose(server_);
  }

  bool usable() const {
    if (!server_) WARN("skipped: needs libcurl in the build and python3 on the machine");
    return server_ != nullptr;
  }
  std::string url(const std::string& kind) const {
    return "http://127.0.0.1:" + port_ + "/" + kind + "/file";
  }
  std::filesystem::path target() const { return folder_ / "to/file"; }
  std::filesystem::path part() const { return folder_ / "to/file.part"; }
  const std::string& content() const { return content_; }
  std::string requests() const { return read_bytes(folder_ / "log"); }

  void fetch(const std::vector<std::string>& kinds, const data::DownloadOptions& options = {}) const {
    std::vector<std::string> urls;
    for (const std::string& kind : kinds)
      urls.push_back(kind.find(':') == std::string::npos ? url(kind) : kind);
    data::fetch(
        {urls, target(), int64_t(content_.size()), sha256_hex(content_.data(), content_.size()), "By hand."},
        options);
  }
  bool arrived() const { return read_bytes(target()) == content_ && !std::filesystem::exists(part()); }

 private:
  TempFolder folder_;
  std::string content_, port_;
  FILE* server_ = nullptr;
};

}  // namespace

TEST_CASE("a file is downloaded once", "[data][download]") {
  const Mirror mirror;
  if (!mirror.usable()) return;
  int64_t last = 0;
  mirror.fetch({"good"}, {.progress = [&](std::string_view name, int64_t done, int64_t total) {
                 CHECK(name == "file");
                 CHECK(done > last);
                 CHECK(total == 200'000);
                 last = done;
               }});
  CHECK(last == 200'000);
  CHECK(mirror.arrived());
  mirror.fetch({"good"});
  CHECK(mirror.requests() == "good \n");
}

TEST_CASE("mirrors that fail are passed over", "[data][download]") {
  for (const char* bad : {"missing", "wrong", "html", "endless", "loop"}) {
    const Mirror mirror;
    if (!mirror.usable()) return;
    INFO(bad);
    mirror.fetch({bad, "http://127.0.0.1:1/closed", "good"});
    CHECK(mirror.arrived());
  }
}

TEST_CASE("when no mirror helps, each is named with its fault", "[data][download]") {
  const Mirror mirror;
  if (!mirror.usable()) return;
  const auto fails_as = [&](ErrorKind kind, const std::string& bad, auto... parts) {
    check_error(
        kind, [&] { mirror.fetch({bad}); }, "to/file", "By hand.", parts...);
    CHECK_FALSE(std::filesystem::exists(mirror.target()));
  };
  fails_as(ErrorKind::io, "missing", mirror.url("missing"), "404");
  fails_as(ErrorKind::io, "http://127.0.0.1:1/closed", "127.0.0.1:1");
  fails_as(ErrorKind::io, "http://no-such-host.invalid/file", "resolve");
  fails_as(ErrorKind::io, "file:///etc/hostname", "rotocol");
  fails_as(ErrorKind::io, "loop", "http");  // a redirect to plain http is not followed
  fails_as(ErrorKind::data, "wrong", "SHA-256 is",
           "expected " + sha256_hex(mirror.content().data(), 200'000));
  CHECK_FALSE(std::filesystem::exists(mirror.part()));  // bytes known to be wrong are not kept
  fails_as(ErrorKind::data, "html", "looks like HTML");
  fails_as(ErrorKind::data, "endless", "sends more than the 200000 bytes");
}

TEST_CASE("a download that was cut off is resumed", "[data][download]") {
  const Mirror mirror;
  if (!mirror.usable()) return;
  check_error(
      ErrorKind::io, [&] { mirror.fetch({"cut"}); }, "/cut/file");
  CHECK(read_bytes(mirror.part()) == mirror.content().substr(0, 100'000));
  // An unreachable mirror does not cost what is there.
  check_error(
      ErrorKind::io,
      [&] {
        mirror.fetch({"missing", "http://127.0.0.1:1/closed"});
      },
      "404");
  CHECK(std::filesystem::file_size(mirror.part()) == 100'000);
  mirror.fetch({"good"});
  CHECK(mirror.arrived());
  CHECK(mirror.requests() == "cut \nmissing bytes=100000-\ngood bytes=100000-\n");
}

TEST_CASE("a download that cannot be resumed starts again", "[data][download]") {
  for (const char* kind : {"noresume", "good"}) {
    const Mirror mirror;
    if (!mirror.usable()) return;
    std::filesystem::create_directory(mirror.part().parent_path());
    // Half of the right bytes for the server that sends all each time, wrong ones for the one that resumes.
    write_bytes(mirror.part(),
                std::string(kind) == "good" ? std::string(70'000, 'x') : mirror.content().substr(0, 9));
    mirror.fetch({kind});
    CHECK(mirror.arrived());
  }
  const Mirror mirror;
  if (!mirror.usable()) return;
  std::filesystem::create_directory(mirror.part().parent_path());
  write_bytes(mirror.part(), std::string(300'000, 'x'));  // more than there can be
  mirror.fetch({"good"});
  CHECK(mirror.arrived());
  CHECK(mirror.requests() == "good \n");
}

TEST_CASE("a part file that is whole needs no server", "[data][download]") {
  const Mirror mirror;
  if (!mirror.usable()) return;
  std::filesystem::create_directory(mirror.part().parent_path());
  write_bytes(mirror.part(), mirror.content());
  mirror.fetch({"missing"});
  CHECK(mirror.arrived());
  CHECK(mirror.requests().empty());
}

TEST_CASE("a file damaged after its download is fetched again, and said so", "[data][download]") {
  const Mirror mirror;
  if (!mirror.usable()) return;
  std::filesystem::create_directory(mirror.part().parent_path());
  write_bytes(mirror.target(), std::string(200'000, 'x'));
  std::string warning;
  set_log_sink([&](LogLevel, std::string_view text) { warning += text; });
  mirror.fetch({"good"});
  set_log_sink({});
  CHECK(mirror.arrived());
  CHECK(warning.find("damaged") != std::string::npos);
}

TEST_CASE("a stalled transfer is given up", "[data][download]") {
  const Mirror mirror;
  if (!mirror.usable()) return;
  mirror.fetch({"stall", "good"}, {.stall_seconds = 1});
  CHECK(mirror.arrived());
}

TEST_CASE("two downloads of one file at once do not disturb each other", "[data][download]") {
  const Mirror mirror;
  if (!mirror.usable()) return;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) threads.emplace_back([&] { mirror.fetch({"good"}); });
  }
  CHECK(mirror.arrived());
  CHECK(mirror.requests() == "good \n");
}

TEST_CASE("a progress callback may stop a download", "[data][download]") {
  const Mirror mirror;
  if (!mirror.usable()) return;
  const auto stop = [](std::string_view, int64_t, int64_t) { fail(ErrorKind::stopped, "enough"); };
  check_error(
      ErrorKind::stopped, [&] { mirror.fetch({"good"}, {.progress = stop}); }, "enough");
  CHECK_FALSE(std::filesystem::exists(mirror.target()));
}

TEST_CASE("download keeps what is there and checks what comes", "[data][download]") {
  const Mirror mirror;
  if (!mirror.usable()) return;
  const TempFolder folder;
  std::filesystem::create_directory(folder / "mnist");
  for (const auto& entry : std::filesystem::directory_iterator(UNCIAL_TEST_MNIST))
    std::filesystem::copy(entry.path(), folder / "mnist" / entry.path().filename());
  const std::string base = mirror.url("missing");
  // MNIST's own files are packed otherwise than the published ones, and whole all the same: no request.
  CHECK(data::download("mnist", {.directory = folder.path(), .mirrors = {base}}) == folder / "mnist");
  CHECK(mirror.requests().empty());
  for (const char* name : {"kmnist", "emnist_letters"})
    check_error(
        ErrorKind::data,
        [&] { data::download(name, {.directory = folder.path(), .mirrors = {mirror.url("wrong")}}); },
        "expected", "data/README.md");
}

TEST_CASE("a build without libcurl says so", "[data][download]") {
  if (kCurlBuild) return;
  const TempFolder folder;
  check_error(
      ErrorKind::io, [&] { data::download("kmnist", {.directory = folder.path()}); }, "libcurl", "by hand");
}
