#include "storage/log/log_reader.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "storage/base/crc32c.h"
#include "storage/base/status_macros.h"

namespace acta {
namespace {

constexpr int64_t kFirstStep = 1024;  // Events.

absl::Status Lost(v1::ErrorReason reason, absl::string_view why, Offset first, Offset last,
                  bool may_pass = false) {
  ErrorDetails details = {{"first_lost", absl::StrCat(first.value())},
                          {"last_lost", absl::StrCat(last.value())}};
  if (may_pass) details.emplace_back(kIoErrorDetail, "true");
  return Error(reason, absl::StrCat("events ", first.value(), " to ", last.value(), " ", why),
               std::move(details));
}

// What a cursor says when its bytes were not read at all.
bool IsIoError(const absl::Status& status) {
  return !status.ok() && ReasonOf(status) != v1::DATA_CORRUPTED;
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
  Progress progress{from, partition.Extent().visible_end};
  WalkTables(partition, visit, &progress);
  while (progress.next < progress.end && !progress.done) {
    const Offset next = progress.next;
    const auto piece = partition.FindPiece(next);
    if (!piece.has_value()) return Lost(v1::GAP, "are missing", next, progress.end + -1);
    const auto cursor = store_.NewPartitionCursor(piece->slice->family);
    RETURN_IF_ERROR(WalkCursor(*cursor, partition.id(), next, visit, &progress));
    if (progress.done) break;
    if (!cursor->status().ok()) {
      RETURN_IF_ERROR(WalkDamaged(partition, *piece, visit, &progress));
    } else if (progress.next <= piece->span.last && progress.next < progress.end) {
      return Lost(v1::GAP, "are missing", progress.next,
                  std::min(piece->span.last, progress.end + -1));
    }
  }
  return absl::OkStatus();
}

void LogReader::WalkTables(const PartitionLog& partition, const Visit& visit,
                           Progress* progress) const {
  Offset before(-1);
  while (before < progress->next && progress->next < progress->end && !progress->done) {
    const auto piece = partition.FindPiece(progress->next);
    if (!piece.has_value()) return;
    const FamilyPtr& slice = piece->slice->family;
    auto cursor = store_.NewReaderCursor(slice, partition.id(), progress->next);
    const bool walked = before >= Offset(0);
    if (cursor == nullptr && walked) return;  // Behind the tables.
    if (cursor == nullptr) cursor = store_.NewTableCursor(slice, partition.id(), progress->next);
    before = progress->next;
    (void)WalkCursor(*cursor, partition.id(), before, visit, progress);
  }
}

absl::Status LogReader::WalkCursor(RowCursor& cursor, PartitionId partition, Offset seek,
                                   const Visit& visit, Progress* progress) const {
  for (cursor.Seek(LogKey(partition, seek)); cursor.Valid(); cursor.Next()) {
    const auto key = DecodeLogKey(cursor.key());
    if (!key.ok() || key->partition != partition) break;
    const auto header = DecodeBatchHeader(cursor.value());
    if (!header.ok() || header->partition != partition || header->last() != key->last) {
      return Lost(v1::DATA_CORRUPTED, "fail their checksum", progress->next,
                  std::min(key->last, progress->end + -1));
    }
    if (header->base_offset > progress->next) {
      return Lost(v1::GAP, "are missing", progress->next, header->base_offset + -1);
    }
    progress->done = header->end() > progress->end || !visit(*header, cursor.value());
    if (progress->done) break;
    progress->next = header->end();
  }
  return absl::OkStatus();
}

absl::Status LogReader::WalkDamaged(const PartitionLog& partition, const PartitionLog::Piece& piece,
                                    const Visit& visit, Progress* progress) const {
  const FamilyPtr& family = piece.slice->family;
  const Offset next = progress->next;
  const Offset last = std::min(piece.span.last, progress->end + -1);
  if (next > last) return absl::OkStatus();  // The damage is behind what was asked for.
  const auto cursor = store_.NewTableCursor(family, partition.id(), next);
  RETURN_IF_ERROR(WalkCursor(*cursor, partition.id(), next, visit, progress));
  if (progress->done || progress->next > next) return absl::OkStatus();
  const absl::Status damage = cursor->status();
  const Readable readable = FindReadable(family, partition.id(), next, last);
  if (readable.first > next) {
    const Offset last_lost = std::min(last, readable.first + -1);
    if (damage.ok()) return Lost(v1::GAP, "are missing", next, last_lost);
    return Lost(v1::DATA_CORRUPTED, absl::StrCat("cannot be read: ", damage.message()), next,
                last_lost, IsIoError(damage));
  }
  // The index sent the search for `next` into the block before its batch.
  const auto behind = store_.NewTableCursor(family, partition.id(), readable.seek);
  RETURN_IF_ERROR(WalkCursor(*behind, partition.id(), readable.seek, visit, progress));
  if (progress->done || progress->next > next) return absl::OkStatus();
  return Lost(v1::DATA_CORRUPTED, "cannot be read a second time", next, next,
              IsIoError(behind->status()));
}

LogReader::Readable LogReader::FindReadable(const FamilyPtr& slice, PartitionId partition,
                                            Offset from, Offset last) const {
  // A table file that cannot be opened fails every cursor: then there is nothing to look for.
  const auto memory = store_.NewTableCursor(slice, partition, Offset(INT64_MAX));
  memory->Seek(LogKey(partition, from));
  if (!memory->status().ok()) return {last + 1, last + 1};
  // So that one call takes seconds at most; the next one goes on from there.
  constexpr int kMostBlocks = 256;
  Offset at = from;
  for (int blocks = 0; blocks < kMostBlocks; ++blocks) {
    at = store_.NextBlock(slice, partition, at, last);
    if (at > last) break;
    const auto cursor = store_.NewTableCursor(slice, partition, at);
    const auto header = HeaderAt(*cursor, partition, at);
    if (!cursor->status().ok()) continue;
    if (!header.ok()) break;  // The block is whole; the batch will tell of itself.
    if (header->has_value()) return {(*header)->base_offset, at};
  }
  return {at, at};
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
        return bytes < max_bytes;  // What follows would not fit: its block is not read.
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
                                                                const Reached& reached,
                                                                Offset from) const {
  const PartitionExtent extent = partition.Extent();
  from = std::max(from, extent.first);
  std::vector<PartitionLog::Piece> pieces = partition.Pieces();
  std::erase_if(pieces, [&](const PartitionLog::Piece& piece) {
    return std::min(piece.span.last, extent.visible_end + -1) < std::max(piece.span.first, from);
  });
  if (pieces.empty()) return std::optional<BatchHeader>();
  for (PartitionLog::Piece& piece : pieces) {
    piece.span = {std::max(piece.span.first, from),
                  std::min(piece.span.last, extent.visible_end + -1)};
  }
  // What is sought is in the first one most of the time; of the others the end of each says whether
  // it is behind.
  ASSIGN_OR_RETURN(const auto found, FindFirstIn(partition.id(), pieces.front(), reached));
  if (found.has_value()) return found;
  size_t low = 1, high = pieces.size();
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    const PartitionLog::Piece& piece = pieces[middle];
    Looks looks;
    ASSIGN_OR_RETURN(const auto last, HeaderIn(piece, partition.id(), piece.span.last, &looks));
    last.has_value() && reached(*last) ? high = middle : low = middle + 1;
  }
  if (low == pieces.size()) return std::optional<BatchHeader>();
  return FindFirstIn(partition.id(), pieces[low], reached);
}

absl::StatusOr<std::optional<BatchHeader>> LogReader::HeaderIn(const PartitionLog::Piece& piece,
                                                               PartitionId partition, Offset offset,
                                                               Looks* looks) const {
  const FamilyPtr& slice = piece.slice->family;
  for (const bool again : {true, false}) {
    if (!again) looks->table = store_.NewReaderCursor(slice, partition, offset);
    if (looks->table == nullptr) continue;
    auto header = HeaderAt(*looks->table, partition, offset);
    if (header.ok() && header->has_value() && (*header)->base_offset <= offset) return header;
  }
  if (looks->whole == nullptr) looks->whole = store_.NewPartitionCursor(slice);
  return HeaderAt(*looks->whole, partition, offset);
}

// A look may cost a block of the disk, and what is sought is near the beginning most of the time:
// steps that double, then halves. Each look lands on a whole batch.
absl::StatusOr<std::optional<BatchHeader>> LogReader::FindFirstIn(PartitionId partition,
                                                                  const PartitionLog::Piece& piece,
                                                                  const Reached& reached) const {
  Looks looks;
  Offset low = piece.span.first;
  std::optional<BatchHeader> found;
  for (int64_t step = 0; low <= piece.span.last; step = std::max(2 * step, kFirstStep)) {
    ASSIGN_OR_RETURN(const auto header,
                     HeaderIn(piece, partition, std::min(low + step, piece.span.last), &looks));
    if (!header.has_value()) break;
    if (reached(*header)) {
      found = header;
      break;
    }
    low = header->end();
  }
  if (!found.has_value()) return found;
  // Where events are missing a look lands behind them: then nothing begins from there on up to it.
  for (Offset high = found->base_offset; low < high;) {
    const Offset middle = low + Lag(low, high) / 2;
    ASSIGN_OR_RETURN(const auto header, HeaderIn(piece, partition, middle, &looks));
    if (!header.has_value()) break;
    if (reached(*header)) {
      found = header;
      high = std::min(middle, header->base_offset);
    } else {
      low = header->end();
    }
  }
  return found;
}

}  // namespace acta
