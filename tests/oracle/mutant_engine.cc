#include "tests/oracle/mutant_engine.h"

#include <algorithm>
#include <array>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "proto/support/wire.h"
#include "storage/base/crc32c.h"
#include "tests/oracle/queue_mutants.h"
#include "tests/oracle/value.h"

namespace acta::oracle {
namespace {

constexpr std::array<std::pair<absl::string_view, Mutation>, 19> kWords = {{
    {"none", Mutation::kNone},
    {"lose", Mutation::kLose},
    {"reorder", Mutation::kReorder},
    {"store-twice", Mutation::kStoreTwice},
    {"skip", Mutation::kSkip},
    {"reuse-offset", Mutation::kReuseOffset},
    {"alter", Mutation::kAlter},
    {"ack-before-sync", Mutation::kAckBeforeSync},
    {"show-before-sync", Mutation::kShowBeforeSync},
    {"hole", Mutation::kHole},
    {"settle-before-sync", Mutation::kSettleBeforeSync},
    {"forget-positions", Mutation::kForgetPositions},
    {"forget-parked", Mutation::kForgetParked},
    {"due-now", Mutation::kDueNow},
    {"count-again", Mutation::kCountAgain},
    {"drop-letters", Mutation::kDropLetters},
    {"split-keys", Mutation::kSplitKeys},
    {"tear-steps", Mutation::kTearSteps},
    {"free-held", Mutation::kFreeHeld},
}};
// A reader that is told the same loss for ever would never end.
constexpr int64_t kMostSkips = 20;

void SetPayload(std::string payload, Append* append) {
  append->payload = SharedBytes(std::move(payload));
  append->payload_crc32c = Crc32c(append->payload.view());
}

std::string Element(const Append& append, uint32_t index) {
  return std::string(EventElements::Cut(append.payload.view(), index, index + 1));
}
std::string Elements(const Append& append, uint32_t from, uint32_t to) {
  return std::string(EventElements::Cut(append.payload.view(), from, to));
}

// The event at `at` goes; those behind it move up.
void LoseEvent(uint32_t at, Append* append) {
  SetPayload(Elements(*append, 0, at) + Elements(*append, at + 1, append->count), append);
  --append->count;
  std::vector<IdentifiedEvent> ids;
  for (IdentifiedEvent& event : append->ids) {
    if (event.index == at) continue;
    if (event.index > at) --event.index;
    ids.push_back(event);
  }
  append->ids = std::move(ids);
}

void DoubleEvent(uint32_t at, Append* append) {
  SetPayload(Elements(*append, 0, at + 1) + Elements(*append, at, append->count), append);
  ++append->count;
  for (IdentifiedEvent& event : append->ids) {
    if (event.index > at) ++event.index;
  }
}

void SwapEvents(uint32_t at, Append* append) {
  SetPayload(Elements(*append, 0, at) + Element(*append, at + 1) + Element(*append, at) +
                 Elements(*append, at + 2, append->count),
             append);
  for (IdentifiedEvent& event : append->ids) {
    if (event.index == at) {
      event.index = at + 1;
    } else if (event.index == at + 1) {
      event.index = at;
    }
  }
  std::sort(append->ids.begin(), append->ids.end(),
            [](const auto& a, const auto& b) { return a.index < b.index; });
}

// Within the padding, so that it stays an event.
bool AlterByte(Append* append) {
  std::string payload(append->payload.view());
  const size_t at = payload.find(kPad);
  if (at == std::string::npos) return false;
  payload[at] = '-';
  SetPayload(std::move(payload), append);
  return true;
}

}  // namespace

std::optional<Mutation> ParseMutation(absl::string_view word) {
  for (const auto& [name, mutation] : kWords) {
    if (name == word) return mutation;
  }
  return std::nullopt;
}

MutantEngine::MutantEngine(std::unique_ptr<LogEngine> engine, Mutation mutation, int64_t every)
    : engine_(std::move(engine)), mutation_(mutation), every_(every) {}

absl::Status MutantEngine::OpenTopic(TopicId topic, int32_t partitions,
                                     const TopicSettings& settings) {
  TopicSettings changed = settings;
  if (mutation_ == Mutation::kShowBeforeSync) changed.visible_at = Level::kOs;
  const absl::Status status = engine_->OpenTopic(topic, partitions, changed);
  if (!status.ok() || mutation_ != Mutation::kHole) return status;
  for (int32_t number = 0; number < partitions; ++number) {
    const PartitionId partition(topic, static_cast<uint16_t>(number));
    const auto extent = engine_->Extent(partition);
    if (!extent.ok() || Lag(extent->first, extent->visible_end) < 10) continue;
    const auto middle =
        engine_->Read(partition, extent->first + Lag(extent->first, extent->visible_end) / 2, 1);
    MutexLock lock(mu_);
    if (middle.ok() && !middle->empty() && !hole_.has_value()) {
      hole_.emplace(partition, middle->front()->base_offset);
    }
  }
  return status;
}

bool MutantEngine::Strikes(int64_t events) const {
  const int64_t before = count_.fetch_add(events);
  return before / every_ != (before + events) / every_;
}

std::optional<MutantEngine::Change> MutantEngine::ChangeAppend(size_t index, Append* append) const {
  int32_t shift = 0;
  const std::pair<uint64_t, PartitionId> key(append->producer_id, append->partition);
  if (append->producer_id != 0) {
    MutexLock lock(mu_);
    shift = shifts_[key];
  }
  append->first_sequence -= static_cast<uint32_t>(shift);
  if (append->count < 3 || !Strikes(append->count)) return std::nullopt;
  Change change{index, 0, append->count / 2, false};
  switch (mutation_) {
    case Mutation::kLose:
      LoseEvent(change.at, append);
      change.missing = 1;
      break;
    case Mutation::kStoreTwice:
      DoubleEvent(change.at, append);
      change.missing = -1;
      break;
    case Mutation::kReorder:
      SwapEvents(change.at, append);
      return std::nullopt;
    case Mutation::kAlter:
      AlterByte(append);
      return std::nullopt;
    case Mutation::kReuseOffset:
      change.reuse = true;
      break;
    default:
      return std::nullopt;
  }
  if (append->producer_id != 0) {
    MutexLock lock(mu_);
    shifts_[key] += change.missing;
  }
  return change;
}

absl::Status MutantEngine::Submit(Transaction transaction) {
  std::vector<Change> changes;
  for (size_t i = 0; i < transaction.appends.size(); ++i) {
    const auto change = ChangeAppend(i, &transaction.appends[i]);
    if (change.has_value()) changes.push_back(*change);
  }
  {
    MutexLock lock(mu_);
    BreakWrittenRows(mutation_, every_, &positions_, &transaction);
  }
  const Level asked = transaction.level;
  const bool early = mutation_ == Mutation::kAckBeforeSync ||
                     (mutation_ == Mutation::kSettleBeforeSync && transaction.appends.empty());
  if (early) transaction.level = Level::kOs;
  transaction.done = [changes = std::move(changes), asked, early,
                      done = std::move(transaction.done)](TransactionResult result) mutable {
    if (early && result.status.ok()) result.level = asked;
    for (const Change& change : changes) {
      if (change.append >= result.appends.size()) continue;
      AppendResult& append = result.appends[change.append];
      if (!append.status.ok()) continue;
      if (change.reuse && append.base_offset >= Offset(append.count)) {
        append.base_offset = append.base_offset + -static_cast<int64_t>(append.count);
      }
      append.count = static_cast<uint32_t>(static_cast<int32_t>(append.count) + change.missing);
      for (DuplicateEvent& event : append.duplicates) {
        if (event.index >= change.at) event.index += static_cast<uint32_t>(change.missing);
      }
    }
    std::move(done)(std::move(result));
  };
  return engine_->Submit(std::move(transaction));
}

std::vector<BatchPtr> MutantEngine::ChangeRead(PartitionId partition,
                                               std::vector<BatchPtr> batches) const {
  if (mutation_ == Mutation::kHole) {
    MutexLock lock(mu_);
    if (!hole_.has_value() || hole_->first != partition) return batches;
    std::erase_if(batches, [this](const BatchPtr& batch) ABSL_NO_THREAD_SAFETY_ANALYSIS {
      return batch->base_offset == hole_->second;
    });
    return batches;
  }
  if (mutation_ != Mutation::kSkip || batches.empty() || batches.back()->count < 3 || !Strikes(1) ||
      strikes_.fetch_add(1) >= kMostSkips) {
    return batches;
  }
  // The last one loses its first event.
  auto cut = std::make_shared<StoredBatch>(*batches.back());
  cut->payload = SharedBytes(std::string(EventElements::Cut(cut->payload.view(), 1, cut->count)));
  cut->base_offset = cut->base_offset + 1;
  --cut->count;
  cut->payload_crc32c = Crc32c(cut->payload.view());
  batches.back() = std::move(cut);
  return batches;
}

absl::StatusOr<RowList> MutantEngine::LoadRows(const RowRange& range) const {
  auto rows = engine_->LoadRows(range);
  if (rows.ok()) BreakLoadedRows(mutation_, &*rows);
  return rows;
}

EventIdHash MutantEngine::HashEventId(absl::string_view source, absl::string_view id) const {
  if (mutation_ == Mutation::kSplitKeys && absl::StartsWith(id, kKeyMark)) {
    return engine_->HashEventId(source, absl::StrCat(id, ".", keys_.fetch_add(1)));
  }
  return engine_->HashEventId(source, id);
}

absl::StatusOr<std::optional<std::vector<BatchPtr>>> MutantEngine::ReadCached(
    PartitionId partition, Offset from, size_t max_bytes) const {
  auto read = engine_->ReadCached(partition, from, max_bytes);
  if (read.ok() && read->has_value()) **read = ChangeRead(partition, std::move(**read));
  return read;
}

absl::StatusOr<std::vector<BatchPtr>> MutantEngine::Read(PartitionId partition, Offset from,
                                                         size_t max_bytes) const {
  auto read = engine_->Read(partition, from, max_bytes);
  if (read.ok()) *read = ChangeRead(partition, *std::move(read));
  return read;
}

}  // namespace acta::oracle
