#include "tests/oracle/load_readers.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "client/cpp/admin.h"
#include "client/cpp/delivery.h"
#include "client/cpp/subscriber.h"
#include "proto/support/error.h"
#include "storage/base/status_macros.h"
#include "tests/oracle/group_member.h"

namespace acta::oracle {
namespace {

constexpr absl::Duration kPatienceOfOneRead = absl::Milliseconds(200);
constexpr absl::Duration kLookAtExtents = absl::Milliseconds(100);
constexpr absl::Duration kPatienceOfOneLook = absl::Seconds(2);  // A link may be silent.

// Events of one delivery, or nothing when the bytes are not events at all.
std::vector<Record> RecordsOf(const client::Delivery& delivery, int32_t reader, int32_t session) {
  std::vector<Record> records;
  const absl::StatusOr<std::vector<v1::Event>> events = delivery.Parse();
  for (int64_t i = 0; i < delivery.count(); ++i) {
    const absl::string_view data =
        events.ok() ? absl::string_view((*events)[static_cast<size_t>(i)].data()) : "";
    records.push_back(Seen(reader, session, delivery.partition(), delivery.OffsetOf(i),
                           delivery.incarnation(), data));
  }
  return records;
}

absl::StatusOr<int64_t> WritePage(const v1::FetchResponse& page, int32_t partition,
                                  RecordFile* file) {
  std::vector<Record> records;
  for (const v1::DeliveredBatch& batch : page.batches()) {
    for (int i = 0; i < batch.events_size(); ++i) {
      const int64_t offset = batch.offset_deltas().empty()
                                 ? batch.base_offset() + i
                                 : batch.base_offset() + batch.offset_deltas(i);
      Record record = Seen(0, 0, partition, offset, batch.incarnation(), batch.events(i).data());
      if (record.kind == Record::Kind::kPoll) record.kind = Record::Kind::kFinal;
      records.push_back(record);
    }
  }
  file->Write(std::move(records), false);
  return page.next_offset();
}

// What is missing between two known offsets is passed over: the check sees the hole.
absl::StatusOr<int64_t> AfterLoss(const absl::Status& status) {
  const auto details = DetailsOf(status);
  const auto last = details.find("last_lost");
  int64_t offset = 0;
  if (last == details.end() || !absl::SimpleAtoi(last->second, &offset)) return status;
  return offset + 1;
}

}  // namespace

absl::Status RunReader(const LoadContext& load, int32_t reader) {
  ASSIGN_OR_RETURN(const auto file, RecordFile::Create(absl::StrCat(load.options.folder, "/reader-",
                                                                    reader, ".history")));
  client::SubscriberOptions options;
  v1::TopicPosition& position = options.topics.emplace_back();
  position.set_topic(load.options.topic);
  position.mutable_from()->set_earliest(true);
  options.retry_for = load.options.patience;
  for (int32_t session = reader; !load.stop.stopped(); ++session) {
    client::Subscriber subscriber(load.channel, options);
    while (!load.stop.stopped() && !subscriber.ended()) {
      auto next = subscriber.Next(absl::Now() + kPatienceOfOneRead);
      if (!next.ok()) {
        // A hole is told, and the partition stops; the log itself is looked at in the end.
        if (subscriber.failed()) return next.status();
        continue;
      }
      if (next->has_value()) file->Write(RecordsOf(**next, reader, session), false);
    }
  }
  return absl::OkStatus();
}

absl::Status RunWatcher(const LoadContext& load) {
  ASSIGN_OR_RETURN(const auto file,
                   RecordFile::Create(absl::StrCat(load.options.folder, "/watcher.history")));
  client::AdminOptions options;
  options.deadline = kPatienceOfOneLook;
  client::Admin admin(load.channel, options);
  v1::ListPartitionsRequest request;
  request.set_topic(load.options.topic);
  do {
    const auto told = admin.ListPartitions(request);
    if (!told.ok()) continue;  // The broker is away.
    std::vector<Record> records;
    for (const v1::PartitionInfo& partition : told->partitions()) {
      Record& record = records.emplace_back();
      record.kind = Record::Kind::kSpan;
      record.partition = partition.partition();
      record.offset = partition.first_offset();
      record.end = partition.end_offset();
    }
    file->Write(std::move(records), false);
  } while (!load.stop.WaitFor(kLookAtExtents));
  return absl::OkStatus();
}

absl::Status RunMember(const LoadContext& load, int32_t reader) {
  ASSIGN_OR_RETURN(const auto file, RecordFile::Create(absl::StrCat(load.options.folder, "/member-",
                                                                    reader, ".history")));
  absl::Time deadline = absl::InfiniteFuture();
  int64_t life = 0;
  while (true) {
    if (load.stop.stopped()) {
      if (deadline == absl::InfiniteFuture()) deadline = absl::Now() + load.options.patience;
      if (GroupAtEnd(load)) return absl::OkStatus();
      if (absl::Now() > deadline) {
        return absl::DeadlineExceededError("the group did not reach the end of the log");
      }
    }
    GroupMember member(load, reader, file.get());
    member.Run(/*most=*/load.options.rejoin_after > 0 ? load.options.rejoin_after * (1 + life % 3)
                                                      : 0);
    ++life;
  }
}

absl::Status WriteFinal(const LoadContext& load) {
  ASSIGN_OR_RETURN(const auto file,
                   RecordFile::Create(absl::StrCat(load.options.folder, "/final.history")));
  client::Admin admin(load.channel);
  for (int32_t partition = 0; partition < load.options.partitions; ++partition) {
    v1::FetchRequest request;
    request.set_topic(load.options.topic);
    request.set_partition(partition);
    request.set_max_events(65'536);
    request.set_max_bytes(4 << 20);
    Record extent;
    extent.kind = Record::Kind::kExtent;
    extent.partition = partition;
    for (bool more = true; more;) {
      const absl::StatusOr<v1::FetchResponse> page = admin.Fetch(request);
      if (!page.ok()) {
        ASSIGN_OR_RETURN(const int64_t after, AfterLoss(page.status()));
        request.set_offset(after);
        continue;
      }
      ASSIGN_OR_RETURN(const int64_t next, WritePage(*page, partition, file.get()));
      request.set_offset(next);
      extent.offset = page->first_offset();
      extent.end = page->end_offset();
      more = next < page->end_offset();
    }
    file->Write({extent}, true);
  }
  return absl::OkStatus();
}

bool GroupAtEnd(const LoadContext& load) {
  client::Admin admin(load.channel);
  v1::GetLagRequest request;
  request.set_group(load.options.group);
  const absl::StatusOr<v1::GetLagResponse> lag = admin.GetLag(request);
  if (!lag.ok()) return false;
  for (const v1::PartitionLag& partition : lag->partitions()) {
    if (partition.committed_offset() < partition.end_offset()) return false;
  }
  return true;
}

}  // namespace acta::oracle
