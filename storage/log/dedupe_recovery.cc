#include "storage/log/dedupe_recovery.h"

#include <algorithm>
#include <vector>

#include "absl/strings/numbers.h"
#include "proto/support/error.h"
#include "proto/support/event_scanner.h"
#include "storage/base/log.h"
#include "storage/base/status_macros.h"
#include "storage/layout/engine_rows.h"
#include "storage/log/producer_snapshot.h"

namespace acta {
namespace {

struct Remembered {
  int64_t time_us;
  int32_t partition;
  EventIdHash id;
  IdPosition position;
};

// Walks what can be read. Damage costs the memory of the events in it, never the start: their
// readers get the error, and a retry of one of them would be stored again.
absl::Status WalkReadable(const LogReader& reader, const PartitionLog& partition, Offset from,
                          const LogReader::Visit& visit) {
  for (;;) {
    const absl::Status status = reader.Walk(partition, from, visit);
    const v1::ErrorReason reason = ReasonOf(status);
    if (reason != v1::DATA_CORRUPTED && reason != v1::GAP) return status;
    int64_t last_lost = 0;
    if (!absl::SimpleAtoi(DetailsOf(status).at("last_lost"), &last_lost)) return status;
    LogError("ids and sequences of unreadable events are not remembered",
             {{"topic_id", partition.id().topic().value()},
              {"partition", partition.id().partition()},
              {"cause", std::string(status.message())}});
    from = Offset(last_lost + 1);
  }
}

absl::Status CollectIds(const LogReader& reader, const SipKey& key, const PartitionLog& partition,
                        Offset from, std::vector<Remembered>* out) {
  return WalkReadable(reader, partition, from,
                      [&](const BatchHeader& header, absl::string_view value) {
                        EventElements elements(PayloadOf(header, value));
                        absl::string_view event;
                        for (int64_t index = 0; elements.Next(&event); ++index) {
                          ScannedEvent scanned;
                          if (ScanEvent(event, &scanned) != WireFault::kNone || scanned.id.empty())
                            continue;
                          const IdPosition position{header.base_offset + index, header.incarnation,
                                                    header.append_time_us};
                          out->push_back({header.append_time_us, partition.id().partition(),
                                          HashEvent(key, scanned.source, scanned.id), position});
                        }
                        return true;
                      });
}

}  // namespace

EventIdHash HashEvent(const SipKey& key, absl::string_view source, absl::string_view id) {
  std::string identity;
  identity.reserve(source.size() + id.size() + 4);
  const auto size = static_cast<uint32_t>(source.size());
  identity.append(reinterpret_cast<const char*>(&size), sizeof(size));
  identity.append(source.data(), source.size());
  identity.append(id.data(), id.size());
  const Hash128 hash = SipHash128(key, identity);
  return {hash.low, hash.high};
}

absl::Status RecoverProducers(const RocksStore& store, const LogReader& reader,
                              PartitionLog& partition) {
  const PartitionExtent extent = partition.Extent();
  Offset from = extent.first;
  ASSIGN_OR_RETURN(const auto row, store.Get(store.state(), ProducerRow(partition.id())));
  ProducerTable& producers = partition.writer.producers;
  if (row.has_value()) {
    ASSIGN_OR_RETURN(const Offset as_of, DecodeProducers(*row, &producers));
    from = std::max(from, as_of);
  }
  if (from >= extent.visible_end) return absl::OkStatus();
  return WalkReadable(reader, partition, from, [&](const BatchHeader& header, absl::string_view) {
    if (header.producer_id != 0) {
      producers.Record(header.producer_id, header.producer_epoch,
                       {header.first_sequence, header.sequences(), header.count, header.base_offset,
                        header.incarnation, header.append_time_us});
    }
    return true;
  });
}

absl::StatusOr<int64_t> RecoverIds(const LogReader& reader, const SipKey& key, absl::Time now,
                                   int64_t budget_ids, TopicLog& topic) {
  const int64_t max_ids = std::min(topic.ids.max_ids(), budget_ids);
  const TopicSettings settings = topic.settings();
  if (settings.dedupe != Dedupe::kIds) return 0;
  const int64_t now_us = absl::ToUnixMicros(now);
  int64_t since_us = now_us - absl::ToInt64Microseconds(settings.dedupe_window);
  const std::vector<PartitionPtr> partitions = topic.partitions();
  std::vector<Offset> from(partitions.size());
  // The oldest time since which at most `max_ids` events came, by halving what is left.
  for (int round = 0; round < 24; ++round) {
    int64_t events = 0;
    for (size_t i = 0; i < partitions.size(); ++i) {
      const PartitionExtent extent = partitions[i]->Extent();
      from[i] = extent.visible_end;
      if (extent.last_time_us < since_us || extent.first == extent.visible_end) continue;
      const auto first = reader.FindFirst(*partitions[i], [since_us](const BatchHeader& header) {
        return header.append_time_us >= since_us;
      });
      if (!first.ok()) {  // Damaged where it looked: the newest are taken instead.
        from[i] = std::max(extent.first, extent.visible_end + -max_ids);
      } else if (first->has_value()) {
        from[i] = std::max(extent.first, (*first)->base_offset);
      }
      events += Lag(from[i], extent.visible_end);
    }
    if (events <= max_ids) break;
    since_us += (now_us - since_us) / 2;
    topic.ids.MissesBefore(since_us);
  }
  std::vector<Remembered> remembered;
  for (size_t i = 0; i < partitions.size(); ++i) {
    RETURN_IF_ERROR(CollectIds(reader, key, *partitions[i], from[i], &remembered));
  }
  std::stable_sort(remembered.begin(), remembered.end(),
                   [](const Remembered& a, const Remembered& b) { return a.time_us < b.time_us; });
  for (const Remembered& event : remembered) {
    topic.ids.Insert(event.partition, event.id, event.position);
  }
  topic.ids.Trim(now_us);
  // Events of one time cannot be told apart above: the last batch alone may hold too many.
  topic.ids.Evict(topic.ids.size() - max_ids);
  return topic.ids.size();
}

}  // namespace acta
