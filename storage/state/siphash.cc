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

// What was not absorbed yet is less than a word.
class Hasher {
 public:
  explicit Hasher(const SipKey& key)
      : state_{0x736f6d6570736575 ^ key.k0, 0x646f72616e646f6d ^ key.k1 ^ 0xee,
               0x6c7967656e657261 ^ key.k0, 0x7465646279746573 ^ key.k1} {}

  void Add(absl::string_view bytes) {
    size_ += bytes.size();
    for (; bytes.size() >= 8; bytes.remove_prefix(8)) {
      const auto word = GetLittle<uint64_t>(bytes.data());
      state_.Absorb(held_ | word << held_bits_);
      held_ = held_bits_ == 0 ? 0 : word >> (64 - held_bits_);
    }
    for (const char byte : bytes) {
      held_ |= static_cast<uint64_t>(static_cast<unsigned char>(byte)) << held_bits_;
      held_bits_ += 8;
      if (held_bits_ < 64) continue;
      state_.Absorb(held_);
      held_ = 0;
      held_bits_ = 0;
    }
  }

  Hash128 Finish() {
    state_.Absorb(held_ | static_cast<uint64_t>(size_) << 56);
    state_.v2 ^= 0xee;
    Hash128 hash;
    hash.low = state_.Finish();
    state_.v1 ^= 0xdd;
    hash.high = state_.Finish();
    return hash;
  }

 private:
  State state_;
  uint64_t held_ = 0;
  int held_bits_ = 0;
  size_t size_ = 0;
};

}  // namespace

Hash128 SipHash128(const SipKey& key, std::initializer_list<absl::string_view> parts) {
  Hasher hasher(key);
  for (const absl::string_view part : parts) hasher.Add(part);
  return hasher.Finish();
}

Hash128 SipHash128(const SipKey& key, absl::string_view bytes) { return SipHash128(key, {bytes}); }

}  // namespace acta
