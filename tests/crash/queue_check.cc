#include "tests/crash/queue_check.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "acta/storage/v1/records.pb.h"
#include "acta/v1/event.pb.h"
#include "proto/support/wire.h"
#include "server/core/queues/queue_records.h"
#include "storage/base/crc32c.h"
#include "storage/base/status_macros.h"
#include "storage/layout/rows.h"
#include "tests/crash/queue_store.h"
#include "tests/crash/redrive_images.h"
#include "tests/crash/schedule_check.h"
#include "tests/crash/step_repeat.h"
#include "tests/crash/step_results.h"

namespace acta {
namespace {

using StateKind = QueueState::Kind;

constexpr absl::Duration kBehindEverything = absl::Hours(48);
constexpr int kRounds = 10'000;

struct JobPlace {
  int32_t partition = 0;
  int64_t offset = 0;
  friend auto operator<=>(const JobPlace&, const JobPlace&) = default;
};

// What the rows of a group say.
struct GroupRows {
  std::map<int32_t, QueuePosition> positions;
  std::map<JobPlace, ParkedEvent> parked;
  std::map<JobPlace, storage::v1::DeadLetterRecord> letters;
};

class QueueCheck {
 public:
  QueueCheck(const QueueHistory& history, const ImageCut& cut, const std::string& image)
      : history_(history), cut_(cut), image_(image) {
    clock_->Jump(absl::FromUnixMicros(TimeOf(history, cut.operations)) - clock_->Wall());
  }

  ImageReport Run(bool go_on) {
    if (!Open()) return std::move(report_);
    const auto tell = [this](absl::string_view name, absl::string_view what) {
      Problem(name, what);
    };
    results_ = CheckStepResults(history_, cut_, *store_, tell);
    later_.emplace(history_, cut_, *store_);
    Digest(results_.size(), later_->Look(tell));
    for (size_t group = 0; group < std::size(kQueueGroups); ++group) CheckGroup(group);
    const uint32_t digest = report_.digest;
    if (go_on && report_.problems.empty()) GoOn();
    report_.digest = digest;
    return std::move(report_);
  }

 private:
  void Problem(absl::string_view name, absl::string_view what) {
    if (report_.problems.size() < 20) report_.problems.push_back(absl::StrCat(name, ": ", what));
  }
  void Problem(absl::string_view name, size_t group, const JobPlace& place,
               absl::string_view what) {
    Problem(name, absl::StrCat(kQueueGroups[group].name, " ", place.partition, "/", place.offset,
                               ": ", what));
  }
  template <typename... Values>
  void Digest(const Values&... values) {
    const std::string text = absl::StrCat(values..., ";");
    report_.digest = Crc32cExtend(report_.digest, text.data(), text.size());
  }

  bool Open() {
    LocalEngineOptions options = QueueStore::Options(image_);
    options.boot_id = cut_.boot;
    options.accept_loss = cut_.accept_loss;
    store_ = new QueueStore(std::move(options), *clock_, *sink_);
    const absl::Status opened = store_->Open();
    if (!opened.ok()) Problem("refused", opened.message());
    return opened.ok();
  }

  absl::StatusOr<storage::v1::GroupRecord> RecordOf(size_t group) {
    ASSIGN_OR_RETURN(
        const auto rows,
        store_->engine().LoadRows(Family::kMeta, GroupRow("default", kQueueGroups[group].name)));
    storage::v1::GroupRecord record;
    if (rows.size() != 1 || !record.ParseFromString(rows.front().second)) {
      return absl::NotFoundError("no record of the group");
    }
    return record;
  }

