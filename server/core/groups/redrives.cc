// Redrives at a rate: they live in their rows, and the answer to each write takes them on.
#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
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
constexpr size_t kMostKept = 20;  // Of a group.
constexpr int64_t kMostAtATime = 1000;
// Of dead letters, at a time; as rows, at once at least.
constexpr int64_t kMostLooks = 1000;
constexpr int64_t kPage = 64;
// While as many are parked as may be, or the disk does not answer.
constexpr absl::Duration kRedriveAgain = absl::Seconds(1);
constexpr char kNoRoom[] =
    "dead letters wait: as many events of the group are parked as may be, and one has to be "
    "settled "
    "first (what is held can be redriven by its place, or skipped)";

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

// What becomes of a letter that is looked at.
enum class Fate : uint8_t { kOffered, kTooOften, kStays, kNotSelected };

// The next of the list: as many as are to be offered at once, or as may be looked at.
struct Stretch {
  std::vector<StoredLetter> letters;
  std::vector<Fate> fates;  // Of each.
  bool last = false;        // Nothing follows.
};

Fate FateOf(const v1::Redrive& redrive, const v1::DeadLetterSelection& selection,
            const StoredLetter& letter) {
  if (!Selects(selection, letter)) return Fate::kNotSelected;
  if (letter.record.attempts_before_size() >= redrive.max_redrives()) return Fate::kTooOften;
  const bool stays = letter.record.order_broken() && !redrive.accept_order();
  return stays ? Fate::kStays : Fate::kOffered;
}

// What was a dead letter, or held, when it began.
v1::DeadLetterSelection SelectionOf(const RedriveRecord& record) {
  return SelectionAt(record.redrive().selection(), record.before_us() - 1);
}

absl::StatusOr<Stretch> ReadStretch(const LogEngine& engine, const Group& group,
                                    const RedriveRecord& record, int64_t most) {
  const v1::DeadLetterSelection selection = SelectionOf(record);
  v1::DeadLetterSelection named;  // The walk finds these; what else is asked for is looked at here.
  *named.mutable_letters() = selection.letters();
  ASSIGN_OR_RETURN(
      DeadLetterWalk walk,
      DeadLetterWalk::Begin(engine, group, &named, record.place(),
                            static_cast<size_t>(std::clamp(2 * most, kPage, kMostLooks)),
                            Letters::kDeadAndHeld));
  Stretch stretch;
  for (int64_t offered = 0;
       offered < most && stretch.letters.size() < static_cast<size_t>(kMostLooks);) {
    ASSIGN_OR_RETURN(std::optional<StoredLetter> letter, walk.Next());
    stretch.last = !letter.has_value();
    if (stretch.last) break;
    stretch.fates.push_back(FateOf(record.redrive(), selection, *letter));
    stretch.letters.push_back(*std::move(letter));
    offered += stretch.fates.back() == Fate::kOffered;
  }
  return stretch;
}

// What has become of the stretch when so many that are offered were passed. False: nothing.
bool Advance(const Stretch& stretch, const RedrivenLetters& done, RedriveRecord* record) {
  v1::Redrive& redrive = *record->mutable_redrive();
  int64_t passed = 0, too_often = 0, stay = 0;
  size_t i = 0;
  for (; i < stretch.letters.size(); ++i) {
    const Fate fate = stretch.fates[i];
    if (fate == Fate::kOffered && passed == done.passed) break;
    passed += fate == Fate::kOffered;
    too_often += fate == Fate::kTooOften;
    stay += fate == Fate::kStays;
  }
  if (i == 0) return false;
  record->set_place(PlaceText(stretch.letters[i - 1]));
  redrive.set_redriven(redrive.redriven() + done.redriven);
  redrive.set_too_often(redrive.too_often() + too_often);
  record->set_passed_over(record->passed_over() + stay + done.passed - done.redriven);
  redrive.set_left(
      std::max<int64_t>(0, redrive.selected() - redrive.redriven() - redrive.too_often()));
  return true;
}

// One that begins now.
RedriveRecord RecordOf(const v1::StartRedriveRequest& request, absl::Time now) {
  RedriveRecord record;
  record.set_before_us(absl::ToUnixMicros(now) + 1);
  v1::Redrive& redrive = *record.mutable_redrive();
  *redrive.mutable_selection() = request.selection();
  redrive.DiscardUnknownFields();
  redrive.set_state(v1::REDRIVE_STATE_RUNNING);
  redrive.set_max(request.max());
  redrive.set_accept_order(request.accept_order());
  redrive.set_rate(request.rate());
  if (request.has_stop_if()) redrive.set_stop_if(request.stop_if());
  SetTime(absl::FromUnixMicros(record.before_us()), redrive.mutable_start_time());
  return record;
}

// What is to be done at once.
struct Step {
  Stretch stretch;
  std::vector<LetterToRedrive> letters;  // Of the stretch.
  int64_t rest = 0;                      // That may be redriven.
  std::string stops;                     // Why it ends here; empty: it does not.
};

