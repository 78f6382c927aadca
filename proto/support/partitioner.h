#pragma once

#include <cstdint>

#include "absl/strings/string_view.h"

namespace acta {

// MurmurHash2, 32 bit, by Austin Appleby (public domain), as Kafka's default partitioner uses it.
// Murmur2("21", 0x9747b28c) as a signed number is -973932308.
uint32_t Murmur2(absl::string_view bytes, uint32_t seed);

// The partition of a key: (murmur2(key, 0x9747b28c) & 0x7fffffff) % partitions. One function for
// all SDKs and the broker. `partitions` is at least 1.
int32_t PartitionOfKey(absl::string_view key, int32_t partitions);

// The partition the broker chooses for an event that names none: that of its key, else of its id,
// else one by `number`, which the caller lets go around.
int32_t PartitionOfEvent(absl::string_view key, absl::string_view id, uint32_t number,
                         int32_t partitions);

}  // namespace acta
