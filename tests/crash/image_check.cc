#include "tests/crash/image_check.h"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "acta/storage/v1/records.pb.h"
#include "proto/support/error.h"
#include "proto/support/event_scanner.h"
#include "storage/base/crc32c.h"
#include "storage/layout/engine_rows.h"
#include "storage/layout/rows.h"
#include "storage/log/local_log_engine.h"
#include "tests/crash/crash_load.h"
#include "tests/crash/image_promises.h"
#include "tests/crash/image_witness.h"
#include "tests/crash/journey_check.h"
#include "tests/support/test_store.h"

namespace acta {
namespace {

using Rows = std::map<std::string, std::string>;

constexpr size_t kResent = 12;  // Batches a partition that are sent again.

std::string Describe(const HistoryPart& part) {
  return absl::StrCat("batch ", part.base.value(), "-", part.end().value() - 1, " of partition ",
                      part.partition.value());
}

class ImageCheck {
 public:
  ImageCheck(const History& history, const ImageCut& cut, const std::string& image)
      : history_(history), cut_(cut), options_(SmallEngineOptions(image)) {
    options_.boot_id = cut.boot;
    options_.accept_loss = cut.accept_loss;
    before_ = ReadWitness(image);
    now_us_ = TimeOf(history, cut.operations);
    clock_->Jump(absl::FromUnixMicros(now_us_) - clock_->Wall());
  }

  ImageReport Run(bool go_on) {
    if (Open()) {
      present_ = CountPresent();
      report_.present = present_;
      CheckAcknowledged();
      CheckRows();
      for (const auto& [partition, extent] : extents_) CheckPartition(partition, extent);
      CheckJourneys();
      CheckIncarnation();
      const uint32_t digest = report_.digest;
      if (go_on && report_.problems.empty()) GoOn();
      report_.digest = digest;
    }
    return std::move(report_);
  }

 private:
  void Problem(absl::string_view name, absl::string_view what) {
    if (report_.problems.size() < 20) report_.problems.push_back(absl::StrCat(name, ": ", what));
  }
  void Tell(absl::string_view name, const std::string& found) {
    if (!found.empty()) Problem(name, found);
  }
  template <typename... Values>
  void Digest(const Values&... values) {
    const std::string text = absl::StrCat(values..., ";");
    report_.digest = Crc32cExtend(report_.digest, text.data(), text.size());
  }

  // The store, the topics it has a record of, and where their partitions end.
  bool Open() {
    LocalEngineOptions options = options_;
    if (cut_.broken == "incarnation") options.boot_id = kLoadBoot;
    auto opened = LocalLogEngine::Open(options, *sink_, *clock_);
    if (!opened.ok()) {
      Problem("refused", opened.status().message());
      return false;
    }
    engine_ = opened->release();  // Leaked: the process ends as one that is killed.
    LoadRows(Family::kMeta, &meta_);
    LoadRows(Family::kState, &state_);
    for (const auto& [key, value] : meta_) {
      storage::v1::TopicRecord record;
      if (!absl::StartsWith(key, kTopicRows) || !record.ParseFromString(value)) continue;
      if (!OpenTopic(TopicId(record.topic_id()))) return false;
    }
    Digest(engine_->store_id(), engine_->incarnation().value());
    return true;
  }

  bool OpenTopic(TopicId id) {
    const HistoryTopic* topic = history_.FindTopic(id);
    if (topic == nullptr) {
      Problem("wrong-row", absl::StrCat("a record of topic ", id.value()));
      return false;
    }
    TopicSettings settings = topic->settings;
    if (cut_.broken == "dedupe") settings.dedupe = Dedupe::kOff;
    const absl::Status opened = engine_->OpenTopic(id, topic->partitions, settings);
    if (!opened.ok()) {
      Problem("refused", absl::StrCat("topic ", id.value(), ": ", opened.message()));
      return false;
    }
    for (int32_t number = 0; number < topic->partitions; ++number) {
      const PartitionId partition(id, number);
      extents_[partition] = *engine_->Extent(partition);
    }
    return true;
  }

