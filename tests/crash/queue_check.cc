#include "tests/crash/queue_check.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "acta/v1/event.pb.h"
#include "proto/support/wire.h"
#include "storage/base/crc32c.h"
#include "tests/crash/group_rows.h"
#include "tests/crash/queue_go_on.h"
#include "tests/crash/queue_store.h"
#include "tests/crash/redrive_images.h"
#include "tests/crash/schedule_check.h"
#include "tests/crash/step_results.h"
#include "tests/crash/stream_check.h"

namespace acta {
namespace {

using StateKind = QueueState::Kind;

// What was said of one event, in order, with the resets of its group.
using SaidOfEvent = std::vector<const QueueDecision*>;

// What was said of the events of a group.
class SaidOfGroup {
 public:
  SaidOfGroup(const QueueHistory& history, size_t group) {
    for (const QueueDecision& decision : history.decisions) {
      if (decision.group != group) continue;
      if (decision.op == QueueDecision::Op::kReset) {
        for (auto& [place, said] : events_) {
          if (place.partition == decision.partition) said.push_back(&decision);
        }
        resets_[decision.partition].push_back(&decision);
        continue;
      }
      const JobPlace place{decision.partition, decision.offset};
      events_.try_emplace(place, resets_[place.partition]).first->second.push_back(&decision);
    }
  }

  // Of any event of the partition, also when nobody spoke of it.
  const SaidOfEvent& Of(const JobPlace& place) {
    const auto found = events_.find(place);
    return found != events_.end() ? found->second : resets_[place.partition];
  }

 private:
  std::map<JobPlace, SaidOfEvent> events_;
  std::map<int32_t, SaidOfEvent> resets_;  // By partition.
};

class QueueCheck {
 public:
  QueueCheck(const QueueHistory& history, const ImageCut& cut, const std::string& image,
             StepTear tear)
      : history_(history), cut_(cut), image_(image), tear_(tear) {
    clock_->Jump(absl::FromUnixMicros(TimeOf(history, cut.operations)) - clock_->Wall());
  }

  ImageReport Run(bool go_on) {
    if (!Open()) return std::move(report_);
    const auto tell = [this](absl::string_view name, absl::string_view what) {
      Problem(name, what);
    };
    results_ = CheckStepResults(history_, cut_, *store_, tell);
    ScheduleCheck later(history_, cut_, *store_);
    StreamCheck stream(history_, cut_, *store_);
    Digest(results_.size(), later.Look(tell), stream.Look(tell));
    for (size_t group = 0; group < std::size(kQueueGroups); ++group) CheckGroup(group);
    const uint32_t digest = report_.digest;
    if (go_on && report_.problems.empty() && !left_.empty()) {
      QueueGoOn(history_, cut_, *store_, left_, tell).Run(later, stream);
    }
    report_.digest = digest;
    return std::move(report_);
  }

 private:
  // Some of each class.
  void Problem(absl::string_view name, absl::string_view what) {
    if (++problems_[std::string(name)] > 5) return;
    report_.problems.push_back(absl::StrCat(name, ": ", what));
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
    store_ = new QueueStore(std::move(options), *clock_, *sink_, tear_);
    const absl::Status opened = store_->Open();
    if (!opened.ok()) Problem("refused", opened.message());
    return opened.ok();
  }

  void CheckGroup(size_t group) {
    const auto id = store_->groups().GetId(store_->caller(), "", kQueueGroups[group].name);
    if (!id.ok() || store_->topics().Find("default", kQueueTopic) == nullptr) {
      if (cut_.operations >= history_.ready) Problem("lost-group", kQueueGroups[group].name);
      return;
    }
    const absl::StatusOr<GroupRows> rows = LoadGroupRows(*store_, *id);
    if (!rows.ok()) return Problem("refused", rows.status().message());
    QueueLeft& left = left_.emplace_back();
    CheckResets(group, *rows, &left);
    SaidOfGroup said(history_, group);
    for (int32_t number = 0; number < kQueuePartitions; ++number) {
      const auto extent = store_->engine().Extent(store_->Partition(number));
      if (!extent.ok()) return Problem("refused", extent.status().message());
      report_.present += static_cast<size_t>(extent->visible_end.value());
      for (int64_t offset = 0; offset < extent->visible_end.value(); ++offset) {
        const JobPlace place{number, offset};
        const QueueState found = StateIn(*rows, group, place, &left);
        CheckState(group, place, found, said.Of(place));
        if (found.kind != StateKind::kProcessed) {
          CheckReadable(group, *id, place, found.kind == StateKind::kDead, *extent, &left);
        }
      }
    }
    left.letters = rows->letters.size();
    const std::string redrive = CheckRunningRedrive(*store_, kQueueGroups[group].name);
    if (!redrive.empty()) Problem("wrong-redrive", redrive);
    CheckNumbers(group, left);
  }

