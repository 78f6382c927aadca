#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"

namespace acta {

// CRC-32C (Castagnoli), by ISA-L, which picks the CPU's instructions. `Crc32c("123456789")` is
// 0xe3069283. Extend(Crc32c(a), b) == Crc32c(a + b).
uint32_t Crc32cExtend(uint32_t crc, const char* data, size_t size);
inline uint32_t Crc32c(absl::string_view bytes) {
  return Crc32cExtend(0, bytes.data(), bytes.size());
}

}  // namespace acta
