#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "storage/base/ids.h"

namespace acta {

// The fixed part of a stored batch. On disk, little endian:
//
//    0 magic u32 'ACTB' | 4 format u8 | 5 flags u8 | 6 header_len u16 | 8 partition_id u64
//   16 base_offset u64 | 24 count u32 | 28 incarnation u32 | 32 epoch u32 | 36 context_len u32
//   40 append_time_us i64 | 48 end_bytes u64 | 56 group u64 | 64 producer_id u64
//   72 producer_epoch u32 | 76 first_sequence u32 | 80 payload_len u32 | 84 payload_crc32c u32
//   88 sequence_count u32 | 92 header_crc32c u32
//
// followed by the context and the payload. The header CRC covers bytes 0-91 and the context.
struct BatchHeader {
  static constexpr size_t kSize = 96;
  static constexpr uint32_t kMagic = 0x42544341;  // "ACTB"
  static constexpr uint8_t kFormat = 1;

  PartitionId partition;
  Offset base_offset;
  uint32_t count = 0;
  Incarnation incarnation;
  uint32_t epoch = 0;  // Leadership; 0 until there are many machines.
  uint32_t context_len = 0;
  int64_t append_time_us = 0;
  uint64_t end_bytes = 0;  // The partition's payload bytes up to and including this batch.
  GroupNumber group;
  uint64_t producer_id = 0;
  uint32_t producer_epoch = 0;
  uint32_t first_sequence = 0;
  uint32_t payload_len = 0;
  uint32_t payload_crc32c = 0;
  // Events the producer sent under the sequence, when duplicates among them were not stored
  // again; 0: count.
  uint32_t sequence_count = 0;

  Offset end() const { return base_offset + count; }
  Offset last() const { return base_offset + (count - 1); }
  uint32_t sequences() const { return sequence_count == 0 ? count : sequence_count; }
};

// The header's bytes, with its CRC over them and `context`.
std::string EncodeBatchHeader(const BatchHeader& header, absl::string_view context);

// Checks sizes, magic, format and the header CRC; not the payload's. Errors: DATA_CORRUPTED.
absl::StatusOr<BatchHeader> DecodeBatchHeader(absl::string_view value);
absl::string_view ContextOf(const BatchHeader& header, absl::string_view value);
absl::string_view PayloadOf(const BatchHeader& header, absl::string_view value);

// Key of a batch in a log slice: partition id and LAST offset, big endian, so that one seek for
// (partition, wanted) lands on the batch that holds `wanted`.
std::string LogKey(PartitionId partition, Offset last);
constexpr size_t kLogKeyPartitionBytes = 8;  // It begins with the partition.
struct LogKeyParts {
  PartitionId partition;
  Offset last;
};
absl::StatusOr<LogKeyParts> DecodeLogKey(absl::string_view key);

}  // namespace acta
