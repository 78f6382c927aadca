#include "storage/state/siphash.h"

#include <catch2/catch.hpp>

#include <random>
#include <string>

#include "absl/strings/escaping.h"
#include "storage/base/bytes.h"

namespace acta {
namespace {

// As the reference code's table has it: the low word first, little endian.
std::string Bytes(const Hash128& hash) {
  char bytes[16];
  PutLittle(bytes, hash.low);
  PutLittle(bytes + 8, hash.high);
  return absl::BytesToHexString(absl::string_view(bytes, sizeof(bytes)));
}

TEST_CASE("the hash is the one of the reference code") {
  const SipKey key{0x0706050403020100, 0x0f0e0d0c0b0a0908};
  CHECK(Bytes(SipHash128(key, "")) == "a3817f04ba25a8e66df67214c7550293");
  CHECK(Bytes(SipHash128(key, std::string("\0", 1))) == "da87c1d86b99af44347659119b22fc45");
  CHECK(Bytes(SipHash128(key, std::string("\0\1", 2))) == "8177228da4a45dc7fca38bdef60affe4");
}

TEST_CASE("parts have the hash of the whole, wherever it is cut") {
  std::mt19937_64 random(3);
  const SipKey key{random(), random()};
  for (int round = 0; round < 2'000; ++round) {
    std::string whole(random() % 70, '\0');
    for (char& byte : whole) byte = static_cast<char>(random());
    const size_t first = random() % (whole.size() + 1);
    const size_t second = first + random() % (whole.size() - first + 1);
    const absl::string_view view = whole;
    const Hash128 one = SipHash128(key, view);
    const Hash128 parts = SipHash128(
        key, {view.substr(0, first), view.substr(first, second - first), view.substr(second)});
    REQUIRE(Bytes(one) == Bytes(parts));
  }
}

}  // namespace
}  // namespace acta
