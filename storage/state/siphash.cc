#include "storage/state/siphash.h"

#include "storage/base/bytes.h"

namespace acta {
namespace {

constexpr uint64_t Rotate(uint64_t x, int bits) { return x << bits | x >> (64 - bits); }

struct State {
  uint64_t v0, v1, v2, v3;

  void Round() {
    v0 += v1;
    v1 = Rotate(v1, 13) ^ v0;
    v0 = Rotate(v0, 32);
    v2 += v3;
    v3 = Rotate(v3, 16) ^ v2;
    v0 += v3;
    v3 = Rotate(v3, 21) ^ v0;
    v2 += v1;
    v1 = Rotate(v1, 17) ^ v2;
    v2 = Rotate(v2, 32);
  }
  void Absorb(uint64_t word) {
    v3 ^= word;
    Round();
    Round();
    v0 ^= word;
  }
  uint64_t Finish() {
    for (int i = 0; i < 4; ++i) Round();
    return v0 ^ v1 ^ v2 ^ v3;
  }
};

}  // namespace

Hash128 SipHash128(const SipKey& key, absl::string_view bytes) {
  State s{0x736f6d6570736575 ^ key.k0, 0x646f72616e646f6d ^ key.k1, 0x6c7967656e657261 ^ key.k0,
          0x7465646279746573 ^ key.k1};
  s.v1 ^= 0xee;
  const size_t size = bytes.size();
  while (bytes.size() >= 8) {
    s.Absorb(GetLittle<uint64_t>(bytes.data()));
    bytes.remove_prefix(8);
  }
  uint64_t last = static_cast<uint64_t>(size) << 56;
  for (size_t i = 0; i < bytes.size(); ++i) {
    last |= static_cast<uint64_t>(static_cast<unsigned char>(bytes[i])) << (8 * i);
  }
  s.Absorb(last);
  s.v2 ^= 0xee;
  Hash128 hash;
  hash.low = s.Finish();
  s.v1 ^= 0xdd;
  hash.high = s.Finish();
  return hash;
}

}  // namespace acta
