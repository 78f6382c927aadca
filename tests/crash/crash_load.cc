#include "tests/crash/crash_load.h"

#include <algorithm>
#include <cstdlib>
#include <deque>
#include <map>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "acta/storage/v1/records.pb.h"
#include "proto/support/error.h"
#include "storage/base/crc32c.h"
#include "storage/base/status_macros.h"
#include "storage/layout/rows.h"
#include "storage/log/local_log_engine.h"
#include "tests/support/test_store.h"

namespace acta {
namespace {

constexpr size_t kInFlight = 12;
constexpr size_t kRepeatable = 40;

// An append as it was sent, to send it again.
struct Original {
  PartitionId partition;
  std::vector<std::string> elements;
  std::vector<std::string> ids;  // Of the events, in order; empty where the topic has none.
  uint64_t producer = 0;
  uint32_t epoch = 0;
  uint32_t first_sequence = 0;
  bool retry = false;  // Sent before, under this sequence.
};

struct Answer {
  Mutex mu;  // Leaf.
  CondVar arrived;
  bool done ABSL_GUARDED_BY(mu) = false;
  size_t acked ABSL_GUARDED_BY(mu) = 0;
  TransactionResult result ABSL_GUARDED_BY(mu);
};

struct InFlight {
  HistoryTransaction transaction;
  std::vector<Original> originals;
  std::vector<std::string> contexts;
  bool atomic = false;
  std::shared_ptr<Answer> answer = std::make_shared<Answer>();
};

struct Producer {
  uint32_t epoch = 1;
  uint32_t next = 0;
};

std::vector<HistoryTopic> Topics() {
  TopicSettings orders;
  orders.dedupe_window = absl::Seconds(10);
  orders.retention = absl::Seconds(20);
  TopicSettings fast;
  fast.visible_at = Level::kOs;
  fast.dedupe = Dedupe::kSequences;
  fast.retention = absl::Hours(24);
  fast.retention_bytes = 40'000;
  TopicSettings plain;
  plain.dedupe = Dedupe::kOff;
  plain.retention = absl::Seconds(12);
  TopicSettings late;
  late.dedupe = Dedupe::kSequences;
  late.retention = absl::Hours(100);
  return {{TopicId(1), 3, orders}, {TopicId(2), 2, fast}, {TopicId(3), 2, plain},
          {TopicId(4), 1, orders}, {TopicId(5), 2, late}, {TopicId(6), 2, orders}};
}

// When, in thousandths of the run, which topics come and go.
struct Change {
  int when;
  uint64_t created;  // 0: none.
  uint64_t dropped;
};
constexpr Change kChanges[] = {{0, 1, 0},   {0, 2, 0},   {0, 3, 0},  {150, 4, 0},
                               {400, 5, 0}, {600, 0, 4}, {700, 6, 0}};
constexpr int kRestartAt = 500;
constexpr int kMostTimesSteps = 20;

class CrashLoad {
 public:
  explicit CrashLoad(const CrashLoadOptions& options) : options_(options), random_(options.seed) {
    history_.topics = Topics();
  }

  absl::StatusOr<History> Run() {
    RETURN_IF_ERROR(Open());
    for (int step = 0; step < options_.steps || MustGoOn(step); ++step) {
      RETURN_IF_ERROR(ChangeTopics(step));
      RETURN_IF_ERROR(Step());
    }
    RETURN_IF_ERROR(Settle(0));
    LookAtEngine();
    engine_.reset();
    if (!sink_.causes().empty()) return absl::InternalError(sink_.causes().front());
    return std::move(history_);
  }

  // How the engine's own work fell out.
  struct Extent {
    int32_t slices_made = 0;
    int32_t slices_dropped = 0;
    size_t transactions = 0;
    uint64_t groups = 0;  // They were committed in.
  };
  const Extent& extent() const { return extent_; }

 private:
  uint64_t Random(uint64_t below) { return random_() % below; }
  bool OneIn(uint64_t n) { return Random(n) == 0; }
  const HistoryTopic& Topic(uint64_t id) const { return *history_.FindTopic(TopicId(id)); }