  // Of the load, without the engine's own.
  void LoadRows(Family family, Rows* rows) {
    const auto loaded = engine_->LoadRows(family, "");
    if (!loaded.ok()) {
      Problem("wrong-row", loaded.status().message());
      return;
    }
    for (const auto& [key, value] : *loaded) {
      const bool own = key == kGroupRow || key == kStoreRow || absl::StartsWith(key, kSliceRows) ||
                       absl::StartsWith(key, kPartitionRows) ||
                       absl::StartsWith(key, kProducerRows);
      if (!own) rows->emplace(key, value);
    }
  }

  // Transactions are written in their order, so those present are the first so many: the last
  // marker tells, and behind it what left no marker but events.
  size_t CountPresent() {
    size_t count = 0;
    if (const auto marker = state_.find(kMarkerRow); marker != state_.end()) {
      uint64_t number = 0;
      if (!absl::SimpleAtoi(marker->second, &number)) Problem("wrong-row", "the marker");
      count = number + 1;
      state_.erase(marker);
    }
    for (; count < history_.transactions.size(); ++count) {
      const HistoryTransaction& next = history_.transactions[count];
      if (next.marked) break;
      const bool missing =
          std::any_of(next.parts.begin(), next.parts.end(), [this](const HistoryPart& part) {
            const auto extent = extents_.find(part.partition);
            return extent != extents_.end() && part.end() > extent->second.end;
          });
      if (missing) break;
    }
    Digest("present", count);
    return std::min(count, history_.transactions.size());
  }

  void CheckJourneys() {
    Tell("wrong-ledger", FindLedgerProblem(*engine_, history_, present_));
    Tell("lost-index", FindIndexProblem(*engine_, history_, cut_.operations, extents_));
  }

  void CheckAcknowledged() {
    for (size_t i = present_; i < history_.transactions.size(); ++i) {
      const HistoryTransaction& transaction = history_.transactions[i];
      if (transaction.acked > cut_.operations) continue;
      if (cut_.power && transaction.level != Level::kFsync) continue;
      // What left nothing behind cannot be lost.
      if (transaction.parts.empty() && transaction.rows.empty() && !transaction.marked) continue;
      Problem("lost-write", absl::StrCat("transaction ", i, ", acknowledged after operation ",
                                         transaction.acked, " of ", cut_.operations,
                                         "; the log ends before transaction ", present_));
      return;
    }
  }

  void CheckRows() {
    Rows meta, state;
    for (size_t i = 0; i < present_; ++i) {
      for (const RowWrite& row : history_.transactions[i].rows) {
        if (row.family == Family::kLedger) continue;
        Rows& rows = row.family == Family::kMeta ? meta : state;
        rows.erase(row.key);
        if (row.value.has_value()) rows.emplace(row.key, *row.value);
      }
    }
    Compare("meta", meta, meta_);
    Compare("state", state, state_);
  }

  void Compare(absl::string_view family, const Rows& expected, const Rows& found) {
    for (const auto& [key, value] : found) Digest(key, value);
    if (expected == found) return;
    std::set<std::string> keys;
    for (const Rows* rows : {&expected, &found}) {
      for (const auto& [key, value] : *rows) keys.insert(key);
    }
    for (const std::string& key : keys) {
      const auto left = expected.find(key);
      const auto right = found.find(key);
      if (left != expected.end() && right != found.end() && left->second == right->second) continue;
      Problem("wrong-row", absl::StrCat(family, " '", absl::CHexEscape(key), "' is ",
                                        right == found.end()     ? "missing"
                                        : left == expected.end() ? "there"
                                                                 : "another",
                                        " after ", present_, " transactions"));
    }
  }

  std::vector<HistoryPart> PartsOf(PartitionId partition) const {
    std::vector<HistoryPart> parts;
    for (size_t i = 0; i < present_; ++i) {
      for (const HistoryPart& part : history_.transactions[i].parts) {
        if (part.partition == partition) parts.push_back(part);
      }
    }
    return parts;
  }

