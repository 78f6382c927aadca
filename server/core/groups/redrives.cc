// Redrives at a rate: they live in their rows, and a timer takes them on.
#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "proto/support/error.h"
#include "proto/support/limit_error.h"
#include "proto/support/proto_time.h"
#include "server/core/groups/dead_letter_rows.h"
#include "server/core/groups/group_state.h"
#include "storage/base/log.h"
#include "storage/base/random.h"
#include "storage/base/status_macros.h"
#include "storage/layout/rows.h"
#include "storage/visit_rows.h"

namespace acta {
namespace {

constexpr int64_t kHighestRate = 100'000;
constexpr size_t kMostEnded = 20;  // That are kept of a group.
constexpr int64_t kMostAtATime = 1000;
// Between two looks while there is room for none, and at a rate of many a second.
constexpr absl::Duration kPace = absl::Milliseconds(100);

using storage::v1::RedriveRecord;

bool Runs(const RedriveRecord& record) {
  return record.redrive().state() == v1::REDRIVE_STATE_RUNNING;
}

RowWrite RowOf(GroupId group, uint64_t id, const RedriveRecord& record) {
  return {Family::kState, RedriveRow(group, id), record.SerializeAsString()};
}

absl::StatusOr<uint64_t> IdFrom(const std::string& text) {
  uint64_t id = 0;
  if (text.size() == 16 && absl::SimpleHexAtoi(text, &id) && RedriveText(id) == text) return id;
  return Error(v1::INVALID_ARGUMENT,
               absl::StrCat("redrive_id '", text.substr(0, 64),
                            "' is not 16 hexadecimal digits, as ListRedrives answers them"),
               {{"field", "redrive_id"}});
}

absl::Status CheckPace(const v1::StartRedriveRequest& request) {
  if (request.rate() < 1 || request.rate() > kHighestRate) {
    return Error(
        v1::INVALID_ARGUMENT,
        absl::StrCat("rate: ", request.rate(), " a second is not between 1 and ", kHighestRate),
        {{"field", "rate"}});
  }
  if (request.has_stop_if() && !(request.stop_if() >= 0 && request.stop_if() <= 1)) {
    return Error(v1::INVALID_ARGUMENT,
                 absl::StrCat("stop_if: ", request.stop_if(), " is not a number from 0 to 1"),
                 {{"field", "stop_if"}});
  }
  return absl::OkStatus();
}

void End(absl::Time now, v1::RedriveState state, std::string text, v1::Redrive* redrive) {
  redrive->set_state(state);
  redrive->set_text(std::move(text));
  SetTime(now, redrive->mutable_end_time());
}

// The next of the list, as many as are to be redriven at once, and those that stay between them.
struct Stretch {
  std::vector<StoredLetter> letters;
  std::vector<bool> too_often, stays;  // Of each: because of its redrives; because of its order.
  bool last = false;                   // Nothing follows.
};

absl::StatusOr<Stretch> ReadStretch(const LogEngine& engine, const Group& group,
                                    const RedriveRecord& record, int64_t most) {
  const v1::Redrive& redrive = record.redrive();
  v1::DeadLetterSelection selection = redrive.selection();
  const absl::Time before = absl::FromUnixMicros(record.before_us());
  const bool earlier = selection.has_before() && ToTime(selection.before()) < before;
  if (!earlier) SetTime(before, selection.mutable_before());
  ASSIGN_OR_RETURN(
      DeadLetterWalk walk,
      DeadLetterWalk::Begin(engine, group, &selection, record.place(), static_cast<size_t>(most)));
  Stretch stretch;
  for (int64_t wanted = 0; wanted < most && stretch.letters.size() < kMostAtATime;) {
    ASSIGN_OR_RETURN(std::optional<StoredLetter> letter, walk.Next());
    stretch.last = !letter.has_value();
    if (stretch.last) break;
    const bool too_often = letter->record.attempts_before_size() >= redrive.max_redrives();
    const bool stays = !too_often && letter->record.order_broken() && !redrive.accept_order();
    wanted += !too_often && !stays;
    stretch.too_often.push_back(too_often);
    stretch.stays.push_back(stays);
    stretch.letters.push_back(*std::move(letter));
  }
  return stretch;
}

// What has become of the stretch when so many of its letters were passed.
void Advance(const Stretch& stretch, const RedrivenLetters& done, RedriveRecord* record) {
  v1::Redrive& redrive = *record->mutable_redrive();
  int64_t passed = 0, too_often = 0, stay = 0;
  size_t i = 0;
  for (; i < stretch.letters.size(); ++i) {
    const bool offered = !stretch.too_often[i] && !stretch.stays[i];
    if (offered && passed == done.passed) break;
    passed += offered;
    too_often += stretch.too_often[i];
    stay += stretch.stays[i];
  }
  if (i > 0) record->set_place(PlaceText(stretch.letters[i - 1]));
  redrive.set_redriven(redrive.redriven() + done.redriven);
  redrive.set_too_often(redrive.too_often() + too_often);
  record->set_passed_over(record->passed_over() + stay + done.passed - done.redriven);
  redrive.set_left(
      std::max<int64_t>(0, redrive.selected() - redrive.redriven() - redrive.too_often()));
}

}  // namespace

absl::StatusOr<v1::StartRedriveResponse> GroupRegistry::StartRedrive(
    const Caller& caller, const v1::StartRedriveRequest& request) {
  MutexLock lock(state_->write_mu);
  RETURN_IF_ERROR(CheckDeadline(caller));
  ASSIGN_OR_RETURN(const GroupPtr group,
                   state_->GetQueue(caller, request.tenant(), request.group()));
  RETURN_IF_ERROR(CheckPace(request));
  v1::RedriveDeadLettersRequest same;
  *same.mutable_selection() = request.selection();
  same.set_max(request.max());
  same.set_accept_order(request.accept_order());
  same.set_max_redrives(request.max_redrives());
  ASSIGN_OR_RETURN(const int64_t most_redrives, CheckRedrive(same));
  const LogEngine& engine = state_->deps.engine;
  ASSIGN_OR_RETURN(const auto missing, FindMissing(engine, *group, request.selection()));
  if (!missing.empty()) return DeadLetterNotFound(missing.front());
  ASSIGN_OR_RETURN(const auto stored, state_->LoadRedrives(*group));
  std::vector<RowWrite> rows;
  for (size_t i = 0; i < stored.size(); ++i) {  // The newest first.
    if (Runs(stored[i].second)) {
      return Error(v1::REDRIVE_RUNNING,
                   absl::StrCat("redrive ", RedriveText(stored[i].first), " of group '",
                                group->name(), "' is running: wait for it or cancel it"),
                   {{"redrive_id", RedriveText(stored[i].first)}});
    }
    if (i + 1 < kMostEnded) continue;
    rows.push_back({Family::kState, RedriveRow(group->id(), stored[i].first), std::nullopt});
  }
  int64_t could = 0, too_often = 0;
  RETURN_IF_ERROR(state_->CountRedrives(*group, same, most_redrives, &could, &too_often));
  const uint64_t id = std::max<uint64_t>(1, DrawNumber());
  RedriveRecord record;
  record.set_before_us(absl::ToUnixMicros(engine.Now()) + 1);
  v1::Redrive& redrive = *record.mutable_redrive();
  redrive.set_redrive_id(RedriveText(id));
  redrive.set_state(v1::REDRIVE_STATE_RUNNING);
  *redrive.mutable_selection() = request.selection();
  redrive.set_max(request.max());
  redrive.set_accept_order(request.accept_order());
  redrive.set_max_redrives(static_cast<int32_t>(most_redrives));
  redrive.set_rate(request.rate());
  if (request.has_stop_if()) redrive.set_stop_if(request.stop_if());
  redrive.set_by(caller.principal);
  redrive.set_selected(could + too_often);
  redrive.set_left(could);
  SetTime(absl::FromUnixMicros(record.before_us()), redrive.mutable_start_time());
  rows.push_back(RowOf(group->id(), id, record));
  RETURN_IF_ERROR(state_->Write(std::move(rows)));
  group->queue()->WatchRedrive(id, 0);
  state_->RedriveLater(group->id(), id, absl::ZeroDuration());
  LogInfo("a redrive began", {{"group", group->name()},
                              {"redrive", redrive.redrive_id()},
                              {"selected", absl::StrCat(redrive.selected())},
                              {"rate", absl::StrCat(redrive.rate())},
                              {"by", caller.principal}});
  v1::StartRedriveResponse response;
  *response.mutable_redrive() = redrive;
  return response;
}

absl::StatusOr<v1::ListRedrivesResponse> GroupRegistry::ListRedrives(
    const Caller& caller, const v1::ListRedrivesRequest& request) const {
  ASSIGN_OR_RETURN(const GroupPtr group,
                   state_->GetQueue(caller, request.tenant(), request.group()));
  ASSIGN_OR_RETURN(auto stored, state_->LoadRedrives(*group));
  v1::ListRedrivesResponse response;
  for (auto& [id, record] : stored) {
    v1::Redrive& redrive = *record.mutable_redrive();
    if (Runs(record)) redrive.set_died_again(group->queue()->CountDiedAgain(id));
    *response.add_redrives() = std::move(redrive);
  }
  return response;
}

absl::StatusOr<v1::CancelRedriveResponse> GroupRegistry::CancelRedrive(
    const Caller& caller, const v1::CancelRedriveRequest& request) {
  MutexLock lock(state_->write_mu);
  RETURN_IF_ERROR(CheckDeadline(caller));
  ASSIGN_OR_RETURN(const GroupPtr group,
                   state_->GetQueue(caller, request.tenant(), request.group()));
  ASSIGN_OR_RETURN(const uint64_t id, IdFrom(request.redrive_id()));
  ASSIGN_OR_RETURN(std::optional<RedriveRecord> record, state_->LoadRedrive(group->id(), id));
  if (!record.has_value()) {
    return Error(v1::REDRIVE_NOT_FOUND,
                 absl::StrCat("group '", group->name(), "' knows no redrive ", request.redrive_id(),
                              ": it keeps the last ", kMostEnded),
                 {{"redrive_id", request.redrive_id()}});
  }
  if (Runs(*record)) {
    v1::Redrive& redrive = *record->mutable_redrive();
    redrive.set_died_again(group->queue()->CountDiedAgain(id));
    End(state_->deps.engine.Now(), v1::REDRIVE_STATE_CANCELLED,
        absl::StrCat("cancelled by ", caller.principal), &redrive);
    RETURN_IF_ERROR(state_->Write({RowOf(group->id(), id, *record)}));
    group->queue()->EndWatch(id);
  }
  v1::CancelRedriveResponse response;
  *response.mutable_redrive() = std::move(*record->mutable_redrive());
  return response;
}

absl::StatusOr<std::vector<std::pair<uint64_t, RedriveRecord>>> GroupRegistry::State::LoadRedrives(
    const Group& group) const {
  std::vector<std::pair<uint64_t, RedriveRecord>> redrives;
  RETURN_IF_ERROR(VisitRows(deps.engine, Family::kState, QueueRows(kRedriveRows, group.id()),
                            [&](absl::string_view key, absl::string_view value) -> absl::Status {
                              auto& [id, record] = redrives.emplace_back();
                              id = RedriveOfRow(key);
                              if (record.ParseFromString(std::string(value)))
                                return absl::OkStatus();
                              return Error(v1::DATA_CORRUPTED, "a row of a redrive cannot be read");
                            }));
  std::sort(redrives.begin(), redrives.end(), [](const auto& a, const auto& b) {
    return std::pair(a.second.before_us(), a.first) > std::pair(b.second.before_us(), b.first);
  });
  return redrives;
}

absl::StatusOr<std::optional<RedriveRecord>> GroupRegistry::State::LoadRedrive(GroupId group,
                                                                               uint64_t id) const {
  ASSIGN_OR_RETURN(const RowList rows, deps.engine.LoadRows(Family::kState, RedriveRow(group, id)));
  if (rows.empty()) return std::nullopt;
  RedriveRecord record;
  if (record.ParseFromString(rows.front().second)) return record;
  return Error(v1::DATA_CORRUPTED, "a row of a redrive cannot be read");
}

// How many died again is counted anew: it was in memory since the last write.
absl::Status GroupRegistry::State::ResumeRedrives(const Group& group) {
  ASSIGN_OR_RETURN(const auto stored, LoadRedrives(group));
  for (const auto& [id, record] : stored) {
    if (!Runs(record)) continue;
    int64_t died = 0;
    RETURN_IF_ERROR(VisitDeadLetters(deps.engine, group, nullptr,
                                     [&, redrive = id](const StoredLetter& letter) {
                                       died += letter.record.redrive_id() == redrive;
                                     }));
    group.queue()->WatchRedrive(id, died);
    RedriveLater(group.id(), id, kPace);
  }
  return absl::OkStatus();
}

void GroupRegistry::State::RedriveLater(GroupId group, uint64_t id, absl::Duration delay) {
  deps.timer.After(delay, [state = weak_from_this(), group, id] {
    const auto self = state.lock();
    if (self == nullptr) return;
    const absl::Duration begun = self->deps.clock.SinceBoot();
    absl::StatusOr<std::optional<absl::Duration>> pause = self->RedriveMore(group, id);
    if (!pause.ok()) {
      LogWarn("a redrive cannot go on: tried again in 1 s",
              {{"redrive", RedriveText(id)}, {"cause", std::string(pause.status().message())}});
      pause = absl::Seconds(1);
    }
    if (!pause->has_value()) return;
    const absl::Duration took = self->deps.clock.SinceBoot() - begun;
    self->RedriveLater(group, id, std::max(**pause - took, absl::Milliseconds(1)));
  });
}

absl::StatusOr<std::optional<absl::Duration>> GroupRegistry::State::RedriveMore(GroupId id_of_group,
                                                                                uint64_t id) {
  MutexLock lock(write_mu);
  const GroupPtr group = FindById(id_of_group);
  if (group == nullptr) return std::nullopt;
  ASSIGN_OR_RETURN(std::optional<RedriveRecord> record, LoadRedrive(id_of_group, id));
  if (!record.has_value() || !Runs(*record)) return std::nullopt;
  GroupQueue& queue = *group->queue();
  v1::Redrive& redrive = *record->mutable_redrive();
  const int64_t before = redrive.redriven(), died = queue.CountDiedAgain(id);
  redrive.set_died_again(died);
  const int64_t rest =
      redrive.max() == 0 ? std::numeric_limits<int64_t>::max() : redrive.max() - before;
  Stretch stretch;
  std::vector<LetterToRedrive> letters;
  const bool too_many = redrive.has_stop_if() &&
                        static_cast<double>(died) > redrive.stop_if() * static_cast<double>(before);
  if (!too_many && rest > 0) {
    const int64_t most = std::clamp<int64_t>(redrive.rate() / 10, 1, std::min(rest, kMostAtATime));
    ASSIGN_OR_RETURN(stretch, ReadStretch(deps.engine, *group, *record, most));
    for (size_t i = 0; i < stretch.letters.size(); ++i) {
      if (stretch.too_often[i] || stretch.stays[i]) continue;
      const StoredLetter& letter = stretch.letters[i];
      letters.push_back({letter.partition, letter.offset, &letter.record});
    }
  }
  queue.RedriveSome(letters, id, [&](const RedrivenLetters& done) {
    Advance(stretch, done, &*record);
    const bool all = stretch.last && done.passed == static_cast<int64_t>(letters.size());
    if (all) redrive.set_left(record->passed_over());  // The others went meanwhile.
    if (too_many) {
      End(deps.engine.Now(), v1::REDRIVE_STATE_STOPPED,
          absl::StrCat(died, " of ", before, " are dead letters again"), &redrive);
    } else if (all || rest == done.redriven) {
      End(deps.engine.Now(), v1::REDRIVE_STATE_DONE, "", &redrive);
    }
    return RowOf(id_of_group, id, *record);
  });
  queue.WaitQuiet();
  if (!Runs(*record)) {
    queue.EndWatch(id);
    LogInfo("a redrive ended", {{"group", group->name()},
                                {"redrive", redrive.redrive_id()},
                                {"redriven", absl::StrCat(redrive.redriven())},
                                {"died_again", absl::StrCat(redrive.died_again())},
                                {"text", redrive.text()}});
    return std::nullopt;
  }
  const int64_t redriven = redrive.redriven() - before;
  if (redriven > 0) return absl::Seconds(1) * redriven / redrive.rate();
  return letters.empty() ? absl::ZeroDuration() : kPace;
}

}  // namespace acta