  // As many as were said, at least those that were answered, and the same everywhere.
  void CheckResets(size_t group, const GroupRows& rows, QueueLeft* left) {
    int64_t said = 0, answered = 0;
    for (const QueueDecision& decision : history_.decisions) {
      if (decision.group != group || decision.op != QueueDecision::Op::kReset) continue;
      if (decision.submitted <= cut_.operations) said = std::max<int64_t>(said, decision.attempt);
      if (decision.acked <= cut_.operations) {
        answered = std::max<int64_t>(answered, decision.attempt);
      }
    }
    left->resets = rows.resets.at(0);
    for (const auto& [partition, resets] : rows.resets) {
      const std::string what =
          absl::StrCat(kQueueGroups[group].name, " ", partition, " began anew ", resets, " times; ",
                       answered, " of ", said, " resets were answered");
      if (resets != left->resets) Problem("torn-reset", what);
      if (resets < answered) Problem("lost-reset", what);
      if (resets > said) Problem("wrong-reset", what);
    }
  }

  QueueState StateIn(const GroupRows& rows, size_t group, const JobPlace& place, QueueLeft* left) {
    const bool outstanding = rows.IsOutstanding(place);
    const auto parked = rows.parked.find(place);
    const auto letter = rows.letters.find(place);
    const bool is_parked = parked != rows.parked.end(), is_dead = letter != rows.letters.end();
    if (outstanding + is_parked + is_dead > 1) Problem("two-states", group, place, "");
    QueueState found;
    if (is_parked) {
      const bool held = parked->second.state == ParkedEvent::State::kHeld;
      found = {held ? StateKind::kHeld : StateKind::kOpen, parked->second.attempts,
               parked->second.redrives, parked->second.due_us};
    } else if (is_dead) {
      found = {StateKind::kDead, letter->second.attempts(), letter->second.attempts_before_size(),
               -1};
    } else if (!outstanding) {
      found.kind = StateKind::kProcessed;
    }
    if (found.kind == StateKind::kOpen) left->open[place] = found.attempts + 1;
    if (found.kind == StateKind::kHeld) left->held.insert(place);
    // Each attempt that failed has its row, of all rounds, for as long as somebody may ask.
    const int32_t attempts = rows.AttemptsOf(place);
    if (found.kind == StateKind::kProcessed && attempts > 0) {
      Problem("left-over", group, place, "is processed, and has attempts");
    }
    if (is_parked && attempts < found.attempts + found.redrives) {
      Problem("wrong-attempts", group, place, "attempts are missing from its history");
    }
    Digest(group, place.partition, place.offset, static_cast<int>(found.kind), found.attempts,
           found.redrives, found.due_us);
    return found;
  }

  // Of the first so many decisions, those of steps and no others have their results.
  bool HasResultsOf(const SaidOfEvent& said, size_t count) const {
    for (size_t i = 0; i < said.size(); ++i) {
      const auto index = static_cast<size_t>(said[i] - history_.decisions.data());
      if (said[i]->step >= 0 && results_.contains(index) != (i < count)) return false;
    }
    return true;
  }

  // How many of what was said have happened: at least, and at most.
  std::pair<size_t, size_t> BoundsOf(size_t group, const SaidOfEvent& said) const {
    size_t least = 0, most = said.size();
    for (size_t i = 0; i < said.size(); ++i) {
      if (said[i]->op != QueueDecision::Op::kReset) continue;
      if (said[i]->attempt <= left_[group].resets) {
        least = i + 1;
      } else {
        most = std::min(most, i);
      }
    }
    return {least, most};
  }

  // One of the states that the decisions lead to: behind those that were answered before the fault,
  // and with none that was said after it. What a step wrote beside the state has to agree, and the
  // resets that happened.
  void CheckState(size_t group, const JobPlace& place, const QueueState& found,
                  const SaidOfEvent& said) {
    QueueState state;
    size_t answered = 0;
    for (size_t i = 0; i < said.size(); ++i) {
      if (said[i]->acked <= cut_.operations) answered = i + 1;
    }
    const auto [least, most] = BoundsOf(group, said);
    std::string expected;
    QueueState nearest;
    bool torn_step = false, torn_reset = false;
    for (size_t i = 0;; ++i) {
      const bool same = i >= answered && Same(state, found);
      const bool within = i >= std::max(answered, least) && i <= most;
      if (same && within && HasResultsOf(said, i)) return;
      torn_step |= same && within;
      torn_reset |= same && !within;
      if (within) {
        nearest = state;
        absl::StrAppend(&expected, expected.empty() ? "" : " or ", Text(state));
      }
      if (i == said.size() || said[i]->submitted > cut_.operations) break;
      state = StateAfter(state, *said[i], place.offset);
    }
    if (torn_step) {
      return Problem("torn-step", group, place, "its results say that it is not " + Text(found));
    }
    Problem(torn_reset ? "torn-reset" : ClassOf(nearest, found), group, place,
            absl::StrCat("is ", Text(found), ", not ", expected, "; ", answered, " of ",
                         said.size(), " decisions were answered"));
  }

