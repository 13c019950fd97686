#include <locale>

#include "support/check_op.h"
#include "uncial/core/error.h"

using namespace uncial;
using namespace uncial::test;

TEST_CASE("error: kind and message") {
  check_error(
      ErrorKind::data, [] { fail(ErrorKind::data, "read: ", 3, " bytes"); }, "read: 3 bytes");
  check_error(
      ErrorKind::usage, [] { require(false, "wants ", 1.5); }, "wants 1.5");
  check_error(
      ErrorKind::internal, [] { ensure(false, "lost ", 'x'); }, "uncial internal error: lost x");
  CHECK_THROWS_AS(ensure(false, ""), InternalError);
  CHECK_NOTHROW(require(true, "no"));
  CHECK_NOTHROW(ensure(true, "no"));
}

namespace {
struct Counted {
  int* count;
  friend std::ostream& operator<<(std::ostream& out, const Counted& c) {
    ++*c.count;
    return out;
  }
};
}  // namespace

TEST_CASE("error: parts are formatted only on failure") {
  int count = 0;
  require(true, Counted{&count});
  CHECK(count == 0);
  CHECK_THROWS_AS(require(false, Counted{&count}), Error);
  CHECK(count == 1);
}

TEST_CASE("error: numbers in messages do not follow the host's locale") {
  struct Comma : std::numpunct<char> {
    char do_decimal_point() const override { return ','; }
    char do_thousands_sep() const override { return '.'; }
    std::string do_grouping() const override { return "\3"; }
  };
  const std::locale before = std::locale::global(std::locale(std::locale::classic(), new Comma));
  const std::string text = join(1234567, ' ', 1.5);
  std::locale::global(before);
  CHECK(text == "1234567 1.5");
}