  void CheckGroup(size_t group) {
    const auto record = RecordOf(group);
    if (!record.ok() || store_->topics().Find("default", kQueueTopic) == nullptr) {
      if (cut_.operations >= history_.ready) Problem("lost-group", kQueueGroups[group].name);
      return;
    }
    const GroupId id(record->group_id());
    const absl::StatusOr<GroupRows> rows = LoadGroup(id);
    if (!rows.ok()) return Problem("refused", rows.status().message());
    std::map<JobPlace, std::vector<const QueueDecision*>> said;
    for (const QueueDecision& decision : history_.decisions) {
      if (decision.group == group) {
        said[{decision.partition, decision.offset}].push_back(&decision);
      }
    }
    std::set<JobPlace>& open = open_.emplace_back();
    for (int32_t number = 0; number < kQueuePartitions; ++number) {
      const auto extent = store_->engine().Extent(store_->Partition(number));
      if (!extent.ok()) return Problem("refused", extent.status().message());
      report_.present += static_cast<size_t>(extent->visible_end.value());
      for (int64_t offset = 0; offset < extent->visible_end.value(); ++offset) {
        CheckEvent(group, id, *rows, {number, offset}, said[{number, offset}], *extent, &open);
      }
    }
    letters_[group] = rows->letters.size();
    const std::string redrive = CheckRunningRedrive(*store_, kQueueGroups[group].name);
    if (!redrive.empty()) Problem("wrong-redrive", redrive);
    const std::optional<int64_t> outstanding = CountOutstanding(group);
    // What follows the floor is looked at again when somebody asks: until then it may be too much.
    if (outstanding.has_value() && *outstanding < static_cast<int64_t>(open.size())) {
      Problem("wrong-counts", absl::StrCat(kQueueGroups[group].name, " says ", *outstanding,
                                           " outstanding; there are ", open.size()));
    }
  }

  absl::StatusOr<GroupRows> LoadGroup(GroupId id) {
    GroupRows out;
    const LogEngine& engine = store_->engine();
    for (int32_t number = 0; number < kQueuePartitions; ++number) {
      const PartitionId partition = store_->Partition(number);
      ASSIGN_OR_RETURN(const auto rows,
                       engine.LoadRows(Family::kState, PositionRow(id, partition)));
      storage::v1::PositionRecord record;
      if (rows.size() == 1 && !record.ParseFromString(rows.front().second)) {
        return absl::DataLossError("a position");
      }
      out.positions[number] = PositionFrom(record);
    }
    ASSIGN_OR_RETURN(const auto parked,
                     engine.LoadRows(Family::kState, QueueRows(kParkedRows, id)));
    for (const auto& [key, value] : parked) {
      ASSIGN_OR_RETURN(const StoredParked one, ParkedFrom(key, value));
      out.parked[{one.partition.partition(), one.event.offset.value()}] = one.event;
    }
    ASSIGN_OR_RETURN(const auto letters,
                     engine.LoadRows(Family::kState, QueueRows(kDeadLetterRows, id)));
    for (const auto& [key, value] : letters) {
      ASSIGN_OR_RETURN(const auto place, PlaceOfRow(kDeadLetterRows, key));
      auto& letter = out.letters[{place.first.partition(), place.second.value()}];
      if (!letter.ParseFromString(value)) return absl::DataLossError("a dead letter");
    }
    return out;
  }

  static bool IsOutstanding(const QueuePosition& position, Offset offset) {
    return offset >= position.head ||
           std::any_of(
               position.outstanding.begin(), position.outstanding.end(),
               [offset](const OffsetRun& run) { return run.first <= offset && offset < run.end; });
  }

  void CheckEvent(size_t group, GroupId id, const GroupRows& rows, const JobPlace& place,
                  const std::vector<const QueueDecision*>& said, const PartitionExtent& extent,
                  std::set<JobPlace>* open) {
    const bool outstanding =
        IsOutstanding(rows.positions.at(place.partition), Offset(place.offset));
    const auto parked = rows.parked.find(place);
    const auto letter = rows.letters.find(place);
    const bool is_parked = parked != rows.parked.end(), is_dead = letter != rows.letters.end();
    if (outstanding + is_parked + is_dead > 1) Problem("two-states", group, place, "");
    QueueState found;
    if (is_parked) {
      found.attempts = parked->second.attempts;
      found.redrives = parked->second.redrives;
      found.due_us = parked->second.due_us;
    } else if (is_dead) {
      found = {StateKind::kDead, letter->second.attempts(), letter->second.attempts_before_size(),
               -1};
    } else if (!outstanding) {
      found.kind = StateKind::kProcessed;
    }
    if (found.kind == StateKind::kOpen) {
      open->insert(place);
      attempts_[group][place] = found.attempts + 1;
    }
    Digest(group, place.partition, place.offset, static_cast<int>(found.kind), found.attempts,
           found.redrives, found.due_us);
    CheckState(group, place, found, said);
    if (found.kind != StateKind::kProcessed) CheckReadable(group, id, place, is_dead, extent);
  }

