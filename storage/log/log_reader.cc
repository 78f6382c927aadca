#include "storage/log/log_reader.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "storage/base/crc32c.h"
#include "storage/base/status_macros.h"

namespace acta {
namespace {

absl::Status Lost(v1::ErrorReason reason, absl::string_view why, Offset first, Offset last) {
  return Error(
      reason, absl::StrCat("events ", first.value(), " to ", last.value(), " ", why),
      {{"first_lost", absl::StrCat(first.value())}, {"last_lost", absl::StrCat(last.value())}});
}

}  // namespace

absl::StatusOr<BatchPtr> LoadBatch(const BatchHeader& header, absl::string_view value) {
  if (Crc32c(PayloadOf(header, value)) != header.payload_crc32c) {
    return Lost(v1::DATA_CORRUPTED, "fail their checksum", header.base_offset, header.last());
  }
  const SharedBytes bytes = SharedBytes::Copy(value.substr(BatchHeader::kSize));
  auto batch = std::make_shared<StoredBatch>();
  batch->partition = header.partition;
  batch->base_offset = header.base_offset;
  batch->count = header.count;
  batch->incarnation = header.incarnation;
  batch->append_time_us = header.append_time_us;
  batch->end_bytes = header.end_bytes;
  batch->producer_id = header.producer_id;
  batch->producer_epoch = header.producer_epoch;
  batch->first_sequence = header.first_sequence;
  batch->payload_crc32c = header.payload_crc32c;
  batch->context = bytes.Slice(0, header.context_len);
  batch->payload = bytes.Slice(header.context_len, header.payload_len);
  return batch;
}

absl::Status LogReader::Walk(const PartitionLog& partition, Offset from, const Visit& visit) const {
  const Offset end = partition.Extent().visible_end;
  Offset next = from;
  while (next < end) {
    const auto piece = partition.FindPiece(next);
    if (!piece.has_value()) return Lost(v1::GAP, "are missing", next, end + -1);
    const auto cursor = store_.NewPartitionCursor(piece->slice->family);
    for (cursor->Seek(LogKey(partition.id(), next)); cursor->Valid(); cursor->Next()) {
      const auto key = DecodeLogKey(cursor->key());
      if (!key.ok() || key->partition != partition.id()) break;
      const auto header = DecodeBatchHeader(cursor->value());
      if (!header.ok() || header->partition != partition.id() || header->last() != key->last) {
        return Lost(v1::DATA_CORRUPTED, "fail their checksum", next, key->last);
      }
      if (header->base_offset > next) {
        return Lost(v1::GAP, "are missing", next, header->base_offset + -1);
      }
      if (header->end() > end) return absl::OkStatus();
      if (!visit(*header, cursor->value())) return absl::OkStatus();
      next = header->end();
    }
    if (!cursor->status().ok()) {
      return Lost(v1::DATA_CORRUPTED, absl::StrCat("cannot be read: ", cursor->status().message()),
                  next, std::max(next, piece->span.last));
    }
    if (next <= piece->span.last && next < end) {
      return Lost(v1::GAP, "are missing", next, std::min(piece->span.last, end + -1));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<BatchPtr>> LogReader::Read(const PartitionLog& partition, Offset from,
                                                      size_t max_bytes) const {
  RETURN_IF_ERROR(partition.CheckReadable(from));
  std::vector<BatchPtr> batches;
  size_t bytes = 0;
  absl::Status damage;
  const absl::Status walked =
      Walk(partition, from, [&](const BatchHeader& header, absl::string_view value) {
        if (!batches.empty() && bytes + header.payload_len > max_bytes) return false;
        auto batch = LoadBatch(header, value);
        if (!batch.ok()) {
          damage = batch.status();
          return false;
        }
        bytes += header.payload_len;
        batches.push_back(*std::move(batch));
        return true;
      });
  // What comes before a damaged batch is good: it is given first, the error next time.
  if (!batches.empty()) return batches;
  RETURN_IF_ERROR(damage);
  RETURN_IF_ERROR(walked);
  return batches;
}

absl::StatusOr<BatchPtr> LogReader::ReadOne(const PartitionLog& partition, Offset offset) const {
  if (BatchPtr cached = partition.FindCached(offset); cached != nullptr) return cached;
  ASSIGN_OR_RETURN(const std::vector<BatchPtr> batches, Read(partition, offset, 1));
  if (batches.empty()) {
    return Error(v1::OFFSET_OUT_OF_RANGE, absl::StrCat("there is no event ", offset.value()));
  }
  return batches.front();
}

absl::StatusOr<std::optional<BatchHeader>> LogReader::HeaderAt(RowCursor& cursor,
                                                               PartitionId partition,
                                                               Offset offset) const {
  cursor.Seek(LogKey(partition, offset));
  RETURN_IF_ERROR(cursor.status());
  if (!cursor.Valid()) return std::optional<BatchHeader>();
  ASSIGN_OR_RETURN(const LogKeyParts key, DecodeLogKey(cursor.key()));
  if (key.partition != partition) return std::optional<BatchHeader>();
  ASSIGN_OR_RETURN(const BatchHeader header, DecodeBatchHeader(cursor.value()));
  return std::optional(header);
}

absl::StatusOr<std::optional<BatchHeader>> LogReader::FindFirst(const PartitionLog& partition,
                                                                const Reached& reached) const {
  const PartitionExtent extent = partition.Extent();
  for (const PartitionLog::Piece& piece : partition.Pieces()) {
    if (piece.span.last < extent.first) continue;
    const auto cursor = store_.NewPartitionCursor(piece.slice->family);
    const Offset last = std::min(piece.span.last, extent.visible_end + -1);
    if (last < std::max(piece.span.first, extent.first)) continue;
    ASSIGN_OR_RETURN(const auto newest, HeaderAt(*cursor, partition.id(), last));
    if (!newest.has_value() || !reached(*newest)) continue;
    // In this piece: halve the offsets; each look lands on a whole batch.
    std::optional<BatchHeader> found = newest;
    Offset low = std::max(piece.span.first, extent.first);
    Offset high = newest->base_offset;  // Below it all is still to be decided.
    while (low < high) {
      const Offset middle = low + (high.value() - low.value()) / 2;
      ASSIGN_OR_RETURN(const auto header, HeaderAt(*cursor, partition.id(), middle));
      if (!header.has_value()) break;
      if (reached(*header)) {
        found = header;
        high = header->base_offset;
      } else {
        low = header->end();
      }
    }
    return found;
  }
  return std::optional<BatchHeader>();
}

}  // namespace acta