  // The engine drops slices in a time of its own, which a quick run may not give it.
  bool MustGoOn(int step) {
    LookAtEngine();
    return extent_.slices_dropped == 0 && step < kMostTimesSteps * options_.steps;
  }

  absl::Status Open() {
    LocalEngineOptions engine = SmallEngineOptions(options_.folder);
    engine.file_system = options_.file_system;
    engine.maintenance_interval = absl::Milliseconds(300);
    engine.slice_interval = absl::Seconds(1);
    ASSIGN_OR_RETURN(engine_, LocalLogEngine::Open(engine, sink_, clock_));
    slices_ = engine_->Stats().slices;
    first_group_ = engine_->Stats().last_group.value();
    for (const uint64_t id : live_) RETURN_IF_ERROR(OpenTopic(id));
    return absl::OkStatus();
  }

  absl::Status OpenTopic(uint64_t id) {
    TopicSettings settings = Topic(id).settings;
    if (options_.forget_ids && settings.dedupe == Dedupe::kIds) settings.dedupe = Dedupe::kOff;
    return engine_->OpenTopic(TopicId(id), Topic(id).partitions, settings);
  }

  void LookAtEngine() {
    const EngineStats stats = engine_->Stats();
    const int32_t more = stats.slices - std::exchange(slices_, stats.slices);
    (more > 0 ? extent_.slices_made : extent_.slices_dropped) += std::abs(more);
    extent_.groups = groups_before_ + stats.last_group.value() - first_group_;
    extent_.transactions = history_.transactions.size();
  }

  absl::Status ChangeTopics(int step) {
    const auto at = [this](int when) { return when * options_.steps / 1000; };
    for (const Change& change : kChanges) {
      if (at(change.when) != step) continue;
      if (change.created != 0) RETURN_IF_ERROR(Create(change.created));
      if (change.dropped != 0) RETURN_IF_ERROR(Drop(change.dropped));
    }
    if (at(kRestartAt) != step) return absl::OkStatus();
    RETURN_IF_ERROR(Settle(0));
    LookAtEngine();
    groups_before_ = extent_.groups;
    engine_.reset();
    return Open();
  }

  absl::Status Create(uint64_t id) {
    storage::v1::TopicRecord record;
    record.set_topic_id(id);
    record.mutable_topic()->set_partitions(Topic(id).partitions);
    InFlight created;
    created.transaction.rows.push_back({Family::kMeta,
                                        TopicRow("default", absl::StrCat("topic-", id)),
                                        record.SerializeAsString()});
    RETURN_IF_ERROR(Send(std::move(created), true));
    RETURN_IF_ERROR(Settle(0));
    live_.push_back(id);
    return OpenTopic(id);
  }

  absl::Status Drop(uint64_t id) {
    std::erase(live_, id);
    std::erase_if(repeatable_, [id](const Original& original) {
      return original.partition.topic().value() == id;
    });
    InFlight dropped;
    dropped.transaction.rows.push_back(
        {Family::kMeta, TopicRow("default", absl::StrCat("topic-", id)), std::nullopt});
    RETURN_IF_ERROR(Send(std::move(dropped), true));
    RETURN_IF_ERROR(Settle(0));
    engine_->DropTopic(TopicId(id));
    return absl::OkStatus();
  }

  absl::Status Step() {
    clock_.Advance(OneIn(40) ? absl::Milliseconds(1500)
                             : absl::Milliseconds(static_cast<int64_t>(20 + Random(150))));
    InFlight next;
    next.transaction.level = OneIn(3) ? Level::kOs : Level::kFsync;
    const uint64_t kind = Random(20);
    if (kind < 9) {
      for (uint64_t i = 0; i <= Random(3); ++i) next.originals.push_back(NewAppend(true));
    } else if (kind < 12) {
      next.atomic = true;
      for (uint64_t i = 0; i < 2 + Random(2); ++i) next.originals.push_back(NewAppend(false));
      AddRows(&next);
    } else if (kind < 16) {
      AddRows(&next);
    } else if (!repeatable_.empty()) {
      next.originals.push_back(Repeat());
      next.atomic = next.originals.front().producer == 0 && OneIn(4);
    }
    for (const Original& original : next.originals) {
      repeatable_.push_back(original);
      if (repeatable_.size() > kRepeatable) repeatable_.pop_front();
    }
    const bool news = next.originals.size() > 0 && kind < 12;
    const bool marked = !next.transaction.rows.empty() || !news || OneIn(2);
    RETURN_IF_ERROR(Send(std::move(next), marked));
    RETURN_IF_ERROR(Settle(OneIn(8) ? 0 : kInFlight));
    if (OneIn(10)) RETURN_IF_ERROR(AddToIndex());
    LookAtEngine();
    return NoteSeen();
  }

