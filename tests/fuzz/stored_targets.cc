#include <rocksdb/table_properties.h>

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "proto/support/wire.h"
#include "storage/base/crc32c.h"
#include "storage/base/fatal.h"
#include "storage/layout/batch_header.h"
#include "storage/log/payload_cut.h"
#include "storage/log/producer_snapshot.h"
#include "storage/log/witness.h"
#include "storage/rocks/table_extents.h"
#include "tests/fuzz/fuzz_targets.h"

namespace acta {
namespace {

// Takes the first byte: whether sizes and checksums are to be made right.
bool TakeRepairs(absl::string_view* bytes) {
  const bool repairs = !bytes->empty() && (bytes->front() & 1) != 0;
  bytes->remove_prefix(bytes->empty() ? 0 : 1);
  return repairs;
}

// The value with the head of a batch whose context is at most as long as there are bytes.
std::string RepairBatch(std::string value) {
  if (value.size() < BatchHeader::kSize) value.resize(BatchHeader::kSize, '\0');
  char* const data = value.data();
  PutLittle<uint32_t>(data, BatchHeader::kMagic);
  PutLittle<uint8_t>(data + 4, BatchHeader::kFormat);
  PutLittle<uint16_t>(data + 6, BatchHeader::kSize);
  const auto room = static_cast<uint32_t>(value.size() - BatchHeader::kSize);
  const uint32_t context = GetLittle<uint32_t>(data + 36) % (room + 1);
  PutLittle<uint32_t>(data + 36, context);
  PutLittle<uint32_t>(data + 80, room - context);
  const char* const payload = data + BatchHeader::kSize + context;
  PutLittle<uint32_t>(data + 84, Crc32c({payload, room - context}));
  const uint32_t crc = Crc32cExtend(0, data, 92);
  PutLittle<uint32_t>(data + 92, Crc32cExtend(crc, data + BatchHeader::kSize, context));
  return value;
}

void CheckPieces(absl::string_view payload) {
  std::vector<size_t> ends = {0};
  EventElements elements(payload);
  for (absl::string_view event; elements.Next(&event);) {
    ACTA_CHECK(event.data() + event.size() == payload.data() + elements.offset());
    ends.push_back(elements.offset());
  }
  const auto whole = static_cast<uint32_t>(ends.size() - 1);
  ACTA_CHECK(EventElements::Count(payload) == (elements.ok() ? int64_t{whole} : -1));
  const uint32_t most = std::min<uint32_t>(whole, 20);
  for (uint32_t from = 0; from <= most; ++from) {
    for (uint32_t to = from; to <= most; ++to) {
      ACTA_CHECK(EventElements::Cut(payload, from, to) ==
                 payload.substr(ends[from], ends[to] - ends[from]));
    }
    ACTA_CHECK(BytesOfEvents(payload, from) == ends[from]);
  }
  if (!elements.ok() || whole == 0) return;
  DuplicateEvent duplicate;
  duplicate.index = whole / 2;
  const SharedBytes kept = WithoutEvents(SharedBytes::Copy(payload), {duplicate});
  ACTA_CHECK(EventElements::Count(kept.view()) == whole - 1);
}

// A bit that flipped on the medium is noticed, wherever it is.
void CheckFlips(const std::string& value, const BatchHeader& header) {
  const size_t step = 1 + value.size() / 16;
  for (size_t at = 0; at < value.size(); at += step) {
    std::string flipped = value;
    flipped[at] = static_cast<char>(flipped[at] ^ 1 << (at / step % 8));
    const absl::StatusOr<BatchHeader> read = DecodeBatchHeader(flipped);
    const size_t covered = BatchHeader::kSize + header.context_len;
    ACTA_CHECK(read.ok() == (at >= covered));
    if (at < covered) continue;
    ACTA_CHECK(Crc32c(PayloadOf(*read, flipped)) != Crc32c(PayloadOf(header, value)));
  }
}

void CheckBatch(const std::string& value) {
  const absl::StatusOr<BatchHeader> header = DecodeBatchHeader(value);
  if (!header.ok()) return;
  const absl::string_view context = ContextOf(*header, value);
  const absl::string_view payload = PayloadOf(*header, value);
  ACTA_CHECK(BatchHeader::kSize + context.size() + payload.size() == value.size());
  ACTA_CHECK(header->end() > header->base_offset && header->last() >= header->base_offset);
  const absl::StatusOr<LogKeyParts> key = DecodeLogKey(LogKey(header->partition, header->last()));
  ACTA_CHECK(key.ok() && key->partition == header->partition && key->last == header->last());
  // All that a batch says is in the encoding of it.
  const std::string head = EncodeBatchHeader(*header, context);
  const std::string again = absl::StrCat(head, context, payload);
  const absl::StatusOr<BatchHeader> twice = DecodeBatchHeader(again);
  ACTA_CHECK(twice.ok());
  ACTA_CHECK(EncodeBatchHeader(*twice, context) == head);
  if (value[5] == 0) ACTA_CHECK(again == value);
  CheckFlips(value, *header);
  CheckPieces(payload);
}

std::string RepairWitness(std::string slot) {
  constexpr size_t kHead = 16;
  constexpr size_t kFixed = 48;
  if (slot.size() < kHead + kFixed) slot.resize(kHead + kFixed, '\0');
  const size_t body = slot.size() - kHead;
  PutLittle<uint32_t>(slot.data(), 0x57544341);
  PutLittle<uint32_t>(slot.data() + 4, static_cast<uint32_t>(body));
  // Two of the three lists are taken modulo what is there; the third is the rest.
  char* const counts = slot.data() + kHead + 32;
  const auto room = static_cast<uint32_t>(body - kFixed);
  const uint32_t wals = GetLittle<uint32_t>(counts) % (room / 8 + 1);
  const uint32_t store_id = GetLittle<uint32_t>(counts + 4) % (room - wals * 8 + 1);
  PutLittle<uint32_t>(counts, wals);
  PutLittle<uint32_t>(counts + 4, store_id);
  PutLittle<uint32_t>(counts + 8, room - wals * 8 - store_id);
  PutLittle<uint32_t>(slot.data() + 8, Crc32c({slot.data() + kHead, body}));
  return slot;
}

}  // namespace

int FuzzStoredBatch(absl::string_view bytes) {
  const bool repairs = TakeRepairs(&bytes);
  (void)DecodeLogKey(bytes);
  CheckPieces(bytes);
  CheckBatch(repairs ? RepairBatch(std::string(bytes)) : std::string(bytes));
  return 0;
}

int FuzzWitness(absl::string_view bytes) {
  const bool repairs = TakeRepairs(&bytes);
  const std::string slot = repairs ? RepairWitness(std::string(bytes)) : std::string(bytes);
  WitnessRecord record;
  uint64_t version = 0;
  if (!DecodeWitness(slot, &record, &version)) return 0;
  WitnessRecord again;
  uint64_t version_again = 0;
  const std::string encoded = EncodeWitness(record, version);
  if (encoded.size() < slot.size()) return 0;
  ACTA_CHECK(DecodeWitness(encoded, &again, &version_again) && version_again == version);
  ACTA_CHECK(again.store_id == record.store_id && again.boot_id == record.boot_id);
  ACTA_CHECK(again.incarnation == record.incarnation && again.clean == record.clean);
  ACTA_CHECK(again.synced_group == record.synced_group);
  ACTA_CHECK(again.server_time_us == record.server_time_us);
  ACTA_CHECK(again.live_wals == record.live_wals);
  const size_t at = slot.size() / 2;
  std::string flipped = slot;
  flipped[at] = static_cast<char>(flipped[at] ^ 16);
  const size_t end = 16 + GetLittle<uint32_t>(slot.data() + 4);
  if (at >= 16 && at < end) ACTA_CHECK(!DecodeWitness(flipped, &again, &version_again));
  return 0;
}

int FuzzProducers(absl::string_view bytes) {
  ProducerTable producers;
  const absl::StatusOr<Offset> as_of = DecodeProducers(bytes, &producers);
  ACTA_CHECK(producers.producers().size() <= ProducerTable::kMaxProducers);
  if (!as_of.ok()) return 0;
  ProducerTable again;
  const std::string row = EncodeProducers(producers, *as_of);
  const absl::StatusOr<Offset> as_of_again = DecodeProducers(row, &again);
  ACTA_CHECK(as_of_again.ok() && *as_of_again == *as_of);
  ACTA_CHECK(again.producers().size() == producers.producers().size());
  for (const auto& [id, state] : producers.producers()) {
    const auto found = again.Find(id);
    ACTA_CHECK(found.has_value() && found->epoch == state.epoch);
    ACTA_CHECK(found->batches.size() == state.batches.size());
    ACTA_CHECK(found->batches.size() <= ProducerState::kKept);
    ACTA_CHECK(found->next_sequence() == state.next_sequence());
    // What is remembered is known again.
    const SequencedBatch& last = state.batches.back();
    const auto check = again.Check(id, state.epoch, last.first_sequence, last.sequences);
    ACTA_CHECK(check.ok());
  }
  return 0;
}

int FuzzTableExtents(absl::string_view bytes) {
  constexpr size_t kGroupBytes = 8;
  rocksdb::TableProperties properties;
  properties.user_collected_properties["acta.max_group"] =
      std::string(bytes.substr(0, kGroupBytes));
  bytes.remove_prefix(std::min(bytes.size(), kGroupBytes));
  properties.user_collected_properties["acta.spans"] = std::string(bytes);
  TableExtents extents;
  const bool read = ReadExtents(properties, &extents);
  const PartitionId wanted(bytes.size() < 8 ? 0 : GetBig64(bytes.data()));
  const auto span = ReadSpan(properties, wanted);
  // Spans stand in the order of their partitions: then both ways of reading them agree.
  bool rising = true;
  for (size_t at = 56; at + 56 <= bytes.size(); at += 56) {
    rising = rising && GetBig64(bytes.data() + at - 56) < GetBig64(bytes.data() + at);
  }
  if (!read || !rising || extents.spans.empty()) return 0;
  ACTA_CHECK(span.has_value());
  ACTA_CHECK(span->first == extents.spans.at(wanted).first);
  ACTA_CHECK(span->last == extents.spans.at(wanted).last);
  TableExtents joined = extents;
  joined.Join(extents);
  ACTA_CHECK(joined.spans.size() == extents.spans.size());
  return 0;
}

}  // namespace acta