Step NextStep(const LogEngine& engine, const Group& group, const RedriveRecord& record) {
  const v1::Redrive& redrive = record.redrive();
  Step step;
  step.rest =
      redrive.max() == 0 ? std::numeric_limits<int64_t>::max() : redrive.max() - redrive.redriven();
  const auto redriven = static_cast<double>(redrive.redriven());
  if (redrive.has_stop_if() &&
      static_cast<double>(redrive.died_again()) > redrive.stop_if() * redriven) {
    step.stops =
        absl::StrCat(redrive.died_again(), " of ", redrive.redriven(), " are dead letters again");
    return step;
  }
  const int64_t at_once = std::min(step.rest, kMostAtATime);
  absl::StatusOr<Stretch> stretch =
      ReadStretch(engine, group, record, std::clamp<int64_t>(redrive.rate() / 10, 1, at_once));
  if (!stretch.ok()) {
    // What the disk does not give for a moment is asked for again.
    const bool may_come = DetailsOf(stretch.status()).contains(kIoErrorDetail);
    if (!may_come) step.stops = std::string(stretch.status().message());
    return step;
  }
  step.stretch = *std::move(stretch);
  for (size_t i = 0; i < step.stretch.letters.size(); ++i) {
    const StoredLetter& letter = step.stretch.letters[i];
    if (step.stretch.fates[i] != Fate::kOffered) continue;
    step.letters.push_back(ToRedrive(letter));
  }
  return step;
}

// False: nothing has become of it.
bool Conclude(const Step& step, const RedrivenLetters& done, absl::Time now,
              RedriveRecord* record) {
  v1::Redrive& redrive = *record->mutable_redrive();
  const bool moved = Advance(step.stretch, done, record);
  const bool all = step.stretch.last && done.passed == static_cast<int64_t>(step.letters.size());
  if (!step.stops.empty()) {
    End(now, v1::REDRIVE_STATE_STOPPED, step.stops, &redrive);
  } else if (all || step.rest == done.redriven) {
    if (all) redrive.set_left(record->passed_over());  // The others went meanwhile.
    End(now, v1::REDRIVE_STATE_DONE, "", &redrive);
  }
  return moved || !Runs(*record);
}