  // Of the first so many decisions, those of steps and no others have their results.
  bool HasResultsOf(const std::vector<const QueueDecision*>& said, size_t count) const {
    for (size_t i = 0; i < said.size(); ++i) {
      const auto index = static_cast<size_t>(said[i] - history_.decisions.data());
      if (said[i]->step >= 0 && results_.contains(index) != (i < count)) return false;
    }
    return true;
  }

  // One of the states that the decisions lead to: behind those that were answered before the fault,
  // and with none that was said after it. What a step wrote beside the state has to agree.
  void CheckState(size_t group, const JobPlace& place, const QueueState& found,
                  const std::vector<const QueueDecision*>& said) {
    QueueState state;
    size_t answered = 0;
    for (size_t i = 0; i < said.size(); ++i) {
      if (said[i]->acked <= cut_.operations) answered = i + 1;
    }
    std::string expected;
    QueueState nearest;
    bool torn = false;
    for (size_t i = 0;; ++i) {
      if (i >= answered) {
        const bool same = Same(state, found);
        if (same && HasResultsOf(said, i)) return;
        torn |= same;
        nearest = state;
        absl::StrAppend(&expected, expected.empty() ? "" : " or ", Text(state));
      }
      if (i == said.size() || said[i]->submitted > cut_.operations) break;
      state = StateAfter(state, *said[i]);
    }
    if (torn)
      return Problem("torn-step", group, place, "its results say that it is not " + Text(found));
    Problem(ClassOf(nearest, found), group, place,
            absl::StrCat("is ", Text(found), ", not ", expected, "; ", answered, " of ",
                         said.size(), " decisions were answered"));
  }

  static bool Same(const QueueState& expected, const QueueState& found) {
    if (expected.kind != found.kind) return false;
    if (expected.kind == StateKind::kProcessed) return true;
    return expected.attempts == found.attempts && expected.redrives == found.redrives &&
           (expected.due_us < 0 || expected.kind == StateKind::kDead ||
            expected.due_us == found.due_us);
  }
  static const char* ClassOf(const QueueState& expected, const QueueState& found) {
    if (expected.kind == StateKind::kDead || found.kind == StateKind::kDead) {
      return expected.kind == found.kind ? "wrong-attempts" : "wrong-dead-letter";
    }
    if (expected.kind == StateKind::kProcessed) return "outstanding-again";
    if (found.kind == StateKind::kProcessed) return "lost-delivery";
    const bool counted = expected.attempts == found.attempts && expected.redrives == found.redrives;
    return counted ? "wrong-due" : "wrong-attempts";
  }
  static std::string Text(const QueueState& state) {
    constexpr const char* kWords[] = {"open", "dead", "processed"};
    return absl::StrCat(kWords[static_cast<size_t>(state.kind)], " (attempts ", state.attempts,
                        ", redrives ", state.redrives, ", due ", state.due_us, ")");
  }

  static bool Holds(const StoredBatch& batch, const JobPlace& place) {
    EventElements elements(batch.payload.view());
    absl::string_view bytes;
    for (Offset at = batch.base_offset; elements.Next(&bytes); at = at + 1) {
      v1::Event event;
      if (at.value() != place.offset) continue;
      return event.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())) &&
             absl::StartsWith(event.data(), PlaceData(place.partition, place.offset));
    }
    return false;
  }

  void CheckReadable(size_t group, GroupId id, const JobPlace& place, bool dead,
                     const PartitionExtent& extent) {
    const PartitionId partition = store_->Partition(place.partition);
    const Offset offset(place.offset);
    if (offset < extent.first) {
      const auto kept = LoadKeptEvent(store_->engine(), id, partition, offset);
      if (!kept.ok()) {
        Problem("unreadable", group, place, kept.status().message());
      } else if (!Holds(*(*kept)->batch, place)) {
        Problem("unreadable", group, place, "its copy is another event");
      }
    } else {
      const auto read = store_->engine().Read(partition, offset, 1);
      if (!read.ok() || read->empty() || !Holds(*read->front(), place)) {
        Problem("unreadable", group, place, read.status().message());
      }
    }
    if (!dead) return;
    v1::GetDeadLetterRequest request;
    request.set_group(kQueueGroups[group].name);
    request.mutable_ref()->set_topic(kQueueTopic);
    request.mutable_ref()->set_partition(place.partition);
    request.mutable_ref()->set_offset(place.offset);
    const auto letter = store_->groups().GetDeadLetter(store_->caller(), request);
    if (!letter.ok()) return Problem("unreadable", group, place, letter.status().message());
    const v1::DeadLetter& shown = letter->dead_letter();
    if (!absl::StartsWith(shown.event().data(), PlaceData(place.partition, place.offset))) {
      Problem("unreadable", group, place, "the dead letter shows another event");
    }
    // Each attempt that failed has its row, of all rounds.
    if (shown.history_size() < shown.attempts() + shown.redrives()) {
      Problem("wrong-attempts", group, place, "attempts are missing from its history");
    }
  }

