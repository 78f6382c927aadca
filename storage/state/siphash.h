#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>

#include "absl/strings/string_view.h"

namespace acta {

// SipHash-2-4 with 128 bits of output, by Jean-Philippe Aumasson and Daniel J. Bernstein
// (https://www.aumasson.jp/siphash/siphash.pdf; the 128-bit form is of their reference code).
struct SipKey {
  uint64_t k0 = 0;
  uint64_t k1 = 0;
};
struct Hash128 {
  uint64_t low = 0;
  uint64_t high = 0;
};
Hash128 SipHash128(const SipKey& key, absl::string_view bytes);
// Of the parts one behind the other, without putting them together.
Hash128 SipHash128(const SipKey& key, std::initializer_list<absl::string_view> parts);

}  // namespace acta
