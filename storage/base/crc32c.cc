#include "storage/base/crc32c.h"

#include <isa-l/crc.h>

#include <algorithm>

namespace acta {

uint32_t Crc32cExtend(uint32_t crc, const char* data, size_t size) {
  constexpr size_t kStep = size_t{1} << 30;  // ISA-L takes an int.
  uint32_t state = ~crc;
  while (size > 0) {
    const size_t step = std::min(size, kStep);
    auto* bytes = reinterpret_cast<unsigned char*>(const_cast<char*>(data));  // Read only.
    state = crc32_iscsi(bytes, static_cast<int>(step), state);
    data += step;
    size -= step;
  }
  return ~state;
}

}  // namespace acta
