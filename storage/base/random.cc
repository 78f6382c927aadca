#include "storage/base/random.h"

#include <sys/random.h>

#include "storage/base/bytes.h"
#include "storage/base/fatal.h"

namespace acta {

std::string DrawBytes(size_t count) {
  std::string bytes(count, '\0');
  // So few bytes are never cut short once the kernel's pool is filled.
  ACTA_CHECK(getrandom(bytes.data(), count, 0) == static_cast<ssize_t>(count));
  return bytes;
}

uint64_t DrawNumber() { return GetBig64(DrawBytes(sizeof(uint64_t)).data()); }

}  // namespace acta
