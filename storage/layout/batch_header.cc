#include "storage/layout/batch_header.h"

#include <limits>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "storage/base/bytes.h"
#include "storage/base/crc32c.h"

namespace acta {
namespace {

constexpr size_t kCrcAt = 92;

absl::Status Corrupted(absl::string_view what) {
  return Error(v1::DATA_CORRUPTED, absl::StrCat("stored batch: ", what));
}

}  // namespace

std::string EncodeBatchHeader(const BatchHeader& header, absl::string_view context) {
  std::string out(BatchHeader::kSize, '\0');
  char* data = out.data();
  PutLittle<uint32_t>(data, BatchHeader::kMagic);
  PutLittle<uint8_t>(data + 4, BatchHeader::kFormat);
  PutLittle<uint8_t>(data + 5, 0);
  PutLittle<uint16_t>(data + 6, BatchHeader::kSize);
  PutLittle<uint64_t>(data + 8, header.partition.value());
  PutLittle<int64_t>(data + 16, header.base_offset.value());
  PutLittle<uint32_t>(data + 24, header.count);
  PutLittle<uint32_t>(data + 28, header.incarnation.value());
  PutLittle<uint32_t>(data + 32, header.epoch);
  PutLittle<uint32_t>(data + 36, static_cast<uint32_t>(context.size()));
  PutLittle<int64_t>(data + 40, header.append_time_us);
  PutLittle<uint64_t>(data + 48, header.end_bytes);
  PutLittle<uint64_t>(data + 56, header.group.value());
  PutLittle<uint64_t>(data + 64, header.producer_id);
  PutLittle<uint32_t>(data + 72, header.producer_epoch);
  PutLittle<uint32_t>(data + 76, header.first_sequence);
  PutLittle<uint32_t>(data + 80, header.payload_len);
  PutLittle<uint32_t>(data + 84, header.payload_crc32c);
  PutLittle<uint32_t>(data + 88, header.sequence_count);
  const uint32_t crc = Crc32cExtend(Crc32cExtend(0, data, kCrcAt), context.data(), context.size());
  PutLittle<uint32_t>(data + kCrcAt, crc);
  return out;
}

absl::StatusOr<BatchHeader> DecodeBatchHeader(absl::string_view value) {
  if (value.size() < BatchHeader::kSize) return Corrupted("shorter than its header");
  const char* data = value.data();
  if (GetLittle<uint32_t>(data) != BatchHeader::kMagic) return Corrupted("wrong magic");
  if (GetLittle<uint8_t>(data + 4) != BatchHeader::kFormat ||
      GetLittle<uint16_t>(data + 6) != BatchHeader::kSize) {
    return Corrupted("unknown format");
  }
  BatchHeader header;
  header.partition = PartitionId(GetLittle<uint64_t>(data + 8));
  header.base_offset = Offset(GetLittle<int64_t>(data + 16));
  header.count = GetLittle<uint32_t>(data + 24);
  header.incarnation = Incarnation(GetLittle<uint32_t>(data + 28));
  header.epoch = GetLittle<uint32_t>(data + 32);
  header.context_len = GetLittle<uint32_t>(data + 36);
  header.append_time_us = GetLittle<int64_t>(data + 40);
  header.end_bytes = GetLittle<uint64_t>(data + 48);
  header.group = GroupNumber(GetLittle<uint64_t>(data + 56));
  header.producer_id = GetLittle<uint64_t>(data + 64);
  header.producer_epoch = GetLittle<uint32_t>(data + 72);
  header.first_sequence = GetLittle<uint32_t>(data + 76);
  header.payload_len = GetLittle<uint32_t>(data + 80);
  header.payload_crc32c = GetLittle<uint32_t>(data + 84);
  header.sequence_count = GetLittle<uint32_t>(data + 88);
  const uint64_t size =
      BatchHeader::kSize + uint64_t{header.context_len} + uint64_t{header.payload_len};
  if (value.size() != size) return Corrupted("its size is not the one in its header");
  const uint32_t crc =
      Crc32cExtend(Crc32cExtend(0, data, kCrcAt), data + BatchHeader::kSize, header.context_len);
  if (crc != GetLittle<uint32_t>(data + kCrcAt)) return Corrupted("header checksum differs");
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  if (header.count == 0 || header.base_offset < Offset(0) ||
      header.base_offset.value() > kMost - header.count) {
    return Corrupted("impossible offsets");
  }
  return header;
}

absl::string_view ContextOf(const BatchHeader& header, absl::string_view value) {
  return value.substr(BatchHeader::kSize, header.context_len);
}

absl::string_view PayloadOf(const BatchHeader& header, absl::string_view value) {
  return value.substr(BatchHeader::kSize + header.context_len, header.payload_len);
}

std::string LogKey(PartitionId partition, Offset last) {
  std::string key;
  key.reserve(16);
  PutBig64(&key, partition.value());
  PutBig64(&key, static_cast<uint64_t>(last.value()));
  return key;
}

absl::StatusOr<LogKeyParts> DecodeLogKey(absl::string_view key) {
  if (key.size() != 16) return Corrupted("key of a log slice is not 16 bytes");
  return LogKeyParts{PartitionId(GetBig64(key.data())),
                     Offset(static_cast<int64_t>(GetBig64(key.data() + 8)))};
}

}  // namespace acta
