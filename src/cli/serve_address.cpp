#include "cli/serve_address.h"

#include <arpa/inet.h>

#include <cctype>
#include <optional>

#include "cli/number_flags.h"
#include "uncial/core/error.h"
#include "uncial/io/atomic_file.h"

namespace uncial::cli {
namespace {

bool is_ip(const std::string& host) {
  in6_addr address;
  return ::inet_pton(AF_INET, host.c_str(), &address) == 1 ||
         ::inet_pton(AF_INET6, host.c_str(), &address) == 1;
}

bool is_loopback(const std::string& host) {
  in_addr v4;
  if (::inet_pton(AF_INET, host.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  in6_addr v6;
  return ::inet_pton(AF_INET6, host.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

struct HostAndPort {
  std::string host, port;
};

/// Splits "HOST:PORT", "[HOST]:PORT" and either without ":PORT".
std::optional<HostAndPort> split(std::string_view text) {
  if (text.starts_with('[')) {
    const size_t end = text.find(']');
    if (end == text.npos) return std::nullopt;
    const std::string_view rest = text.substr(end + 1);
    if (!rest.empty() && rest[0] != ':') return std::nullopt;
    return HostAndPort{std::string(text.substr(1, end - 1)), std::string(rest.empty() ? "" : rest.substr(1))};
  }
  const size_t colon = text.find(':');
  if (colon == text.npos) return HostAndPort{std::string(text), ""};
  return HostAndPort{std::string(text.substr(0, colon)), std::string(text.substr(colon + 1))};
}

bool is_localhost(std::string_view host) {
  constexpr std::string_view kName = "localhost";
  if (host.size() != kName.size()) return false;
  for (size_t i = 0; i < host.size(); ++i)
    if (std::tolower(static_cast<unsigned char>(host[i])) != kName[i]) return false;
  return true;
}

bool all_digits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == text.npos;
}

}  // namespace

std::string ServeAddress::url() const {
  return join("http://", is_ipv6() ? "[" + host + "]" : host, ":", port, "/");
}

ServeAddress parse_serve_address(const std::string& text, bool network) {
  const std::optional<HostAndPort> parts = all_digits(text) ? HostAndPort{"127.0.0.1", text} : split(text);
  const std::string shown = io::printable(text);
  require(parts && !parts->host.empty() && !parts->port.empty(), "--serve: got ", shown,
          ", expected HOST:PORT such as 127.0.0.1:8080.");
  ServeAddress address{.host = is_localhost(parts->host) ? "127.0.0.1" : parts->host,
                       .port = int(parse_number("--serve: port", parts->port, Range<int64_t>{0, 65'535}))};
  require(is_ip(address.host), "--serve: got ", shown,
          ", expected an IP address or localhost before the port.");
  require(network || is_loopback(address.host), "--serve: got ", shown,
          ", which other machines may reach, expected an address of this machine alone, such as 127.0.0.1:",
          address.port, ". Pass --serve-network, too, if they should: whoever reaches it can use the page.");
  return address;
}

bool is_trusted_host(std::string_view host_header) {
  const std::optional<HostAndPort> parts = split(host_header);
  if (!parts || (!parts->port.empty() && !all_digits(parts->port))) return false;
  return is_localhost(parts->host) || is_ip(parts->host);
}

bool is_same_origin(std::string_view origin, std::string_view host_header) {
  if (origin.empty()) return true;
  for (const std::string_view scheme : {"http://", "https://"})
    if (origin.starts_with(scheme)) return origin.substr(scheme.size()) == host_header;
  return false;
}

}  // namespace uncial::cli
