#pragma once
/// One transfer from one address: the part of a download that needs a network library. transfer_curl.cpp has
/// it; transfer_absent.cpp stands in for it in a build without libcurl.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

namespace uncial::data {

struct TransferRequest {
  std::string url;             ///< http or https; redirects are followed to https alone
  int fd;                      ///< where the bytes go, from its current position on
  std::filesystem::path path;  ///< of `fd`, for messages
  int64_t offset;              ///< bytes that are there already
  int64_t bytes;               ///< of the whole file; a body that passes it is cut
  int connect_seconds, stall_seconds;
  std::function<void(int64_t)> progress;  ///< bytes there so far
};

struct TransferResult {
  std::string fault;           ///< in words; empty when the server says that all came
  bool cannot_resume = false;  ///< the fault is that the server will not start at `offset`
  bool too_long = false;       ///< the fault is that the body passed the size it should have
};

/// Throws what `progress` throws, and Error(io) when the bytes cannot be written.
TransferResult transfer(const TransferRequest& request);

/// Throws Error(io) in a build that cannot transfer.
void require_transfers(const std::string& advice);

}  // namespace uncial::data