  void CheckPartition(PartitionId partition, const PartitionExtent& extent) {
    const std::vector<HistoryPart> parts = PartsOf(partition);
    Offset end;
    for (const HistoryPart& part : parts) {
      if (part.base != end) Problem("inconsistent-offsets", Describe(part));
      end = part.end();
    }
    if (extent.end != end || extent.visible_end != end) {
      Problem("inconsistent-offsets",
              absl::StrCat("partition ", partition.value(), " ends at ", extent.end.value(),
                           ", visible ", extent.visible_end.value(), "; acknowledged is ",
                           end.value()));
      return;
    }
    Digest(partition.value(), extent.first.value(), end.value());
    CheckRetention(partition, extent, parts);
    Tell("vanished", FindVanished(history_, cut_, partition, extent));
    const std::vector<BatchPtr> batches = Read(partition, extent.first, end);
    const TopicSettings& settings = history_.FindTopic(partition.topic())->settings;
    Tell("stored-twice", FindStoredTwice(settings, batches));
    CheckBatches(extent, parts, batches);
    CheckIds(partition, batches);
    CheckSequences(parts, batches);
  }

  std::vector<BatchPtr> Read(PartitionId partition, Offset from, Offset end) {
    std::vector<BatchPtr> batches;
    for (Offset next = from; next < end;) {
      auto page = engine_->Read(partition, next, 64 << 10);
      if (cut_.broken == "hole" && page.ok() && page->size() > 1) page->erase(page->begin());
      if (!page.ok() || page->empty() || page->front()->base_offset > next ||
          page->front()->end() <= next) {
        Problem("hole", absl::StrCat("offset ", next.value(), " of partition ", partition.value(),
                                     ": ", page.status().message()));
        return batches;
      }
      batches.insert(batches.end(), page->begin(), page->end());
      next = batches.back()->end();
    }
    return batches;
  }

  // Batches from the first offset on are those the load stored, byte for byte.
  void CheckBatches(const PartitionExtent& extent, const std::vector<HistoryPart>& parts,
                    const std::vector<BatchPtr>& batches) {
    size_t at = 0;
    uint64_t bytes = 0;
    for (const HistoryPart& part : parts) {
      if (part.count == 0) continue;
      if (part.end() <= extent.first) {
        bytes += part.bytes;
        continue;
      }
      if (at == 0 && extent.first_bytes != bytes) {
        Problem("retention", absl::StrCat("payload bytes below ", Describe(part)));
      }
      if (at == batches.size()) return;  // Told as a hole.
      const StoredBatch& batch = *batches[at++];
      bytes += part.bytes;
      const uint32_t crc = Crc32c(absl::StrCat(batch.context.view(), batch.payload.view()));
      if (batch.base_offset != part.base || batch.count != part.count) {
        Problem("inconsistent-offsets", Describe(part));
      } else if (crc != part.crc32c || batch.payload.size() != part.bytes) {
        Problem("wrong-bytes", Describe(part));
      } else if (batch.append_time_us != part.time_us || batch.end_bytes != bytes ||
                 batch.incarnation != Incarnation(1) || batch.producer_id != part.producer ||
                 batch.first_sequence != part.first_sequence) {
        Problem("wrong-bytes", absl::StrCat("header of ", Describe(part)));
      }
      Digest(batch.base_offset.value(), crc);
    }
    if (at != batches.size()) Problem("inconsistent-offsets", "batches nobody appended");
    if (extent.visible_end_bytes != bytes) Problem("wrong-bytes", "payload bytes of a partition");
  }

  // A prefix is gone: not less than readers were told, and only what may go.
  void CheckRetention(PartitionId partition, const PartitionExtent& extent,
                      const std::vector<HistoryPart>& parts) {
    Tell("retention", FindUntrimmed(history_, cut_, partition, extent));
    const TopicSettings& settings = history_.FindTopic(partition.topic())->settings;
    uint64_t kept = 0;
    for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
      kept += part->bytes;
      if (part->count == 0 || part->end() > extent.first) continue;
      const bool by_age = part->time_us + absl::ToInt64Microseconds(settings.retention) <= now_us_;
      const bool by_size =
          settings.retention_bytes > 0 && kept > static_cast<uint64_t>(settings.retention_bytes);
      if (!by_age && !by_size) Problem("retention", absl::StrCat("too early: ", Describe(*part)));
      return;
    }
  }

