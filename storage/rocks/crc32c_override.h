#pragma once

#include "absl/status/status.h"

namespace acta {

// The packaged RocksDB computes CRC32C with tables, at a twentieth of the speed of the CPU's own
// instruction. Its function is called through the dynamic linker, so a definition in the program
// takes its place. OK when that is so and both give the same results on a test vector, or when
// the build leaves RocksDB's own in place.
absl::Status CheckRocksCrc32c();
// "hardware (ISA-L)" or "RocksDB's own".
const char* RocksCrc32cName();

}  // namespace acta