  // As the group says it. It has to know how many dead letters there are.
  std::optional<int64_t> CountOutstanding(size_t group) {
    v1::GetLagRequest request;
    request.set_group(kQueueGroups[group].name);
    const auto lag = store_->groups().GetLag(store_->caller(), request);
    if (!lag.ok()) {
      Problem("wrong-counts", lag.status().message());
      return std::nullopt;
    }
    int64_t outstanding = 0, dead = 0;
    for (const v1::PartitionLag& partition : lag->partitions()) {
      const v1::QueueLag& queue = partition.queue();
      outstanding += queue.ready() + queue.leased() + queue.retry_wait() + queue.blocked_by_key() +
                     queue.held() + queue.not_scanned();
      dead = queue.dead_letters();
    }
    if (dead != static_cast<int64_t>(letters_[group])) {
      Problem("wrong-counts", absl::StrCat(kQueueGroups[group].name, " says ", dead,
                                           " dead letters; there are ", letters_[group]));
    }
    return outstanding;
  }

  void LookDelivered() {
    later_->LookDelivered(
        [this](absl::string_view name, absl::string_view what) { Problem(name, what); });
  }

  // Members repeat steps, and then take and acknowledge until nothing is left.
  void GoOn() {
    if (open_.empty()) return;
    auto results = ReadStepResults(*store_);
    if (!results.ok()) return Problem("goes-on", results.status().message());
    written_ = *std::move(results);
    Repeat();
    store_->Advance(kBehindEverything);
    LookDelivered();
    for (size_t group = 0; group < open_.size(); ++group) {
      auto hand = QueueHand::Join(*store_, kQueueGroups[group].name);
      if (!hand.ok()) return Problem("goes-on", hand.status().message());
      std::set<JobPlace> left = open_[group];
      for (int round = 0; round < kRounds && !left.empty(); ++round) {
        (*hand)->Take(100);
        if ((*hand)->hand().empty()) break;
        AckAll(group, **hand, &left);
      }
      (*hand)->Take(100);
      for (const QueueHand::Leased& leased : (*hand)->hand()) {
        Problem("goes-on", group, {leased.partition, leased.offset}, "was delivered again");
      }
      for (const JobPlace& place : left) Problem("goes-on", group, place, "was never delivered");
      (*hand)->Leave(true);
    }
    ReopenEmpty();
  }

  void Repeat() {
    const auto steps = RepeatSteps(history_, cut_, *store_);
    if (!steps.ok()) return Problem("goes-on", steps.status().message());
    for (const RepeatedStep& step : *steps) {
      bool may = true;
      for (const size_t index : step.decisions) {
        const QueueDecision& decision = history_.decisions[index];
        const JobPlace place{decision.partition, decision.offset};
        may &= decision.acked > cut_.operations && open_[decision.group].contains(place) &&
               attempts_[decision.group][place] == decision.attempt;
        if (step.accepted) written_.push_back(StepResultOf(history_, index));
      }
      if (step.accepted ? !may : may && step.kept) {
        Problem("goes-on", absl::StrCat("'", StepResultOf(history_, step.decisions[0]), "' was ",
                                        step.accepted ? "accepted" : "refused", " again"));
      }
      if (!step.accepted || !may) continue;
      for (const size_t index : step.decisions) SettleAgain(history_.decisions[index]);
    }
  }

  void SettleAgain(const QueueDecision& decision) {
    const JobPlace place{decision.partition, decision.offset};
    QueueState state;
    state.attempts = decision.attempt - 1;
    state = StateAfter(state, decision);
    attempts_[decision.group][place] = state.attempts + 1;
    if (state.kind == StateKind::kOpen) return;
    open_[decision.group].erase(place);
    letters_[decision.group] += state.kind == StateKind::kDead ? 1 : 0;
  }