  void AddRows(InFlight* next) {
    for (uint64_t i = 0; i <= Random(4); ++i) {
      RowWrite row;
      if (OneIn(3)) {
        row.family = Family::kLedger;
        row.value = EventElement(NewData());
        next->transaction.rows.push_back(std::move(row));
        continue;
      }
      row.family = OneIn(6) ? Family::kMeta : Family::kState;
      row.key = row.family == Family::kMeta
                    ? GroupRow("default", absl::StrCat("group-", Random(5)))
                    : PositionRow(GroupId(Random(5)), PartitionId(TopicId(1), 0));
      if (!OneIn(7)) row.value = std::string(1 + Random(300), static_cast<char>(Random(256)));
      next->transaction.rows.push_back(std::move(row));
    }
  }

  std::string NewData() {
    const size_t size = OneIn(10) ? 1000 + Random(6000) : Random(300);
    ++events_;
    return absl::StrCat("event ", events_, " ", std::string(size, static_cast<char>(events_)));
  }

  void AddEvents(Original* original, uint64_t count) {
    const HistoryTopic& topic = Topic(original->partition.topic().value());
    for (uint64_t i = 0; i < count; ++i) {
      const std::string data = NewData();
      const bool identified = topic.settings.dedupe == Dedupe::kIds;
      const std::string id = identified ? absl::StrCat("id-", events_) : "";
      if (identified) original->ids.push_back(id);
      original->elements.push_back(EventElement(data, id));
    }
  }

  void AddSequence(Original* original) {
    Producer& producer = producers_[original->partition];
    original->producer = 1000 + original->partition.value();
    original->epoch = producer.epoch;
    original->first_sequence = producer.next;
    producer.next += static_cast<uint32_t>(original->elements.size());
  }

  // `may_sequence`: a part of an atomic call may be refused, which would tear its sequence.
  Original NewAppend(bool may_sequence) {
    const HistoryTopic& topic = Topic(live_[Random(live_.size())]);
    Original original;
    original.partition = PartitionId(
        topic.id, static_cast<int32_t>(Random(static_cast<uint64_t>(topic.partitions))));
    AddEvents(&original, 1 + Random(OneIn(5) ? 60 : 6));
    if (!may_sequence || topic.settings.dedupe == Dedupe::kOff || OneIn(3)) return original;
    if (OneIn(30)) {
      ++producers_[original.partition].epoch;
      producers_[original.partition].next = 0;
    }
    AddSequence(&original);
    return original;
  }

  // The same again, as a retry under its own sequence; or its events with new ones after them,
  // under a new sequence or none.
  Original Repeat() {
    Original original = repeatable_[Random(repeatable_.size())];
    const bool identified = !original.ids.empty();
    original.retry = original.producer != 0 && OneIn(2);
    if (original.retry) return original;
    original.producer = 0;
    if (OneIn(2)) AddEvents(&original, 1 + Random(4));
    if (identified && OneIn(3)) AddSequence(&original);
    return original;
  }

