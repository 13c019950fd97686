#include "cli/output.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "cli/own_file.h"
#include "uncial/config.h"
#include "uncial/core/error.h"
#include "uncial/core/log.h"
#include "uncial/io/atomic_file.h"

namespace uncial::cli {
namespace {

namespace fs = std::filesystem;

std::string shown(const fs::path& path) { return io::printable(path.native()); }

/// Locks root/.uncial.lock until the descriptor is closed. The file stays: removing it would race with the
/// next program that opens it.
int lock_folder(const fs::path& root) {
  const fs::path path = root / ".uncial.lock";
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666);
  if (fd < 0)
    fail(ErrorKind::io, "lock: ", shown(path), ": cannot be opened: ", std::strerror(errno),
         ". Name another folder with --out.");
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    char owner[32] = {};
    const bool busy = errno == EWOULDBLOCK;
    const ssize_t n = ::pread(fd, owner, sizeof owner - 1, 0);
    if (busy) {
      ::close(fd);
      const std::string pid(owner, n > 0 ? std::strcspn(owner, "\n") : 0);
      fail(ErrorKind::io, "lock: ", shown(root), ": in use by pid ", pid.empty() ? "?" : io::printable(pid),
           ". Wait for it, or name another folder with --out.");
    }
    log(LogLevel::warning, join("lock: ", shown(root), ": this file system has no locks; do not run two ",
                                "programs in this folder at once."));
    return fd;
  }
  const std::string pid = std::to_string(::getpid()) + "\n";
  if (::ftruncate(fd, 0) != 0 || ::pwrite(fd, pid.data(), pid.size(), 0) < 0)
    log(LogLevel::warning, join("lock: ", shown(path), ": ", std::strerror(errno), "."));
  return fd;
}

const char* what_is(const struct stat& status) {
  return S_ISREG(status.st_mode)   ? "a file that these programs did not make"
         : S_ISDIR(status.st_mode) ? "a folder"
         : S_ISLNK(status.st_mode) ? "a symbolic link"
                                   : "a device, FIFO or socket";
}

std::string big_endian(uint32_t v) { return {char(v >> 24), char(v >> 16), char(v >> 8), char(v)}; }

}  // namespace

Output::Output(fs::path root, const std::vector<std::string>& folders, bool overwrite)
    : root_(std::move(root)), overwrite_(overwrite) {
  io::require_writable_folder(root_);
  for (const std::string& folder : folders) io::require_writable_folder(root_ / folder);
  lock_ = lock_folder(root_);
}

Output::~Output() {
  if (lock_ >= 0) ::close(lock_);
}

fs::path Output::claim(const fs::path& relative) const {
  claim_file(root_ / relative, overwrite_);
  return root_ / relative;
}

void Output::save(const fs::path& relative, const vision::Canvas& picture) const {
  io::write_atomically(claim(relative), std::string_view(stamped_png(picture.png())));
}

void Output::claim_figure(const std::string& name) const {
  for (const char* ending : {".png", ".svg"}) claim("figures/" + name + ending);
}

void Output::save_figure(const std::string& name, const vision::Canvas& picture) {
  const std::string png = "figures/" + name + ".png", svg = "figures/" + name + ".svg";
  save(png, picture);
  save_text(svg, stamped_svg(picture.svg()));
  figures_.insert(figures_.end(), {png, svg});
}

void Output::save(const fs::path& relative, const nlohmann::ordered_json& value) const {
  save_json(root_ / relative, value, overwrite_);
}

void Output::save_text(const fs::path& relative, const std::string& text) const {
  io::write_atomically(claim(relative), std::string_view(text));
}

void claim_file(const fs::path& path, bool overwrite) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) {
    if (errno == ENOENT) return;
    fail(ErrorKind::io, "output: ", shown(path), ": ", std::strerror(errno),
         ". Name another place with --out.");
  }
  if (S_ISREG(status.st_mode) && (overwrite || is_own_file(path))) return;
  std::error_code error;
  if (overwrite && (S_ISLNK(status.st_mode) || S_ISDIR(status.st_mode)) && fs::remove(path, error)) return;
  fail(ErrorKind::io, "output: ", shown(path), ": ", what_is(status),
       " is in the way, expected nothing or an earlier result. Move it away",
       overwrite ? "." : ", name another folder with --out, or pass --overwrite.");
}

void save_json(const fs::path& path, const nlohmann::ordered_json& value, bool overwrite) {
  nlohmann::ordered_json stamped = {{"generator", "uncial " UNCIAL_VERSION}};
  stamped.update(value);
  claim_file(path, overwrite);
  // Names from outside may hold bytes that are no UTF-8: replaced rather than refused.
  const auto replace = nlohmann::ordered_json::error_handler_t::replace;
  io::write_atomically(path, std::string_view(stamped.dump(2, ' ', false, replace) + "\n"));
}

std::string stamped_png(const std::string& png) {
  constexpr size_t kAfterHeader = 8 + 4 + 4 + 13 + 4;  // signature, and IHDR: length, type, content, checksum
  ensure(png.size() > kAfterHeader, "stamped_png: ", png.size(), " bytes are no PNG");
  using namespace std::string_literals;
  const std::string body = "tEXtSoftware\0uncial "s + UNCIAL_VERSION;
  return png.substr(0, kAfterHeader) + big_endian(uint32_t(body.size() - 4)) + body +
         big_endian(uint32_t(::crc32_z(0, reinterpret_cast<const Bytef*>(body.data()), body.size()))) +
         png.substr(kAfterHeader);
}

std::string stamped_svg(const std::string& svg) { return "<!-- uncial " UNCIAL_VERSION " -->\n" + svg; }

nlohmann::ordered_json load_json(const fs::path& path) {
  const std::string text = io::read_file(path, int64_t(1) << 26);
  try {
    return nlohmann::ordered_json::parse(text);
  } catch (const nlohmann::json::parse_error& error) {
    fail(ErrorKind::data, "JSON: ", shown(path), "@byte ", error.byte,
         ": is not valid JSON. Repair the file.");
  }
}

}  // namespace uncial::cli
