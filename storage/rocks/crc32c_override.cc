#include "storage/rocks/crc32c_override.h"

#include <dlfcn.h>

#include <cstddef>
#include <cstdint>

#include "storage/base/crc32c.h"

#if ACTA_HARDWARE_CRC32C
namespace rocksdb::crc32c {

// Takes the place of the function of the same name in librocksdb.
__attribute__((visibility("default"))) uint32_t Extend(uint32_t crc, const char* data, size_t n) {
  return acta::Crc32cExtend(crc, data, n);
}

}  // namespace rocksdb::crc32c
#endif

namespace acta {

absl::Status CheckRocksCrc32c() {
  // RFC 3720, B.4: 32 bytes of zeros.
  const char zeros[32] = {};
  if (Crc32c("123456789") != 0xe3069283 || Crc32cExtend(0, zeros, 32) != 0x8a9136aa) {
    return absl::InternalError("CRC32C of this machine fails its test vector");
  }
#if ACTA_HARDWARE_CRC32C
  const void* used = dlsym(RTLD_DEFAULT, "_ZN7rocksdb6crc32c6ExtendEjPKcm");
  if (used != reinterpret_cast<const void*>(&rocksdb::crc32c::Extend)) {
    return absl::InternalError("the hardware CRC32C did not take the place of RocksDB's own");
  }
#endif
  return absl::OkStatus();
}

const char* RocksCrc32cName() {
#if ACTA_HARDWARE_CRC32C
  return "hardware (ISA-L)";
#else
  return "RocksDB's own";
#endif
}

}  // namespace acta
