#include "server/core/journeys/journey_indexer.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

#include "proto/support/error.h"
#include "server/core/journeys/index_position.h"
#include "storage/base/log.h"
#include "storage/base/status_macros.h"
#include "storage/layout/engine_rows.h"
#include "storage/layout/rows.h"
#include "storage/submit_and_wait.h"

namespace acta {
namespace {

// For new topics, and at what could not be read.
constexpr absl::Duration kLookAgain = absl::Seconds(1);
// What a full disk refused is tried again so soon.
constexpr absl::Duration kFullDisk = absl::Seconds(10);

}  // namespace

JourneyIndexer::JourneyIndexer(LogEngine& engine, const Clock& clock, const TopicRegistry& topics,
                               JourneyLimits limits)
    : engine_(engine),
      clock_(clock),
      topics_(topics),
      limits_(limits),
      not_before_(absl::InfinitePast()) {}

JourneyIndexer::~JourneyIndexer() { Stop(); }

absl::Status JourneyIndexer::Load() {
  IndexPlaces none({}, 0);
  const bool damaged = ReasonOf(engine_.FindInIndex({}, &none)) == v1::DATA_CORRUPTED;
  ASSIGN_OR_RETURN(const RowList rows, engine_.LoadRows(Family::kState, kIndexedRows));
  const size_t prefix = std::string(kIndexedRows).size();
  MutexLock lock(mu_);
  damaged_ = damaged;
  for (const auto& [key, value] : rows) {
    if (key.size() != prefix + 8) return Error(v1::DATA_CORRUPTED, "a key of an index position");
    const PartitionId partition(GetBig64(key.data() + prefix));
    storage::v1::IndexedRecord& record = stored_[partition];
    ASSIGN_OR_RETURN(record, ParseIndexPosition(value));
    if (record.form() == kIndexForm) continue;
    // Nothing would be found in its files.
    record.set_offset(0);
    damaged_ = true;
  }
  return absl::OkStatus();
}

void JourneyIndexer::Start() {
  thread_ = std::thread([this] { Loop(); });
  pthread_setname_np(thread_.native_handle(), "acta-journeys");
}

void JourneyIndexer::Stop() {
  {
    MutexLock lock(mu_);
    stopping_ = true;
    work_.SignalAll();
    hurry_up_.SignalAll();
    moved_.SignalAll();
  }
  if (thread_.joinable()) thread_.join();
  std::vector<std::pair<PartitionId, uint64_t>> wakes;
  {
    MutexLock lock(mu_);
    for (auto& [partition, followed] : followed_) {
      if (followed.wake != 0) wakes.emplace_back(partition, std::exchange(followed.wake, 0));
    }
  }
  for (const auto& [partition, wake] : wakes) engine_.CancelWake(partition, wake);
}

void JourneyIndexer::Loop() {
  absl::Duration tried = clock_.SinceBoot();
  for (;;) {
    Refresh();
    bool damaged = false;
    bool look_again = false;
    {
      MutexLock lock(mu_);
      if (stopping_) return;
      const bool anew = damaged_ && engine_.Now() >= anew_after_;
      const bool nothing = news_.empty() && !anew && topics_seen_ == topics_.version();
      if (nothing) work_.WaitFor(mu_, kLookAgain);
      if (stopping_) return;
      look_again = clock_.SinceBoot() - tried >= kLookAgain;
      if (look_again) {
        tried = clock_.SinceBoot();
        news_.merge(std::exchange(later_, {}));
      }
      damaged = damaged_ && engine_.Now() >= anew_after_;
      damaged_ = damaged_ && !damaged;
    }
    if (damaged) MakeAnew();
    Refresh();
    if (look_again) TryMissed();
    const bool all_read = Pass();
    MutexLock lock(mu_);
    if (stopping_) return;
    // What comes meanwhile is read together.
    if (all_read && waiting_ == 0) hurry_up_.WaitFor(mu_, limits_.pause);
  }
}

void JourneyIndexer::MakeAnew() {
  const absl::Status made = Rebuild();
  if (made.ok()) {
    LogWarn("the index of journeys was damaged, or of another form: it is made anew from the log");
    return;
  }
  LogWarn("the index of journeys was not dropped: tried again", {{"cause", made.message()}});
  MutexLock lock(mu_);
  damaged_ = true;
  anew_after_ = engine_.Now() + kFullDisk;
}

bool JourneyIndexer::Pass() {
  std::set<PartitionId> pass;
  {
    MutexLock lock(mu_);
    pass.swap(news_);
  }
  bool all_read = true;
  for (const PartitionId partition : pass) {
    if (NeedsFile() && !WriteFile()) {
      MutexLock lock(mu_);
      news_.insert(pass.begin(), pass.end());
      if (!stopping_) hurry_up_.WaitFor(mu_, kLookAgain);
      return false;
    }
    const bool read = ReadSome(partition);
    MutexLock lock(mu_);
    if (stopping_) return true;
    if (!read) news_.insert(partition);
    if (waiting_ > 0) moved_.SignalAll();
    all_read = all_read && read;
  }
  return all_read;
}

void JourneyIndexer::Refresh() {
  const uint64_t version = topics_.version();
  {
    MutexLock lock(mu_);
    if (topics_seen_ == version) return;
  }
  absl::btree_map<PartitionId, v1::JourneyMode> wanted;
  std::set<TopicId> there;
  if (engine_.Extent(kLedgerPartition).ok()) {
    there.insert(kLedgerTopic);
    wanted[kLedgerPartition] = v1::JOURNEY_MODE_FULL;
  }
  for (const TopicPtr& topic : topics_.All()) {
    there.insert(topic->id);
    if (topic->proto.journey() == v1::JOURNEY_MODE_OFF) continue;
    for (int32_t i = 0; i < topic->partitions(); ++i) {
      wanted[topic->partition(i)] = topic->proto.journey();
    }
  }
  std::vector<std::pair<PartitionId, uint64_t>> wakes;
  Transaction gone;
  {
    MutexLock lock(mu_);
    for (auto at = followed_.begin(); at != followed_.end();) {
      if (wanted.contains(at->first)) {
        ++at;
        continue;
      }
      if (at->second.wake != 0) wakes.emplace_back(at->first, at->second.wake);
      stored_[at->first] = PositionAt(at->second, at->second.on_disk);
      news_.erase(at->first);
      later_.erase(at->first);
      at = followed_.erase(at);
    }
    for (const auto& [partition, mode] : wanted) Follow(partition, mode);
    for (auto at = stored_.begin(); at != stored_.end();) {
      const bool deleted = !there.contains(at->first.topic());
      if (deleted) gone.rows.push_back({Family::kState, IndexedRow(at->first), std::nullopt});
      deleted ? at = stored_.erase(at) : ++at;
    }
    topics_seen_ = version;
    moved_.SignalAll();
  }
  for (const auto& [partition, wake] : wakes) engine_.CancelWake(partition, wake);
  if (gone.rows.empty()) return;
  gone.done = [](TransactionResult) {};
  // Rows that stay are of no topic: the next start removes them.
  (void)engine_.Submit(std::move(gone));
}

void JourneyIndexer::Follow(PartitionId partition, v1::JourneyMode mode) {
  const auto [at, added] = followed_.try_emplace(partition);
  Followed& followed = at->second;
  const v1::JourneyMode before = std::exchange(followed.mode, mode);
  if (!added) {
    if (FindsMore(mode, before)) BeginAnew(partition, &followed);
    return;
  }
  const auto record = stored_.find(partition);
  if (record != stored_.end()) {
    followed.next = WhereToGoOn(engine_, partition, record->second, mode);
    followed.missed = {Offset(record->second.missed_first()),
                       std::min(Offset(record->second.missed_end()), followed.next)};
    followed.missed_on_disk = followed.missed;
    followed.damaged_end = std::min(Offset(record->second.damaged_end()), followed.next);
    followed.damaged_until_us = record->second.damaged_until_us();
    stored_.erase(record);
  }
  const auto extent = engine_.Extent(partition);
  if (extent.ok()) followed.next = std::max(followed.next, extent->first);
  followed.on_disk = followed.next;
  followed.behind_since = engine_.Now();
  news_.insert(partition);
}

void JourneyIndexer::BeginAnew(PartitionId partition, Followed* followed) {
  const auto extent = engine_.Extent(partition);
  if (!extent.ok()) return;
  followed->next = followed->on_disk = extent->first;
  followed->refused_since = absl::InfiniteDuration();
  followed->missed = {};
  followed->damaged_end = Offset(0);
  followed->behind_since = std::min(followed->behind_since, engine_.Now());
  news_.insert(partition);
}

void JourneyIndexer::AddNews(PartitionId partition) {
  const absl::Time now = engine_.Now();
  MutexLock lock(mu_);
  const auto at = followed_.find(partition);
  if (at == followed_.end()) return;
  at->second.wake = 0;
  at->second.behind_since = std::min(at->second.behind_since, now);
  news_.insert(partition);
  work_.SignalAll();
}

bool JourneyIndexer::NeedsFile() const {
  MutexLock lock(buffer_mu_);
  return static_cast<int64_t>(buffer_.size() * sizeof(IndexEntry)) >= limits_.buffer_bytes ||
         log_bytes_ >= limits_.buffer_log_bytes;
}

bool JourneyIndexer::WriteFile() {
  // A file would take what a full disk still has, and how far it reaches could not be written.
  if (engine_.Now() < not_before_ || engine_.disk_state() == DiskState::kHard) return false;
  MutexLock writing(file_mu_);
  Transaction positions;
  std::vector<Reached> moved;
  {
    MutexLock lock(mu_);
    for (const auto& [partition, followed] : followed_) {
      const bool same = followed.missed == followed.missed_on_disk;
      if (followed.next == followed.on_disk && same) continue;
      positions.rows.push_back({Family::kState, IndexedRow(partition),
                                PositionAt(followed, followed.next).SerializeAsString()});
      moved.push_back({partition, followed.next, followed.missed, followed.behind_since});
    }
  }
  std::shared_ptr<const Entries> entries;
  {
    MutexLock lock(buffer_mu_);
    entries = writing_ = std::make_shared<const Entries>(buffer_.Take());
  }
  absl::Status written = engine_.AddToIndex(*entries);
  if (written.ok()) written = SubmitAndWait(engine_, std::move(positions)).status;
  {
    MutexLock lock(buffer_mu_);
    if (!written.ok()) buffer_.Add(*entries);
    writing_.reset();
  }
  if (!written.ok()) {
    not_before_ = engine_.Now() + kFullDisk;
    LogWarn("the index of journeys was not written: tried again", {{"cause", written.message()}});
    return false;
  }
  log_bytes_ = 0;
  MutexLock lock(mu_);
  ++files_;
  for (const Reached& reached : moved) {
    const auto at = followed_.find(reached.partition);
    if (at == followed_.end()) continue;
    at->second.on_disk = reached.next;
    at->second.missed_on_disk = reached.missed;
  }
  return true;
}

storage::v1::IndexedRecord JourneyIndexer::PositionAt(const Followed& followed,
                                                      Offset offset) const {
  storage::v1::IndexedRecord record = MakeIndexPosition(engine_, offset, followed.mode);
  if (followed.damaged_end > Offset(0)) {
    record.set_damaged_end(followed.damaged_end.value());
    record.set_damaged_until_us(followed.damaged_until_us);
  }
  if (followed.missed.empty()) return record;
  record.set_missed_first(followed.missed.first.value());
  record.set_missed_end(followed.missed.end.value());
  return record;
}

std::vector<JourneyIndexer::Reached> JourneyIndexer::Positions() const {
  std::vector<Reached> positions;
  MutexLock lock(mu_);
  positions.reserve(followed_.size());
  for (const auto& [partition, followed] : followed_) {
    positions.push_back({partition, followed.next, followed.missed, followed.behind_since});
  }
  return positions;
}

bool JourneyIndexer::WaitUntil(absl::Duration until, absl::FunctionRef<bool()> done) {
  ++waiting_;
  bool over = false;
  while (!stopping_ && !over && !done()) {
    work_.SignalAll();
    hurry_up_.SignalAll();
    const absl::Duration left = until - clock_.SinceBoot();
    over = left <= absl::ZeroDuration();
    if (!over) moved_.WaitFor(mu_, left);
  }
  --waiting_;
  return !stopping_ && !over;
}

bool JourneyIndexer::CatchUp(absl::Duration patience) {
  const absl::Duration until = clock_.SinceBoot() + patience;
  const uint64_t version = topics_.version();
  {
    MutexLock lock(mu_);
    const auto seen = [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return topics_seen_ >= version; };
    if (!WaitUntil(until, seen)) return false;
  }
  std::vector<std::pair<PartitionId, Offset>> wanted;
  for (const Reached& at : Positions()) {
    const auto extent = engine_.Extent(at.partition);
    if (!extent.ok() || at.next >= extent->visible_end) continue;
    wanted.emplace_back(at.partition, extent->visible_end);
  }
  MutexLock lock(mu_);
  return WaitUntil(until, [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    while (!wanted.empty()) {
      const auto at = followed_.find(wanted.back().first);
      if (at != followed_.end() && at->second.next < wanted.back().second) return false;
      wanted.pop_back();
    }
    return true;
  });
}

absl::Status JourneyIndexer::Find(const std::vector<uint64_t>& hashes, IndexPlaces* out) const {
  std::shared_ptr<const Entries> writing;
  {
    MutexLock lock(buffer_mu_);
    for (const uint64_t hash : hashes) buffer_.Find(hash, out);
    writing = writing_;
  }
  // Before the files: what leaves memory meanwhile is in them.
  if (writing != nullptr) {
    for (const uint64_t hash : hashes) FindInRun(*writing, hash, out);
  }
  const absl::Status stored = engine_.FindInIndex(hashes, out);
  if (ReasonOf(stored) != v1::DATA_CORRUPTED) return stored;
  MutexLock lock(mu_);
  damaged_ = true;
  work_.SignalAll();
  return Error(v1::DATA_CORRUPTED,
               "the index of journeys is damaged, and is being made anew from the log: ask again "
               "when acta_journeys_index_lag_events is 0");
}

bool JourneyIndexer::Misses(PartitionId partition) const {
  MutexLock lock(mu_);
  const auto at = followed_.find(partition);
  return at != followed_.end() && !at->second.missed.empty();
}

bool JourneyIndexer::MissesAny() const {
  MutexLock lock(mu_);
  for (const auto& [partition, followed] : followed_) {
    if (!followed.missed.empty()) return true;
  }
  return false;
}

absl::Time JourneyIndexer::DamagedUntil(PartitionId partition) const {
  MutexLock lock(mu_);
  const auto at = followed_.find(partition);
  if (at == followed_.end() || at->second.damaged_end == Offset(0)) return absl::InfinitePast();
  const auto extent = engine_.Extent(partition);
  const bool gone = !extent.ok() || extent->first >= at->second.damaged_end;
  return gone ? absl::InfinitePast() : absl::FromUnixMicros(at->second.damaged_until_us);
}

absl::Status JourneyIndexer::Rebuild() {
  MutexLock writing(file_mu_);
  Refresh();
  Transaction forgotten;
  {
    MutexLock lock(mu_);
    for (const auto& [partition, followed] : followed_) {
      forgotten.rows.push_back({Family::kState, IndexedRow(partition), std::nullopt});
    }
    for (const auto& [partition, record] : stored_) {
      forgotten.rows.push_back({Family::kState, IndexedRow(partition), std::nullopt});
    }
    stored_.clear();
  }
  // First: a crash behind it makes the whole index anew.
  RETURN_IF_ERROR(SubmitAndWait(engine_, std::move(forgotten)).status);
  {
    MutexLock lock(mu_);
    for (auto& [partition, record] : stored_) record.set_offset(0);  // Left meanwhile.
    // Before the index is gone: who asks from then on is told that it is behind.
    for (auto& [partition, followed] : followed_) BeginAnew(partition, &followed);
    work_.SignalAll();
  }
  return engine_.DropIndex();
}

JourneyIndexer::Figures JourneyIndexer::Measure() const {
  Figures figures;
  const absl::Time now = engine_.Now();
  {
    MutexLock lock(buffer_mu_);
    figures.entries = static_cast<int64_t>(buffer_.size());
    if (writing_ != nullptr) figures.entries += static_cast<int64_t>(writing_->size());
  }
  for (const Reached& at : Positions()) {
    const auto extent = engine_.Extent(at.partition);
    if (!extent.ok()) continue;
    const Missed missed{std::max(at.missed.first, extent->first), at.missed.end};
    if (!missed.empty()) figures.missed_events += Lag(missed.first, missed.end);
    if (at.next >= extent->visible_end) continue;
    figures.lag_events += Lag(std::max(at.next, extent->first), extent->visible_end);
    if (at.behind_since < now) figures.lag = std::max(figures.lag, now - at.behind_since);
  }
  figures.lag_events += figures.missed_events;
  MutexLock lock(mu_);
  figures.indexed_events = indexed_;
  figures.unreadable_events = unreadable_;
  figures.files = files_;
  return figures;
}

}  // namespace acta