  static bool Same(const QueueState& expected, const QueueState& found) {
    if (expected.kind != found.kind) return false;
    if (expected.kind == StateKind::kProcessed) return true;
    return expected.attempts == found.attempts && expected.redrives == found.redrives &&
           (expected.due_us < 0 || expected.kind != StateKind::kOpen ||
            expected.due_us == found.due_us);
  }
  static const char* ClassOf(const QueueState& expected, const QueueState& found) {
    if (expected.kind == StateKind::kDead || found.kind == StateKind::kDead) {
      return expected.kind == found.kind ? "wrong-attempts" : "wrong-dead-letter";
    }
    if (expected.kind == StateKind::kHeld || found.kind == StateKind::kHeld) {
      return expected.kind == found.kind      ? "wrong-attempts"
             : found.kind == StateKind::kHeld ? "wrong-hold"
                                              : "lost-hold";
    }
    if (expected.kind == StateKind::kProcessed) return "outstanding-again";
    if (found.kind == StateKind::kProcessed) return "lost-delivery";
    const bool counted = expected.attempts == found.attempts && expected.redrives == found.redrives;
    return counted ? "wrong-due" : "wrong-attempts";
  }
  static std::string Text(const QueueState& state) {
    constexpr const char* kWords[] = {"open", "dead", "processed", "held"};
    return absl::StrCat(kWords[static_cast<size_t>(state.kind)], " (attempts ", state.attempts,
                        ", redrives ", state.redrives, ", due ", state.due_us, ")");
  }

  // Nothing: the batch does not have it.
  static std::optional<v1::Event> EventIn(const StoredBatch& batch, const JobPlace& place) {
    EventElements elements(batch.payload.view());
    absl::string_view bytes;
    for (Offset at = batch.base_offset; elements.Next(&bytes); at = at + 1) {
      v1::Event event;
      if (at.value() != place.offset) continue;
      const bool whole = event.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())) &&
                         absl::StartsWith(event.data(), PlaceData(place.partition, place.offset));
      if (whole) return event;
      break;
    }
    return std::nullopt;
  }

  void CheckReadable(size_t group, GroupId id, const JobPlace& place, bool dead,
                     const PartitionExtent& extent, QueueLeft* left) {
    const PartitionId partition = store_->Partition(place.partition);
    const Offset offset(place.offset);
    std::optional<v1::Event> event;
    absl::Status status;
    if (offset < extent.first) {
      const auto kept = LoadKeptEvent(store_->engine(), id, partition, offset);
      status = kept.status();
      if (kept.ok()) event = EventIn(*(*kept)->batch, place);
    } else {
      const auto read = store_->engine().Read(partition, offset, 1);
      status = read.status();
      if (read.ok() && !read->empty()) event = EventIn(*read->front(), place);
    }
    if (!event.has_value()) {
      Problem("unreadable", group, place, status.ok() ? "another event" : status.message());
    } else if (!event->key().empty()) {
      left->keys[place] = event->key();
    }
    if (dead) CheckLetter(group, place);
  }

  void CheckLetter(size_t group, const JobPlace& place) {
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

  // What follows the floor is looked at again when somebody asks: until then it may be too much.
  void CheckNumbers(size_t group, const QueueLeft& left) {
    const auto numbers = AskNumbers(*store_, group);
    if (!numbers.ok()) return Problem("wrong-counts", numbers.status().message());
    const auto held = static_cast<int64_t>(left.held.size());
    const auto open = static_cast<int64_t>(left.open.size());
    const auto letters = static_cast<int64_t>(left.letters);
    if (numbers->outstanding >= open + held && numbers->held == held &&
        numbers->dead_letters == letters) {
      return;
    }
    Problem("wrong-counts",
            absl::StrCat(kQueueGroups[group].name, " says ", numbers->outstanding, " outstanding, ",
                         numbers->held, " of them held, and ", numbers->dead_letters,
                         " dead letters; there are ", open + held, ", ", held, " and ", letters));
  }

  const QueueHistory& history_;
  const ImageCut cut_;
  const std::string image_;
  const StepTear tear_;
  // Leaked with the store that uses them.
  FakeClock* const clock_ = new FakeClock;
  RecordingFatalSink* const sink_ = new RecordingFatalSink;
  QueueStore* store_ = nullptr;
  absl::flat_hash_set<size_t> results_;  // Decisions of steps.
  std::vector<QueueLeft> left_;          // By group.
  std::map<std::string, int> problems_;  // By class.
  ImageReport report_;
};

}  // namespace

ImageReport CheckQueueImage(const QueueHistory& history, const ImageCut& cut,
                            const std::string& image, bool go_on, StepTear tear) {
  return QueueCheck(history, cut, image, tear).Run(go_on);
}

}  // namespace acta