void LogEnded(const Group& group, const v1::Redrive& redrive) {
  LogInfo("a redrive ended", {{"group", group.name()},
                              {"redrive", redrive.redrive_id()},
                              {"redriven", absl::StrCat(redrive.redriven())},
                              {"died_again", absl::StrCat(redrive.died_again())},
                              {"text", redrive.text()}});
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
  RETURN_IF_ERROR(CheckNamed(engine, *group, request.selection(), Letters::kDeadAndHeld));
  if (const std::optional<std::string> running = state_->RunningRedriveOf(group->id())) {
    return Error(v1::REDRIVE_RUNNING,
                 absl::StrCat("redrive ", *running, " of group '", group->name(),
                              "' is running: wait for it or cancel it"),
                 {{"redrive_id", *running}});
  }
  ASSIGN_OR_RETURN(const auto stored, state_->LoadRedrives(*group));
  std::vector<RowWrite> rows;
  for (size_t i = kMostKept - 1; i < stored.size(); ++i) {  // The newest first.
    rows.push_back({Family::kState, RedriveRow(group->id(), stored[i].first), std::nullopt});
  }
  RedriveRecord record = RecordOf(request, engine.Now());
  *same.mutable_selection() = SelectionOf(record);
  int64_t could = 0, too_often = 0;
  RETURN_IF_ERROR(state_->CountRedrives(caller, *group, same, most_redrives, &could, &too_often));
  const uint64_t id = std::max<uint64_t>(1, DrawNumber());
  v1::Redrive& redrive = *record.mutable_redrive();
  redrive.set_redrive_id(RedriveText(id));
  redrive.set_max_redrives(static_cast<int32_t>(most_redrives));
  redrive.set_by(caller.principal);
  redrive.set_selected(could + too_often);
  redrive.set_left(redrive.selected());
  rows.push_back(RowOf(group->id(), id, record));
  RETURN_IF_ERROR(state_->Write(std::move(rows)));
  group->queue()->WatchRedrive(id, 0);
  state_->SetRunning(group->id(), id, record);
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
    const std::optional<RedriveRecord> running = state_->Running(group->id(), id);
    if (running.has_value()) record = *running;
    v1::Redrive& redrive = *record.mutable_redrive();
    if (running.has_value() && group->queue()->IsFull()) redrive.set_text(kNoRoom);
    redrive.set_died_again(std::max(redrive.died_again(), group->queue()->CountDiedAgain(id)));
    redrive.mutable_selection()->clear_letters();
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
  std::optional<RedriveRecord> record = state_->Running(group->id(), id);
  const bool running = record.has_value();
  if (!running) {
    ASSIGN_OR_RETURN(record, state_->LoadRedrive(group->id(), id));
  }
  if (!record.has_value()) {
    return Error(v1::REDRIVE_NOT_FOUND,
                 absl::StrCat("group '", group->name(), "' knows no redrive ", request.redrive_id(),
                              ": it keeps the last ", kMostKept),
                 {{"redrive_id", request.redrive_id()}});
  }
  if (running) {
    v1::Redrive& redrive = *record->mutable_redrive();
    redrive.set_died_again(group->queue()->CountDiedAgain(id));
    End(state_->deps.engine.Now(), v1::REDRIVE_STATE_CANCELLED,
        absl::StrCat("cancelled by ", caller.principal), &redrive);
    state_->EndRunning(id);
    group->queue()->EndWatch(id);
    // Behind what is being written of it.
    RETURN_IF_ERROR(group->queue()->PutRow(RowOf(group->id(), id, *record)));
    LogEnded(*group, redrive);
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

std::optional<RedriveRecord> GroupRegistry::State::Running(GroupId group, uint64_t id) const {
  MutexLock lock(redrives_mu_);
  const auto found = running_.find(id);
  if (found == running_.end() || found->second.first != group) return std::nullopt;
  return found->second.second;
}

std::optional<std::string> GroupRegistry::State::RunningRedriveOf(GroupId group) const {
  MutexLock lock(redrives_mu_);
  for (const auto& [id, one] : running_) {
    if (one.first == group) return RedriveText(id);
  }
  return std::nullopt;
}

void GroupRegistry::State::SetRunning(GroupId group, uint64_t id, const RedriveRecord& record) {
  MutexLock lock(redrives_mu_);
  running_[id] = {group, record};
}

void GroupRegistry::State::EndRunning(uint64_t id) {
  MutexLock lock(redrives_mu_);
  running_.erase(id);
}

// How many died again is counted: it was in memory since the last write.
void GroupRegistry::State::ResumeRedrives(const Group& group) {
  const auto stored = LoadRedrives(group);
  if (!stored.ok()) {
    return LogWarn("the redrives of a group cannot be read, and do not go on",
                   {{"group", group.name()}, {"cause", std::string(stored.status().message())}});
  }
  for (const auto& [id, record] : *stored) {
    if (!Runs(record)) continue;
    int64_t died = 0;
    // Of a letter that cannot be read who comes to it is told.
    VisitDeadLetters(deps.engine, group, nullptr, Letters::kDeadAndHeld,
                     [&, redrive = id](const StoredLetter& letter) {
                       died += letter.record.redrive_id() == redrive;
                     })
        .IgnoreError();
    group.queue()->WatchRedrive(id, std::max(died, record.redrive().died_again()));
    SetRunning(group.id(), id, record);
    RedriveLater(group.id(), id, absl::ZeroDuration());
  }
}

void GroupRegistry::State::RedriveLater(GroupId group, uint64_t id, absl::Duration delay) {
  deps.timer.After(std::max(delay, absl::Milliseconds(1)), [state = weak_from_this(), group, id] {
    if (const auto self = state.lock()) self->RedriveMore(group, id);
  });
}

void GroupRegistry::State::RedriveMore(GroupId id_of_group, uint64_t id) {
  const absl::Duration begun = deps.clock.SinceBoot();
  MutexLock lock(write_mu);
  const GroupPtr group = FindById(id_of_group);
  std::optional<RedriveRecord> record = Running(id_of_group, id);
  if (group == nullptr || !record.has_value()) return EndRunning(id);
  GroupQueue& queue = *group->queue();
  record->mutable_redrive()->set_died_again(queue.CountDiedAgain(id));
  const Step step = NextStep(deps.engine, *group, *record);
  // In how long it goes on, when it does.
  const auto pause = std::make_shared<std::optional<absl::Duration>>();
  const bool written = queue.RedriveSome(
      step.letters, {record->redrive().by(), id},
      [&](const RedrivenLetters& done) -> std::optional<RowWrite> {
        if (!Conclude(step, done, deps.engine.Now(), &*record)) return std::nullopt;
        if (Runs(*record)) *pause = absl::Seconds(1) * done.redriven / record->redrive().rate();
        return RowOf(id_of_group, id, *record);
      },
      [state = weak_from_this(), id_of_group, id, begun, pause](const absl::Status& status) {
        const auto self = state.lock();
        if (self == nullptr || !status.ok() || !pause->has_value()) return;
        self->RedriveLater(id_of_group, id, **pause - (self->deps.clock.SinceBoot() - begun));
      });
  if (!written) return RedriveLater(id_of_group, id, kRedriveAgain);
  if (Runs(*record)) return SetRunning(id_of_group, id, *record);
  EndRunning(id);
  queue.EndWatch(id);
  LogEnded(*group, record->redrive());
}

}  // namespace acta
