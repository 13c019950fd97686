// The vectors of FIPS 180-4's examples (NIST, "SHA256.pdf") and of NIST's long message test.
#include "uncial/core/sha256.h"

#include "support/catch.h"

using namespace uncial;

TEST_CASE("sha256 of the NIST vectors", "[sha256]") {
  const auto of = [](const std::string& text) { return sha256_hex(text.data(), text.size()); };
  CHECK(of("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(of("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  CHECK(of(std::string(1'000'000, 'a')) ==
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_CASE("sha256 does not depend on how the bytes are cut", "[sha256]") {
  std::string text;
  for (int i = 0; i < 300; ++i) text += char(i * 7);
  const std::string whole = sha256_hex(text.data(), text.size());
  for (size_t first = 0; first <= 130; ++first) {
    Sha256 hash;
    hash.update(text.data(), first).update(text.data() + first, 1);
    hash.update(text.data() + first + 1, text.size() - first - 1);
    CHECK(hash.hex() == whole);
  }
}