  Append AppendAgain(const StoredBatch& batch) {
    Append append;
    append.partition = batch.partition;
    append.payload = batch.payload;
    append.count = batch.count;
    append.payload_crc32c = batch.payload_crc32c;
    return append;
  }

  // `append` is stored from `base` on.
  void ExpectRepeated(absl::string_view name, Offset base, Append append) {
    const PartitionId partition = append.partition;
    const uint32_t count = append.count;
    const TransactionResult result = Commit(*engine_, std::move(append));
    const bool answered = result.status.ok() && result.appends.at(0).status.ok() &&
                          result.appends.at(0).duplicates.size() == count;
    bool same = answered;
    for (uint32_t i = 0; answered && i < count; ++i) {
      same &= result.appends[0].duplicates[i].offset == base + i;
    }
    if (same) return;
    const absl::Status status = result.appends.empty() ? result.status : result.appends[0].status;
    Problem(name, absl::StrCat("batch ", base.value(), " of partition ", partition.value(),
                               " sent again was stored again or refused ", status.message()));
  }

  // Events of the window, sent again, are answered with where they are.
  void CheckIds(PartitionId partition, const std::vector<BatchPtr>& batches) {
    const TopicSettings& settings = history_.FindTopic(partition.topic())->settings;
    if (settings.dedupe != Dedupe::kIds) return;
    const int64_t since_us =
        absl::ToUnixMicros(engine_->Now()) - absl::ToInt64Microseconds(settings.dedupe_window);
    const size_t skipped = batches.size() - std::min(batches.size(), kResent);
    for (size_t i = skipped; i < batches.size(); ++i) {
      const StoredBatch& batch = *batches[i];
      if (batch.append_time_us <= since_us) continue;
      Append append = AppendAgain(batch);
      EventElements elements(batch.payload.view());
      absl::string_view bytes;
      for (uint32_t index = 0; elements.Next(&bytes); ++index) {
        ScannedEvent event;
        if (ScanEvent(bytes, &event) == WireFault::kNone) {
          append.ids.push_back({index, engine_->HashEventId(event.source, event.id)});
        }
      }
      ExpectRepeated("dedupe", batch.base_offset, std::move(append));
    }
  }

  // The newest batch of each producer, sent again, is known, also when retention took it; one that
  // skips ahead is refused.
  void CheckSequences(const std::vector<HistoryPart>& parts, const std::vector<BatchPtr>& batches) {
    for (const auto& [producer, part] : NewestOfProducers(parts)) {
      const auto stored = std::find_if(
          batches.begin(), batches.end(),
          [base = part.base](const BatchPtr& batch) { return batch->base_offset == base; });
      if (part.sequences != part.count) continue;
      Append append = stored != batches.end()
                          ? AppendAgain(**stored)
                          : MakeAppend(part.partition,
                                       std::vector<std::string>(part.count, EventElement("again")));
      append.producer_id = part.producer;
      append.producer_epoch = part.epoch;
      append.first_sequence = part.first_sequence;
      Append ahead = append;
      ahead.first_sequence += part.sequences + 100'000;
      ExpectRepeated("sequence", part.base, std::move(append));
      const TransactionResult refused = Commit(*engine_, std::move(ahead));
      if (refused.appends.size() != 1 ||
          ReasonOf(refused.appends[0].status) != v1::OUT_OF_SEQUENCE) {
        Problem("sequence", absl::StrCat("a gap after ", Describe(part), " was taken"));
      }
    }
  }

