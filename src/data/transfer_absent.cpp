#include "data/transfer.h"
#include "uncial/core/error.h"

namespace uncial::data {

TransferResult transfer(const TransferRequest&) {
  throw InternalError("transfer() in a build without libcurl");
}

void require_transfers(const std::string& advice) {
  fail(ErrorKind::io,
       "download: this build cannot download. Install libcurl and build again with -DUNCIAL_CURL=ON. ",
       advice);
}

}  // namespace uncial::data