  absl::Status Send(InFlight next, bool marked) {
    HistoryTransaction& record = next.transaction;
    Transaction transaction;
    transaction.atomic = next.atomic;
    transaction.level = record.level;
    transaction.rows = record.rows;
    record.marked = marked;
    if (marked) {
      transaction.rows.push_back({Family::kState, kMarkerRow,
                                  absl::StrCat(history_.transactions.size() + in_flight_.size())});
    }
    for (const Original& original : next.originals) {
      Append append = MakeAppend(original.partition, original.elements);
      append.producer_id = original.producer;
      append.producer_epoch = original.epoch;
      append.first_sequence = original.first_sequence;
      for (size_t i = 0; i < original.ids.size(); ++i) {
        append.ids.push_back({static_cast<uint32_t>(i), engine_->HashEventId("", original.ids[i])});
      }
      next.contexts.push_back(OneIn(4) ? absl::StrCat("context ", events_) : "");
      append.context = SharedBytes::Copy(next.contexts.back());
      // A condition nobody can meet: refused, and nothing of it may stay.
      if (original.producer == 0 && OneIn(25)) append.expected_end = Offset(1 << 30);
      transaction.appends.push_back(std::move(append));
    }
    transaction.done = [answer = next.answer, disk = options_.disk](TransactionResult result) {
      MutexLock lock(answer->mu);
      answer->acked = disk->operations();
      answer->result = std::move(result);
      answer->done = true;
      answer->arrived.SignalAll();
    };
    record.now_us = absl::ToUnixMicros(clock_.Wall());
    record.submitted = options_.disk->operations();
    in_flight_.push_back(std::move(next));
    return engine_->Submit(std::move(transaction));
  }

  // Takes answers, oldest first, until at most `most` are missing.
  absl::Status Settle(size_t most) {
    while (in_flight_.size() > most) {
      InFlight& oldest = in_flight_.front();
      TransactionResult result;
      {
        MutexLock lock(oldest.answer->mu);
        while (!oldest.answer->done) oldest.answer->arrived.Wait(oldest.answer->mu);
        result = std::move(oldest.answer->result);
        oldest.transaction.acked = oldest.answer->acked;
      }
      RETURN_IF_ERROR(result.status);
      RETURN_IF_ERROR(NoteStored(result, &oldest));
      history_.transactions.push_back(std::move(oldest.transaction));
      in_flight_.pop_front();
    }
    return absl::OkStatus();
  }

  // Into the history goes what was stored, and nothing else.
  absl::Status NoteStored(const TransactionResult& result, InFlight* sent) {
    HistoryTransaction& record = sent->transaction;
    bool refused = false;
    for (size_t i = 0; i < result.appends.size(); ++i) {
      const AppendResult& append = result.appends[i];
      if (!append.status.ok()) {
        refused = true;
        const v1::ErrorReason reason = ReasonOf(append.status);
        if (reason != v1::ATOMIC_ABORTED && reason != v1::WRONG_EXPECTED_OFFSET &&
            reason != v1::DUPLICATE_SEQUENCE_FORGOTTEN && reason != v1::STALE_PRODUCER_EPOCH) {
          return append.status;
        }
        continue;
      }
      const Original& original = sent->originals[i];
      const bool sequence_only = original.producer != 0 && !original.retry;
      if (append.count == 0 && !sequence_only) continue;
      size_t repeated = 0;
      std::string payload;
      for (uint32_t index = 0; index < original.elements.size(); ++index) {
        if (repeated < append.duplicates.size() && append.duplicates[repeated].index == index) {
          ++repeated;
        } else {
          payload += original.elements[index];
        }
      }
      record.parts.push_back({original.partition, append.base_offset, append.count, payload.size(),
                              Crc32c(sent->contexts[i] + payload), append.append_time_us,
                              original.producer, original.epoch, original.first_sequence,
                              static_cast<uint32_t>(original.elements.size())});
    }
    const bool repeated = record.parts.empty() && !sent->originals.empty();
    if (sent->atomic && (refused || repeated)) {
      if (!record.parts.empty()) return absl::InternalError("a part of a refused atomic call");
      record.rows.clear();
      record.marked = false;
    }
    return absl::OkStatus();
  }

  // What was answered since the last time.
  absl::Status AddToIndex() {
    std::vector<IndexEntry> entries;
    for (; indexed_ < history_.transactions.size(); ++indexed_) {
      for (const HistoryPart& part : history_.transactions[indexed_].parts) {
        for (Offset at = part.base; at < part.end(); at = at + 1) {
          entries.push_back({random_(), part.partition, at});
        }
      }
    }
    std::sort(entries.begin(), entries.end());
    RETURN_IF_ERROR(engine_->AddToIndex(entries));
    const size_t operations = options_.disk->operations();
    for (const IndexEntry& entry : entries) {
      history_.indexed.push_back({operations, entry.hash, entry.partition, entry.offset});
    }
    return absl::OkStatus();
  }

