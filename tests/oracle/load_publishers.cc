#include "tests/oracle/load_publishers.h"

#include <random>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cpp/admin.h"
#include "client/cpp/publisher.h"
#include "proto/support/partitioner.h"
#include "storage/base/status_macros.h"

namespace acta::oracle {
namespace {

constexpr int kMaxBurst = 40;
constexpr size_t kMaxPadding = 400;
constexpr absl::Duration kRepeatDelay = absl::Milliseconds(20);

// What one publishing process needs to make events and to note what became of them.
class Process {
 public:
  Process(const LoadContext& load, int32_t number)
      : load_(load), number_(number), chance_(load.options.seed * 1000 + number) {}

  absl::Status Open() {
    ASSIGN_OR_RETURN(file_, RecordFile::Create(absl::StrCat(load_.options.folder, "/publisher-",
                                                            number_, ".history")));
    return absl::OkStatus();
  }

  int64_t Random(int64_t most) { return std::uniform_int_distribution<int64_t>(1, most)(chance_); }
  int32_t RandomPartition() { return static_cast<int32_t>(Random(load_.options.partitions)) - 1; }

  // A new event, noted as being published.
  Value Next(int32_t partition, bool with_id, v1::Event* event) {
    const Value value{number_, ++counter_};
    event->set_data(EncodeValue(value, static_cast<size_t>(Random(kMaxPadding))));
    event->set_type("oracle.value");
    if (load_.options.workers > 0) event->set_key(KeyOf(partition));
    if (with_id) event->set_id(absl::StrCat(value.process, "-", value.counter));
    Record record = Of(Record::Kind::kInvoke, value, partition);
    file_->Write({record}, false);
    return value;
  }

  // One of the keys that belong to the partition.
  std::string KeyOf(int32_t partition) {
    std::string key;
    do {
      key = absl::StrCat(kKeyMark, number_, ".", Random(load_.options.keys));
    } while (PartitionOfKey(key, load_.options.partitions) != partition);
    return key;
  }

  static Record Of(Record::Kind kind, const Value& value, int32_t partition) {
    Record record;
    record.kind = kind;
    record.value = value;
    record.partition = partition;
    return record;
  }

  // Kept until Flush(): one sync counts many.
  void Note(const Record& record) {
    MutexLock lock(mu_);
    notes_.push_back(record);
  }
  void Flush() {
    std::vector<Record> notes;
    {
      MutexLock lock(mu_);
      notes.swap(notes_);
    }
    if (!notes.empty()) file_->Write(std::move(notes), true);
  }

 private:
  const LoadContext& load_;
  const int32_t number_;
  std::mt19937_64 chance_;
  std::unique_ptr<RecordFile> file_;
  int64_t counter_ = 0;
  Mutex mu_;  // Leaf.
  std::vector<Record> notes_ ABSL_GUARDED_BY(mu_);
};

bool OutcomeUnknown(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status) ||
         absl::IsCancelled(status) || absl::IsUnknown(status) || absl::IsInternal(status);
}

Record ResultOf(const Value& value, int32_t partition, const client::EventResult& result) {
  if (!result.status.ok() || result.offset < 0) {
    const bool unknown = result.status.ok() || OutcomeUnknown(result.status);
    return Process::Of(unknown ? Record::Kind::kInfo : Record::Kind::kFail, value, partition);
  }
  Record record = Process::Of(Record::Kind::kOk, value, result.partition);
  record.offset = result.offset;
  record.incarnation = result.incarnation;
  record.os = result.level == v1::ACK_LEVEL_OS;
  return record;
}

// The places of the events of one answered batch, duplicates with where they were stored before.
void NoteResults(const std::vector<Value>& values, const v1::PublishResults& answer,
                 int32_t partition, Process* process) {
  const v1::FrameResult& frame = answer.results(0);
  const v1::BatchResult& batch = frame.batches(0);
  const auto note = [&](int index, int32_t where, int64_t offset, int64_t incarnation) {
    Record record = Process::Of(Record::Kind::kOk, values[static_cast<size_t>(index)], where);
    record.offset = offset;
    record.incarnation = incarnation;
    record.os = frame.level() == v1::ACK_LEVEL_OS;
    process->Note(record);
  };
  for (const v1::PublishedPart& part : batch.parts()) {
    for (int k = 0; k < part.count(); ++k) {
      const int index = part.event_indexes().empty() ? k : part.event_indexes(k);
      note(index, part.partition(), part.base_offset() + k, frame.incarnation());
    }
  }
  for (const v1::Duplicate& duplicate : batch.duplicates()) {
    if (duplicate.offset() >= 0) {
      note(duplicate.event_index(), partition, duplicate.offset(), duplicate.incarnation());
    }
  }
}

}  // namespace

absl::Status RunStreamPublisher(const LoadContext& load, int32_t number, bool os, bool with_ids) {
  Process process(load, number);
  RETURN_IF_ERROR(process.Open());
  client::PublisherOptions options;
  options.level = os ? v1::ACK_LEVEL_OS : v1::ACK_LEVEL_FSYNC;
  options.retry_for = load.options.patience;
  client::Publisher publisher(load.channel, options);
  bool stopped = false;
  while (!stopped) {
    const int64_t burst = process.Random(kMaxBurst);
    for (int64_t i = 0; i < burst; ++i) {
      const int32_t partition = process.RandomPartition();
      v1::Event event;
      const Value value = process.Next(partition, with_ids, &event);
      RETURN_IF_ERROR(
          publisher.PublishTo(load.options.topic, partition, event,
                              [&process, value, partition](const client::EventResult& result) {
                                process.Note(ResultOf(value, partition, result));
                              }));
    }
    process.Flush();
    stopped = load.stop.WaitFor(absl::Seconds(1) * burst / load.options.events_per_second);
  }
  const absl::Status closed = publisher.Close(load.options.patience);
  process.Flush();
  return closed;
}

absl::Status RunUnaryPublisher(const LoadContext& load, int32_t number, bool with_ids) {
  Process process(load, number);
  RETURN_IF_ERROR(process.Open());
  client::Admin admin(load.channel);
  bool stopped = false;
  while (!stopped) {
    v1::PublishFrame frame;
    v1::PartitionBatch& batch = *frame.add_batches();
    batch.set_topic(load.options.topic);
    batch.set_partition(process.RandomPartition());
    std::vector<Value> values;
    for (int64_t i = process.Random(3); i > 0; --i) {
      values.push_back(process.Next(batch.partition(), with_ids, batch.add_events()));
    }
    absl::StatusOr<v1::PublishResults> answer = admin.Publish(frame);
    const absl::Time give_up = absl::Now() + load.options.patience;
    while (with_ids && !answer.ok() && OutcomeUnknown(answer.status()) && absl::Now() < give_up) {
      StopFlag().WaitFor(kRepeatDelay);  // Also when the load is stopping.
      answer = admin.Publish(frame);
    }
    if (answer.ok() && answer->results(0).batches(0).has_error()) {
      answer = absl::FailedPreconditionError("the batch was refused");
    }
    if (answer.ok()) {
      NoteResults(values, *answer, batch.partition(), &process);
    } else {
      const bool unknown = OutcomeUnknown(answer.status());
      for (const Value& value : values) {
        process.Note(Process::Of(unknown ? Record::Kind::kInfo : Record::Kind::kFail, value,
                                 batch.partition()));
      }
    }
    process.Flush();
    stopped = load.stop.WaitFor(absl::Seconds(10) / load.options.events_per_second);
  }
  return absl::OkStatus();
}

}  // namespace acta::oracle
