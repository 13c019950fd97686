#pragma once
/// Where a page is served, and whose requests are taken.

#include <string>
#include <string_view>

namespace uncial::cli {

struct ServeAddress {
  std::string host;  ///< an IP address without brackets
  int port = 0;      ///< 0: a free one

  bool is_ipv6() const { return host.find(':') != host.npos; }
  /// "http://127.0.0.1:8080/"
  std::string url() const;
};

/// HOST:PORT or PORT, where HOST is an IP address or localhost; an IPv6 address is in brackets. Without
/// `network` only addresses of this machine itself. Throws a usage Error.
ServeAddress parse_serve_address(const std::string& text, bool network);

/// Whether a request with this Host header may have been meant for us: it names localhost or an IP address,
/// with any port (a tunnel changes it). A page of a stranger whose name was made to point here (DNS
/// rebinding) sends its own name.
bool is_trusted_host(std::string_view host_header);

/// Whether Origin (empty: the header is absent) is a page that came from the same Host.
bool is_same_origin(std::string_view origin, std::string_view host_header);

}  // namespace uncial::cli