  absl::Status NoteSeen() {
    const HistoryTopic& topic = Topic(live_[Random(live_.size())]);
    for (int32_t number = 0; number < topic.partitions; ++number) {
      const PartitionId partition(topic.id, number);
      ASSIGN_OR_RETURN(const PartitionExtent extent, engine_->Extent(partition));
      const auto seen = std::pair(extent.first, extent.visible_end);
      if (std::exchange(seen_[partition], seen) == seen) continue;
      history_.seen.push_back(
          {options_.disk->operations(), partition, extent.first, extent.visible_end});
    }
    return absl::OkStatus();
  }

  const CrashLoadOptions& options_;
  std::mt19937_64 random_;
  FakeClock clock_;
  RecordingFatalSink sink_;
  std::unique_ptr<LocalLogEngine> engine_;
  History history_;
  std::vector<uint64_t> live_;
  std::deque<InFlight> in_flight_;
  std::deque<Original> repeatable_;
  std::map<PartitionId, Producer> producers_;
  std::map<PartitionId, std::pair<Offset, Offset>> seen_;
  Extent extent_;
  int32_t slices_ = 0;
  uint64_t first_group_ = 0;  // Of this opening.
  uint64_t groups_before_ = 0;
  size_t indexed_ = 0;  // Transactions whose events are in the index.
  int64_t events_ = 0;
};

// A run in which one of these never happened proves nothing of it.
absl::Status CheckHadAll(const History& history, const CrashLoad::Extent& extent) {
  bool trimmed = false, repeated = false, with_sequence = false, rows = false, ledger = false;
  for (const HistorySeen& seen : history.seen) trimmed |= seen.first > Offset(0);
  for (const HistoryTransaction& transaction : history.transactions) {
    for (const RowWrite& row : transaction.rows) {
      (row.family == Family::kLedger ? ledger : rows) = true;
    }
    for (const HistoryPart& part : transaction.parts) {
      with_sequence |= part.producer != 0 && part.count > 0;
      repeated |= part.count < part.sequences;
    }
  }
  const bool indexed = !history.indexed.empty();
  const bool slices = extent.slices_made > 0 && extent.slices_dropped > 0;
  const bool grouped = extent.groups < extent.transactions;
  if (trimmed && repeated && with_sequence && rows && ledger && indexed && slices && grouped) {
    return absl::OkStatus();
  }
  return absl::InternalError(absl::StrCat(
      "a load in which something never happened: retention ", trimmed, ", repeats ", repeated,
      ", sequences ", with_sequence, ", rows ", rows, ", ledger ", ledger, ", index ", indexed,
      ", slices made ", extent.slices_made, " and dropped ", extent.slices_dropped, ", ",
      extent.transactions, " transactions in ", extent.groups, " groups"));
}

}  // namespace

LocalEngineOptions SmallEngineOptions(const std::string& folder) {
  LocalEngineOptions options;
  options.data = folder;
  options.boot_id = kLoadBoot;
  options.memtable_bytes = 1 << 20;
  options.write_buffer_bytes = 64 << 10;
  options.slice_age = absl::Seconds(5);
  options.witness_interval = absl::Milliseconds(2);
  options.snapshot_bytes = 64 << 10;
  options.ledger_retention = absl::Seconds(20);
  options.ballast_bytes = 0;
  options.watermarks = {{0, 0}, {0, 0}, {0, 0}};
  options.maintenance_interval = options.slice_interval = absl::Hours(1'000'000);
  return options;
}

absl::StatusOr<History> RunCrashLoad(const CrashLoadOptions& options) {
  CrashLoad load(options);
  ASSIGN_OR_RETURN(History history, load.Run());
  // One that forgets ids repeats nothing.
  if (!options.forget_ids) RETURN_IF_ERROR(CheckHadAll(history, load.extent()));
  return history;
}

}  // namespace acta