  // Half of them in a step.
  void AckAll(size_t group, QueueHand& hand, std::set<JobPlace>* left) {
    std::vector<QueueSettlement> settlements;
    QueueStep step;
    for (const QueueHand::Leased& leased : std::exchange(hand.hand(), {})) {
      const JobPlace place{leased.partition, leased.offset};
      if (left->erase(place) == 0) {
        Problem("goes-on", group, place, "is delivered, and is not outstanding");
      } else if (!leased.whole || leased.attempt != attempts_[group][place]) {
        Problem("goes-on", group, place, absl::StrCat("comes with attempt ", leased.attempt));
      }
      if (place.offset % 2 == 0) {
        step.runs.push_back(leased.Run(hand.session(), *store_));
        continue;
      }
      settlements.emplace_back();
      settlements.back().partition = store_->Partition(leased.partition);
      settlements.back().offset = Offset(leased.offset);
    }
    auto failures = hand.queue().Settle(hand.session(), settlements, [](const absl::Status&) {});
    if (!step.runs.empty()) {
      written_.push_back(absl::StrCat("after ", written_.size()));
      PutStepResult(written_.back(), *store_, &step);
      step.done = [](const TransactionResult&) {};
      const auto refused = hand.queue().SettleStep(std::move(step));
      failures.insert(failures.end(), refused.begin(), refused.end());
    }
    if (!failures.empty()) Problem("goes-on", "an acknowledgement was refused");
    if (!hand.queue().WaitQuiet().ok()) Problem("goes-on", "acknowledgements are not written");
    store_->Run();
  }

  void ReopenEmpty() {
    store_->Close();
    const absl::Status opened = store_->Open();
    if (!opened.ok()) return Problem("goes-on", opened.message());
    store_->Advance(kBehindEverything);
    auto results = ReadStepResults(*store_);
    if (!results.ok()) return Problem("goes-on", results.status().message());
    std::sort(results->begin(), results->end());
    std::sort(written_.begin(), written_.end());
    LookDelivered();
    if (*results != written_) Problem("goes-on", "the results are not those of the steps");
    for (size_t group = 0; group < open_.size(); ++group) {
      auto hand = QueueHand::Join(*store_, kQueueGroups[group].name);
      if (!hand.ok()) return Problem("goes-on", hand.status().message());
      (*hand)->Take(100);
      if (!(*hand)->hand().empty()) Problem("goes-on", "what was acknowledged comes again");
      if (CountOutstanding(group).value_or(0) != 0) Problem("wrong-counts", "something is left");
      CheckCopies(group);
      (*hand)->Leave(true);
    }
  }

  // Only of dead letters, now that everything else is processed.
  void CheckCopies(size_t group) {
    const auto record = RecordOf(group);
    if (!record.ok()) return Problem("lost-group", kQueueGroups[group].name);
    const GroupId id(record->group_id());
    const auto rows = LoadGroup(id);
    const auto kept = store_->engine().LoadRows(Family::kState, QueueRows(kKeptRows, id));
    if (!rows.ok() || !kept.ok()) return Problem("goes-on", "rows cannot be read");
    for (const auto& [key, value] : *kept) {
      const auto found = PlaceOfRow(kKeptRows, key);
      if (!found.ok()) return Problem("goes-on", found.status().message());
      const JobPlace place{found->first.partition(), found->second.value()};
      if (!rows->letters.contains(place)) {
        Problem("goes-on", group, place, "is processed, and its copy is there");
      }
    }
  }

  const QueueHistory& history_;
  const ImageCut cut_;
  const std::string image_;
  // Leaked with the store that uses them.
  FakeClock* const clock_ = new FakeClock;
  RecordingFatalSink* const sink_ = new RecordingFatalSink;
  QueueStore* store_ = nullptr;
  absl::flat_hash_set<size_t> results_;                     // Decisions of steps.
  std::vector<std::set<JobPlace>> open_;                    // By group.
  std::map<size_t, std::map<JobPlace, int32_t>> attempts_;  // The next of each, by group.
  std::map<size_t, size_t> letters_;                        // By group.
  std::vector<std::string> written_;                        // Results that there have to be.
  std::optional<ScheduleCheck> later_;
  ImageReport report_;
};

}  // namespace

ImageReport CheckQueueImage(const QueueHistory& history, const ImageCut& cut,
                            const std::string& image, bool go_on) {
  return QueueCheck(history, cut, image).Run(go_on);
}

}  // namespace acta
