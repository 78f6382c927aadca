#include "storage/log/dedupe_recovery.h"

#include <algorithm>
#include <optional>
#include <tuple>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "proto/support/event_scanner.h"
#include "storage/base/log.h"
#include "storage/base/status_macros.h"
#include "storage/layout/engine_rows.h"
#include "storage/log/producer_snapshot.h"

namespace acta {
namespace {

// A start has millions of them for a moment.
struct Remembered {
  EventIdHash id;
  IdPosition position;
  int32_t partition;
};
static_assert(sizeof(Remembered) == 48);

// As they came: oldest first, and those of one time by partition.
bool CameBefore(const Remembered& a, const Remembered& b) {
  return std::tuple(a.position.time_us, a.partition, a.position.offset) <
         std::tuple(b.position.time_us, b.partition, b.position.offset);
}

// Nothing is known to be damaged: the next read may succeed.
bool DiskIsSilent(const absl::Status& status) {
  const v1::ErrorReason reason = ReasonOf(status);
  const bool found = status.ok() || reason == v1::DATA_CORRUPTED || reason == v1::GAP;
  return !found || DetailsOf(status).contains(kIoErrorDetail);
}

// A start without these ids would store again, in silence, what is sent again.
absl::Status RefuseToForget(const PartitionLog& partition, const absl::Status& why) {
  return Error(
      v1::FOLDER_UNUSABLE,
      absl::StrCat("the disk did not answer when ids and sequences of topic ",
                   partition.id().topic().value(), ", partition ", partition.id().partition(),
                   " were read: ", why.message(),
                   "; nothing is known to be lost: look at the disk and start again. If it never "
                   "answers, start with --accept-loss: what is sent again of these events is then "
                   "stored twice"));
}

// Walks what can be read. Damage costs the memory of the events in it, never the start: their
// readers get the error, and a retry of one of them would be stored again.
absl::Status WalkReadable(const LogReader& reader, const PartitionLog& partition, Offset from,
                          bool accept_loss, const LogReader::Visit& visit) {
  for (;;) {
    const absl::Status status = reader.Walk(partition, from, visit);
    if (DiskIsSilent(status) && !accept_loss) return RefuseToForget(partition, status);
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

// Returns the time before which some are missing, 0: none are. Damage took them, or hides when what
// is below `from` came.
absl::StatusOr<int64_t> CollectIds(const LogReader& reader, const SipKey& key,
                                   const PartitionLog& partition, Offset from, bool hidden,
                                   bool accept_loss, std::vector<Remembered>* out) {
  int64_t missed_us = 0;
  Offset next = hidden ? Offset(-1) : from;
  const auto collect = [&](const BatchHeader& header, absl::string_view value) {
    if (header.base_offset > next) missed_us = header.append_time_us;
    next = header.end();
    for (const IdentifiedEvent& event : IdsOf(key, PayloadOf(header, value))) {
      const IdPosition position{header.base_offset + event.index, header.incarnation,
                                header.append_time_us};
      out->push_back({event.id, position, partition.id().partition()});
    }
    return true;
  };
  RETURN_IF_ERROR(WalkReadable(reader, partition, from, accept_loss, collect));
  const PartitionExtent extent = partition.Extent();
  return next < extent.visible_end ? extent.last_time_us + 1 : missed_us;
}

// What is looked through for the newest events.
struct Searched {
  const LogReader& reader;
  const std::vector<PartitionPtr>& partitions;
  int64_t max_ids = 0;  // Wanted of all of them.
  bool accept_loss = false;
};

// Where to begin reading in each partition.
struct NewestEvents {
  int64_t since_us = 0;  // Nothing that came later is left out.
  std::vector<Offset> from;
  std::vector<bool> hidden;  // Damage hides when what is before came, which is left out.
  int64_t events = 0;
};

absl::StatusOr<std::optional<BatchHeader>> FirstSince(const Searched& in,
                                                      const PartitionLog& partition,
                                                      int64_t since_us, Offset from) {
  const auto find = [&] {
    const auto reached = [since_us](const BatchHeader& header) {
      return header.append_time_us >= since_us;
    };
    return in.reader.FindFirst(partition, reached, from);
  };
  auto found = find();
  if (DiskIsSilent(found.status())) found = find();  // Once more, as a walk reads.
  return found;
}

// The events since a time, which in each partition begin between those of `older` and these
// offsets. Where damage hides the time of a partition's batches its newest are taken instead,
// `max_ids` in all such partitions together.
absl::StatusOr<NewestEvents> EventsSince(const Searched& in, int64_t since_us,
                                         const NewestEvents& older, const std::vector<Offset>& to) {
  NewestEvents found{since_us, {}, {}, 0};
  const int64_t partitions = std::ssize(in.partitions);
  const auto share = std::max<int64_t>(1, in.max_ids / std::max<int64_t>(1, partitions));
  for (size_t i = 0; i < in.partitions.size(); ++i) {
    const PartitionLog& partition = *in.partitions[i];
    const PartitionExtent extent = partition.Extent();
    const Offset from = older.from[i];
    Offset first = std::min(to[i], extent.visible_end);
    bool hidden = false;
    if (extent.last_time_us >= since_us && from < first) {
      const auto batch = FirstSince(in, partition, since_us, from);
      if (DiskIsSilent(batch.status()) && !in.accept_loss) {
        return RefuseToForget(partition, batch.status());
      }
      if (!batch.ok()) {
        first = std::max(extent.first, extent.visible_end + -share);
        hidden = first > extent.first;
      } else if (batch->has_value()) {
        first = std::min(first, std::max(from, (*batch)->base_offset));
      }
    }
    found.from.push_back(first);
    found.hidden.push_back(hidden || (older.hidden[i] && first == from));
    found.events += Lag(first, extent.visible_end);
  }
  return found;
}

// All of `newer`, and of what only `older` has the newest `count`, the same share of every
// partition: too many came at one time to tell them apart by it.
NewestEvents Between(const NewestEvents& older, NewestEvents newer, int64_t count) {
  const double share = static_cast<double>(std::max<int64_t>(0, count)) /
                       static_cast<double>(std::max<int64_t>(1, older.events - newer.events));
  for (size_t i = 0; i < newer.from.size(); ++i) {
    const int64_t gap = std::max<int64_t>(0, Lag(older.from[i], newer.from[i]));
    const auto taken = static_cast<int64_t>(static_cast<double>(gap) * std::min(1.0, share));
    newer.from[i] = newer.from[i] + -taken;
    newer.events += taken;
  }
  return newer;
}

// The events of the window, or at least the newest `max_ids` of them and at most twice as many:
// what is read and held in memory is bounded, and enough is there to fill the maximum.
absl::StatusOr<NewestEvents> FindNewest(const Searched& in, int64_t window_us) {
  constexpr int64_t kNearEnoughUs = 1000;
  const int64_t most = 2 * in.max_ids;
  int64_t end_us = window_us;
  NewestEvents begins, ends;
  for (const PartitionPtr& partition : in.partitions) {
    const PartitionExtent extent = partition->Extent();
    end_us = std::max(end_us, extent.last_time_us + 1);
    // One event more than all that is wanted may come of one partition.
    begins.from.push_back(std::max(extent.first, extent.visible_end + -(most + 1)));
    ends.from.push_back(extent.visible_end);
    begins.hidden.push_back(false);
    ends.hidden.push_back(false);
  }
  ASSIGN_OR_RETURN(NewestEvents older, EventsSince(in, window_us, begins, ends.from));
  if (older.events <= most) return older;
  ASSIGN_OR_RETURN(NewestEvents newer, EventsSince(in, end_us, ends, ends.from));
  while (newer.since_us - older.since_us > kNearEnoughUs) {
    const int64_t middle_us = older.since_us + (newer.since_us - older.since_us) / 2;
    ASSIGN_OR_RETURN(NewestEvents middle, EventsSince(in, middle_us, older, newer.from));
    if (middle.events > most) {
      older = std::move(middle);
    } else if (middle.events < in.max_ids) {
      newer = std::move(middle);
    } else {
      return middle;
    }
  }
  const int64_t room = most - newer.events;
  return Between(older, std::move(newer), room);
}

}  // namespace

EventIdHash HashEvent(const SipKey& key, absl::string_view source, absl::string_view id) {
  char size[4];
  PutLittle(size, static_cast<uint32_t>(source.size()));
  const Hash128 hash = SipHash128(key, {absl::string_view(size, sizeof(size)), source, id});
  return {hash.low, hash.high};
}

std::vector<IdentifiedEvent> IdsOf(const SipKey& key, absl::string_view payload) {
  std::vector<IdentifiedEvent> ids;
  EventElements elements(payload);
  absl::string_view event;
  for (uint32_t index = 0; elements.Next(&event); ++index) {
    ScannedEvent scanned;
    if (ScanEvent(event, &scanned) != WireFault::kNone || scanned.id.empty()) continue;
    ids.push_back({index, HashEvent(key, scanned.source, scanned.id)});
  }
  return ids;
}

absl::Status RecoverProducers(const RocksStore& store, const LogReader& reader, absl::Time now,
                              bool accept_loss, PartitionLog& partition) {
  if (partition.id() == kLedgerPartition) return absl::OkStatus();  // Nobody publishes to it.
  const PartitionExtent extent = partition.Extent();
  Offset from = extent.first;
  ASSIGN_OR_RETURN(const auto row, store.Get(store.state(), ProducerRow(partition.id())));
  ProducerTable& producers = partition.writer.producers;
  if (row.has_value()) {
    ProducerTable told;
    ASSIGN_OR_RETURN(const Offset as_of, DecodeProducers(*row, &told));
    partition.writer.producers_saved = as_of;
    // After an accepted loss it may tell of what is there no more.
    if (as_of <= extent.visible_end) {
      producers = std::move(told);
      from = std::max(from, as_of);
    }
  }
  const auto record = [&](const BatchHeader& header, absl::string_view) {
    if (header.producer_id != 0) {
      producers.Record(header.producer_id, header.producer_epoch,
                       {header.first_sequence, header.sequences(), header.count, header.base_offset,
                        header.incarnation, header.append_time_us});
    }
    return true;
  };
  if (from < extent.visible_end) {
    partition.writer.producers_behind = true;
    RETURN_IF_ERROR(WalkReadable(reader, partition, from, accept_loss, record));
  }
  producers.ForgetSilent(absl::ToUnixMicros(now));
  return absl::OkStatus();
}

absl::StatusOr<int64_t> RecoverIds(const LogReader& reader, const SipKey& key, absl::Time now,
                                   int64_t budget_ids, bool accept_loss, TopicLog& topic) {
  const int64_t max_ids = std::min(topic.ids.max_ids(), budget_ids);
  const TopicSettings settings = topic.settings();
  if (settings.dedupe != Dedupe::kIds) return 0;
  const int64_t now_us = absl::ToUnixMicros(now);
  const int64_t window_us = now_us - absl::ToInt64Microseconds(settings.dedupe_window);
  const std::vector<PartitionPtr> partitions = topic.partitions();
  ASSIGN_OR_RETURN(const NewestEvents newest,
                   FindNewest({reader, partitions, max_ids, accept_loss}, window_us));
  if (newest.since_us > window_us) topic.ids.MissesBefore(newest.since_us);
  for (const PartitionPtr& partition : partitions) {
    topic.ids.MissesBefore(partition->trimmed_before_us());
  }
  std::vector<Remembered> remembered;
  remembered.reserve(static_cast<size_t>(newest.events));  // Growing, it would be there twice.
  for (size_t i = 0; i < partitions.size(); ++i) {
    ASSIGN_OR_RETURN(const int64_t missed_us,
                     CollectIds(reader, key, *partitions[i], newest.from[i], newest.hidden[i],
                                accept_loss, &remembered));
    topic.ids.MissesBefore(missed_us);
  }
  std::sort(remembered.begin(), remembered.end(), CameBefore);  // In its place.
  for (const Remembered& event : remembered) {
    topic.ids.Insert(event.partition, event.id, event.position);
  }
  topic.ids.Trim(now_us);
  while (topic.ids.size() > max_ids) topic.ids.Evict(topic.ids.size() - max_ids);
  return topic.ids.size();
}

}  // namespace acta