  // A new life of the log begins after a power cut, unless it was stopped cleanly before; readers
  // beyond its end are told. After kill -9 nothing was lost.
  void CheckIncarnation() {
    const bool known = !before_.store_id.empty();
    const bool raised = known && !before_.clean && before_.boot_id != options_.boot_id;
    const Incarnation expected(known ? before_.incarnation.value() + (raised ? 1 : 0) : 1);
    // A recovery that was cut short may have begun one that the witness does not know of.
    const bool begun = cut_.again && engine_->incarnation().value() == expected.value() + 1;
    if (engine_->incarnation() != expected && !begun) {
      Problem("incarnation",
              absl::StrCat(engine_->incarnation().value(), ", not ", expected.value()));
      return;
    }
    if (engine_->incarnation() == Incarnation(1)) return;
    for (const auto& [partition, extent] : extents_) {
      const Incarnation before(1);
      const bool at_end = engine_->CheckPosition(partition, before, extent.end).ok();
      const absl::Status beyond = engine_->CheckPosition(partition, before, extent.end + 1);
      if (!at_end || ReasonOf(beyond) != v1::LOG_TRUNCATED) {
        Problem("incarnation", absl::StrCat("positions of partition ", partition.value()));
      }
    }
  }

  // Every producer goes on where it was.
  void ContinueSequences(PartitionId partition, Offset* end) {
    for (const auto& [producer, part] : NewestOfProducers(PartsOf(partition))) {
      Append append = MakeAppend(partition, {EventElement("after")});
      append.producer_id = producer;
      append.producer_epoch = part.epoch;
      append.first_sequence = part.first_sequence + part.sequences;
      const TransactionResult result = Commit(*engine_, std::move(append));
      if (result.status.ok() && result.appends.at(0).status.ok() &&
          result.appends[0].base_offset == *end) {
        *end = *end + 1;
        continue;
      }
      const absl::Status status = result.appends.empty() ? result.status : result.appends[0].status;
      Problem("sequence",
              absl::StrCat("what follows ", Describe(part), " is refused: ", status.message()));
    }
  }

  // The store is used on: it writes, its old events stay readable, and a clean stop keeps all.
  void GoOn() {
    if (cut_.broken == "goes-on") engine_->Stop();
    std::map<PartitionId, Offset> ends;
    for (const auto& [partition, extent] : extents_) {
      const TransactionResult result =
          Commit(*engine_, MakeAppend(partition, {EventElement("after")}));
      if (!result.status.ok() || !result.appends.at(0).status.ok() ||
          result.appends[0].base_offset != extent.end) {
        Problem("goes-on", absl::StrCat("an append to partition ", partition.value()));
      }
      ends[partition] = extent.end + 1;
      if (history_.FindTopic(partition.topic())->settings.dedupe != Dedupe::kOff) {
        ContinueSequences(partition, &ends[partition]);
      }
    }
    for (int i = 0; i < 3; ++i) {
      clock_->Advance(absl::Seconds(6));
      const absl::Status maintained = engine_->MaintainNow();
      if (!maintained.ok()) Problem("goes-on", maintained.message());
    }
    ReadToEnds(ends);
    engine_->Stop();
    std::unique_ptr<LocalLogEngine> stopped(engine_);
    stopped.reset();
    extents_.clear();
    meta_.clear();
    state_.clear();
    if (!Open()) return;
    ReadToEnds(ends);
  }

  void ReadToEnds(const std::map<PartitionId, Offset>& ends) {
    for (const auto& [partition, end] : ends) {
      const auto extent = engine_->Extent(partition);
      if (!extent.ok() || extent->visible_end != end) {
        Problem("goes-on",
                absl::StrCat("partition ", partition.value(), " does not end at ", end.value()));
        continue;
      }
      Read(partition, extent->first, end);
    }
  }

  const History& history_;
  const ImageCut cut_;
  LocalEngineOptions options_;
  // Leaked with the engine that uses them.
  FakeClock* const clock_ = new FakeClock;
  RecordingFatalSink* const sink_ = new RecordingFatalSink;
  LocalLogEngine* engine_ = nullptr;
  WitnessRecord before_;
  int64_t now_us_ = 0;
  size_t present_ = 0;
  Rows meta_;
  Rows state_;
  std::map<PartitionId, PartitionExtent> extents_;
  ImageReport report_;
};

}  // namespace

ImageReport CheckImage(const History& history, const ImageCut& cut, const std::string& image,
                       bool go_on) {
  return ImageCheck(history, cut, image).Run(go_on);
}

}  // namespace acta
