#include "storage/log/group_writer.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "storage/base/crc32c.h"
#include "storage/base/status_macros.h"
#include "storage/layout/batch_header.h"
#include "storage/layout/engine_rows.h"
#include "storage/log/dedupe_recovery.h"
#include "storage/log/payload_cut.h"

namespace acta {
namespace {

// What a cached batch costs beyond its bytes.
constexpr int64_t kBatchOverhead = 256;
// Smaller payloads are copied: a view of them would keep a whole received frame alive.
constexpr size_t kCopyBelow = 4096;

std::vector<int64_t> SizesOf(const std::vector<TopicLogPtr>& topics) {
  std::vector<int64_t> sizes;
  for (const TopicLogPtr& topic : topics) sizes.push_back(topic->ids.size());
  return sizes;
}

}  // namespace

GroupWriter::GroupWriter(const Options& options, RocksStore& store, LogTable& table,
                         SliceSet& slices, ServerClock& clock, DiskGuard& disk,
                         GroupNumber last_group, Incarnation incarnation)
    : options_(options),
      store_(store),
      table_(table),
      slices_(slices),
      clock_(clock),
      disk_(disk),
      incarnation_(incarnation),
      group_(last_group, incarnation),
      last_group_(last_group.value()) {
  snapshot_time_us_ = absl::ToUnixMicros(clock_.Now());
}

absl::Status GroupWriter::Write(std::vector<Queued> transactions, WrittenGroup* written) {
  writing_.store(true);  // Who saw that it was not has an earlier time than the group.
  now_us_ = absl::ToUnixMicros(clock_.Now());
  group_time_us_.store(now_us_);
  group_.Restart(GroupNumber(last_group_.load() + 1), incarnation_);
  group_has_data_ = wrote_meta_ = wrote_state_ = false;
  accepted_.clear();
  written->settled.reserve(transactions.size());
  for (Queued& queued : transactions) {
    Transaction& transaction = queued.transaction;
    Settled settled;
    settled.level = settled.result.level = transaction.level;
    settled.result.incarnation = incarnation_;
    settled.in_flight_bytes = queued.bytes;
    const size_t begin = accepted_.size();
    Decide(transaction, &settled.result);
    OwnSmallParts(transaction, begin);
    settled.done = std::move(transaction.done);
    written->settled.push_back(std::move(settled));
  }
  AddLedger();
  for (const Accepted& accepted : accepted_) AddToGroup(accepted);
  AddSnapshots();
  if (!group_has_data_) {  // Duplicates and refusals only.
    writing_.store(false);
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(store_.Write(group_));
  last_group_.store(group_.group().value());
  written->group = group_.group();
  written->bytes = static_cast<int64_t>(group_.size_bytes());
  disk_.Wrote(written->bytes);
  for (Accepted& accepted : accepted_) Cache(accepted, written);
  writing_.store(false);
  KeepBudgets();
  return absl::OkStatus();
}

void GroupWriter::Decide(Transaction& transaction, TransactionResult* result) {
  result->appends.resize(transaction.appends.size());
  if (transaction.atomic) {
    DecideAtomic(transaction, result);
    return;
  }
  for (size_t i = 0; i < transaction.appends.size(); ++i) {
    Accept(transaction.appends[i], false, &result->appends[i]);
  }
  AddRows(transaction.rows);
}

// Payloads of one frame are views of it, and stay in the cache, which counts them alone: what is
// mostly repeated or refused must not stay with them.
void GroupWriter::OwnSmallParts(const Transaction& transaction, size_t begin) {
  size_t offered = 0;
  size_t stored = 0;
  for (const Append& append : transaction.appends) offered += append.payload.size();
  for (size_t i = begin; i < accepted_.size(); ++i) {
    if (accepted_[i].batch != nullptr) stored += accepted_[i].batch->payload.size();
  }
  if (stored >= offered / 2) return;
  for (size_t i = begin; i < accepted_.size(); ++i) {
    if (accepted_[i].batch == nullptr) continue;
    SharedBytes& payload = accepted_[i].batch->payload;
    payload = SharedBytes::Copy(payload.view());
  }
}

void GroupWriter::DecideAtomic(Transaction& transaction, TransactionResult* result) {
  const size_t before = accepted_.size();
  bool failed = false;
  for (size_t i = 0; i < transaction.appends.size() && !failed; ++i) {
    Accept(transaction.appends[i], true, &result->appends[i]);
    failed = !result->appends[i].status.ok();
  }
  // A repetition of the whole call is answered as one; of a part of it, refused.
  const auto stored = std::count_if(accepted_.begin() + static_cast<long>(before), accepted_.end(),
                                    [](const Accepted& part) { return part.batch != nullptr; });
  const bool partly_repeated =
      !failed && (stored != 0 || transaction.rows_are_new) && !transaction.leave_out_duplicates &&
      std::any_of(result->appends.begin(), result->appends.end(),
                  [](const AppendResult& append) { return !append.duplicates.empty(); });
  if (!failed && !partly_repeated) {
    const bool repeated = stored == 0 && !transaction.appends.empty();
    if (!repeated || transaction.leave_out_duplicates) AddRows(transaction.rows);
    return;
  }
  for (size_t i = accepted_.size(); i > before; --i) Undo(accepted_[i - 1]);
  accepted_.resize(before);
  for (AppendResult& append : result->appends) {
    if (!append.status.ok()) continue;
    append = AppendResult();
    append.status =
        Error(v1::ATOMIC_ABORTED,
              partly_repeated ? "some events of this atomic call were published before"
                              : "another batch of this atomic call failed; nothing was stored");
  }
}

void GroupWriter::AnswerRepeated(const Append& append, const TopicLog& topic,
                                 const SequencedBatch& stored, AppendResult* result) const {
  result->append_time_us = stored.append_time_us;
  result->base_offset = stored.base_offset;
  if (stored.stored == append.count) {
    for (uint32_t i = 0; i < append.count; ++i) {
      result->duplicates.push_back({i, stored.base_offset + i, stored.incarnation});
    }
    return;
  }
  // Some of its events were duplicates even then: only their ids tell where each one is.
  for (const IdentifiedEvent& event : append.ids) {
    const auto at = topic.ids.Find(append.partition.partition(), event.id, now_us_);
    if (!at.has_value()) break;
    result->duplicates.push_back({event.index, at->offset, at->incarnation});
  }
  if (result->duplicates.size() == append.count) return;
  *result = AppendResult();
  result->status = Error(v1::DUPLICATE_SEQUENCE_FORGOTTEN,
                         absl::StrCat("sequence ", append.first_sequence,
                                      " was published before; its offsets are not known any more"));
}

void GroupWriter::FindDuplicates(const Append& append, TopicLog& topic, Offset base,
                                 AppendResult* result, std::vector<EventIdHash>* inserted) {
  topic.ids.Trim(now_us_);
  const int32_t partition = append.partition.partition();
  inserted->reserve(append.ids.size());
  for (size_t i = 0; i < append.ids.size(); ++i) {
    const size_t ahead = std::min(i + IdWindow::kAhead, append.ids.size() - 1);
    topic.ids.Prefetch(partition, append.ids[ahead].id);
    const IdentifiedEvent& event = append.ids[i];
    const auto skipped = static_cast<int64_t>(result->duplicates.size());
    const auto at = topic.ids.FindOrInsert(partition, event.id,
                                           {base + (event.index - skipped), incarnation_, now_us_});
    if (at.has_value()) {
      result->duplicates.push_back({event.index, at->offset, at->incarnation});
    } else {
      inserted->push_back(event.id);
    }
  }
}

void GroupWriter::Accept(Append& append, bool atomic, AppendResult* result) {
  TopicLogPtr topic = table_.Find(append.partition.topic());
  PartitionPtr partition = topic == nullptr ? nullptr : topic->Find(append.partition.partition());
  if (partition == nullptr || partition->dropped()) {
    result->status = Error(v1::PARTITION_NOT_FOUND, "the topic was deleted");
    return;
  }
  const TopicSettings settings = topic->settings();
  const bool look = append.ids_unknown && settings.dedupe == Dedupe::kIds;
  if (look) append.ids = IdsOf(options_.id_key, append.payload.view());
  // Recorded always, as headers are: a topic that checks them again goes on where its producers
  // are.
  const bool sequenced = append.producer_id != 0;
  const bool checked = sequenced && settings.dedupe != Dedupe::kOff;
  if (checked && AnswerKnownSequence(append, *topic, *partition, result)) return;
  Accepted accepted;
  const int64_t ids_before = topic->ids.size();
  if (settings.dedupe == Dedupe::kIds && !append.ids.empty()) {
    FindDuplicates(append, *topic, partition->writer.next, result, &accepted.inserted);
  }
  ids_.fetch_add(topic->ids.size() - ids_before, std::memory_order_relaxed);
  const auto stored = append.count - static_cast<uint32_t>(result->duplicates.size());
  const Offset end = partition->writer.next;
  accepted.topic = std::move(topic);
  accepted.partition = std::move(partition);
  if (stored > 0 && append.expected_end.has_value() && *append.expected_end != end) {
    ForgetInserted(accepted);
    *result = AppendResult();
    result->status = Error(
        v1::WRONG_EXPECTED_OFFSET,
        absl::StrCat("the end offset is ", end.value(), ", not ", append.expected_end->value(),
                     "; read what came in between, then decide again"),
        {{"end_offset", absl::StrCat(end.value())}});
    return;
  }
  duplicates_.fetch_add(append.count - stored, std::memory_order_relaxed);
  Place(append, settings, stored, sequenced, atomic, &accepted, result);
  accepted_.push_back(std::move(accepted));
}

bool GroupWriter::AnswerKnownSequence(const Append& append, const TopicLog& topic,
                                      const PartitionLog& partition, AppendResult* result) {
  const auto known = partition.writer.producers.Check(append.producer_id, append.producer_epoch,
                                                      append.first_sequence, append.count);
  if (!known.ok()) {
    result->status = known.status();
    return true;
  }
  if (!known->has_value()) return false;
  AnswerRepeated(append, topic, **known, result);
  duplicates_.fetch_add(append.count, std::memory_order_relaxed);
  return true;
}

void GroupWriter::Place(Append& append, const TopicSettings& settings, uint32_t stored,
                        bool sequenced, bool atomic, Accepted* accepted, AppendResult* result) {
  PartitionLog::WriterState& writer = accepted->partition->writer;
  accepted->undo_next = writer.next;
  accepted->undo_end_bytes = writer.end_bytes;
  accepted->undo_time_us = writer.last_time_us;
  const int64_t time_us = std::max(now_us_, writer.last_time_us);
  result->append_time_us = time_us;
  result->base_offset = writer.next;
  result->count = stored;
  if (sequenced) {
    accepted->producer_id = append.producer_id;
    if (atomic) accepted->producer_before = writer.producers.Find(append.producer_id);
    writer.producers.Record(
        append.producer_id, append.producer_epoch,
        {append.first_sequence, append.count, stored, writer.next, incarnation_, time_us});
  }
  if (!writer.producers_behind) behind_producers_.push_back(accepted->partition);
  writer.producers_behind = true;
  if (stored == 0) return;
  auto batch = std::make_shared<StoredBatch>();
  batch->payload = append.payload;
  batch->payload_crc32c = append.payload_crc32c;
  if (stored != append.count) {
    batch->payload = WithoutEvents(append.payload, result->duplicates);
    batch->payload_crc32c = Crc32c(batch->payload.view());
    accepted->sequence_count = append.count;
  } else if (append.payload.size() < kCopyBelow) {
    batch->payload = SharedBytes::Copy(append.payload.view());
  }
  batch->partition = append.partition;
  batch->base_offset = writer.next;
  batch->count = stored;
  batch->incarnation = incarnation_;
  batch->append_time_us = time_us;
  batch->end_bytes = writer.end_bytes + batch->payload.size();
  batch->producer_id = append.producer_id;
  batch->producer_epoch = append.producer_epoch;
  batch->first_sequence = append.first_sequence;
  batch->context = append.context;
  writer.next = batch->end();
  writer.end_bytes = batch->end_bytes;
  writer.last_time_us = time_us;
  accepted->visible_at = settings.visible_at;
  accepted->slice = slices_.Current(SliceClassOf(settings.retention));
  accepted->batch = std::move(batch);
}

void GroupWriter::ForgetInserted(Accepted& accepted) {
  const int64_t before = accepted.topic->ids.size();
  for (const EventIdHash& id : accepted.inserted) {
    accepted.topic->ids.Remove(accepted.partition->id().partition(), id);
  }
  ids_.fetch_add(accepted.topic->ids.size() - before, std::memory_order_relaxed);
}

void GroupWriter::Undo(Accepted& accepted) {
  PartitionLog::WriterState& writer = accepted.partition->writer;
  writer.next = accepted.undo_next;
  writer.end_bytes = accepted.undo_end_bytes;
  writer.last_time_us = accepted.undo_time_us;
  if (accepted.producer_id != 0) {
    writer.producers.Restore(accepted.producer_id, std::move(accepted.producer_before));
  }
  ForgetInserted(accepted);
}

void GroupWriter::AddToGroup(const Accepted& accepted) {
  if (accepted.batch == nullptr) {
    // Every event is a duplicate: no header will tell of the sequence, so the snapshot has to.
    if (accepted.producer_id != 0) untold_producers_.insert(accepted.partition);
    return;
  }
  const StoredBatch& batch = *accepted.batch;
  BatchHeader header;
  header.partition = batch.partition;
  header.base_offset = batch.base_offset;
  header.count = batch.count;
  header.incarnation = batch.incarnation;
  header.append_time_us = batch.append_time_us;
  header.end_bytes = batch.end_bytes;
  header.group = group_.group();
  header.producer_id = batch.producer_id;
  header.producer_epoch = batch.producer_epoch;
  header.first_sequence = batch.first_sequence;
  header.payload_len = static_cast<uint32_t>(batch.payload.size());
  header.payload_crc32c = batch.payload_crc32c;
  header.sequence_count = accepted.sequence_count;
  const absl::string_view context = batch.context.view();
  group_.PutBatch(accepted.slice->family, LogKey(batch.partition, header.last()),
                  EncodeBatchHeader(header, context), context, batch.payload.view());
  group_has_data_ = true;
  const auto bytes = static_cast<int64_t>(batch.payload.size());
  accepted.slice->bytes.fetch_add(bytes + static_cast<int64_t>(BatchHeader::kSize),
                                  std::memory_order_relaxed);
  bytes_since_snapshot_ += bytes;
  if (batch.partition == kLedgerPartition) return;  // Nobody published it.
  events_.fetch_add(batch.count, std::memory_order_relaxed);
  bytes_.fetch_add(bytes, std::memory_order_relaxed);
}

void GroupWriter::Cache(Accepted& accepted, WrittenGroup* group) {
  if (accepted.batch == nullptr) return;
  const StoredBatch& batch = *accepted.batch;
  const int64_t bytes =
      static_cast<int64_t>(batch.payload.size() + batch.context.size()) + kBatchOverhead;
  const WrittenGroup::Advance advance{accepted.partition, batch.end(), batch.end_bytes,
                                      batch.append_time_us};
  accepted.partition->Written(accepted.slice, accepted.batch);
  cached_.emplace_back(accepted.partition, bytes);
  cached_bytes_.fetch_add(bytes, std::memory_order_relaxed);
  if (accepted.visible_at == Level::kOs) {
    accepted.partition->AdvanceVisible(advance.end, advance.end_bytes, advance.last_time_us);
  } else {
    group->advances.push_back(advance);
  }
}

void GroupWriter::AddRows(std::vector<RowWrite>& rows) {
  for (RowWrite& row : rows) {
    if (row.family == Family::kLedger) {
      ledger_.push_back(*std::move(row.value));
      continue;
    }
    const bool meta = row.family == Family::kMeta;
    const FamilyPtr family = meta ? store_.meta() : store_.state();
    if (row.value.has_value()) {
      group_.Put(family, row.key, *row.value);
    } else {
      group_.Delete(family, row.key);
    }
    bool& marked = meta ? wrote_meta_ : wrote_state_;
    if (!marked) {
      std::string number(8, '\0');
      PutLittle<uint64_t>(number.data(), group_.group().value());
      group_.Put(family, kGroupRow, number);
      marked = true;
    }
    group_has_data_ = true;
  }
}

// One batch for all that groups did.
void GroupWriter::AddLedger() {
  constexpr size_t kMostEvents = 65'536;
  if (table_.Find(kLedgerPartition) == nullptr) ledger_.clear();  // It is not kept.
  for (size_t begin = 0; begin < ledger_.size(); begin += kMostEvents) {
    Append append;
    append.partition = kLedgerPartition;
    append.count = static_cast<uint32_t>(std::min(kMostEvents, ledger_.size() - begin));
    std::string payload;
    for (size_t i = begin; i < begin + append.count; ++i) payload += ledger_[i];
    append.payload_crc32c = Crc32c(payload);
    append.payload = SharedBytes(std::move(payload));
    AppendResult result;
    Accept(append, false, &result);
  }
  ledger_.clear();
}

void GroupWriter::KeepBudgets() {
  while (cached_bytes_.load(std::memory_order_relaxed) > options_.tail_cache_bytes &&
         !cached_.empty()) {
    cached_.front().first->EvictOldest();
    cached_bytes_.fetch_sub(cached_.front().second, std::memory_order_relaxed);
    cached_.pop_front();
  }
  KeepIds();
}

void GroupWriter::KeepIds() {
  if (ids() <= most_ids()) return;
  const std::vector<TopicLogPtr> topics = table_.All();
  // A little more than is needed: all topics are looked at, which is not to be done for every id.
  const int64_t wanted = most_ids() - most_ids() / 64;
  // A topic that is quiet, or remembers none any more, has ids whose window has ended.
  for (const TopicLogPtr& topic : topics) {
    if (ids() <= wanted) return;
    const int64_t before = topic->ids.size();
    topic->ids.Trim(now_us_);
    ids_.fetch_add(topic->ids.size() - before, std::memory_order_relaxed);
  }
  const int64_t share = LargestShare(SizesOf(topics), wanted, 0);
  for (const TopicLogPtr& topic : topics) {
    const int64_t before = topic->ids.size();
    while (topic->ids.size() > share) topic->ids.Evict(topic->ids.size() - share);
    ids_.fetch_add(topic->ids.size() - before, std::memory_order_relaxed);
  }
}

int64_t GroupWriter::IdsForOneMore(int64_t wanted) const {
  if (most_ids() - ids() >= wanted) return wanted;
  return LargestShare(SizesOf(table_.All()), most_ids(), 1);
}

void GroupWriter::AddIds(int64_t count) {
  ids_.fetch_add(count, std::memory_order_relaxed);
  KeepIds();
}

}  // namespace acta
