// Dead letters of QUEUE groups: listing, redriving, discarding.
#include <algorithm>
#include <optional>
#include <utility>

#include "absl/container/btree_map.h"
#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "proto/support/proto_time.h"
#include "server/core/access/pages.h"
#include "server/core/groups/dead_letter_rows.h"
#include "server/core/groups/group_state.h"
#include "storage/base/log.h"
#include "storage/base/status_macros.h"

namespace acta {
namespace {

constexpr int32_t kDefaultRedrives = 10;
constexpr int32_t kMostRedrives = 1000;
constexpr size_t kMostKinds = 1000;
// Letters that are read, or discarded, before the next ones are looked at.
constexpr int64_t kAtOnce = 1000;
constexpr absl::Duration kSweep = absl::Minutes(10);
// So long before the group before it a group is swept first.
constexpr absl::Duration kSweepApart = absl::Seconds(10);

int64_t RedrivesOf(const StoredLetter& letter) { return letter.record.attempts_before_size(); }

// Letters that failed alike.
struct LetterKind {
  int64_t count = 0, first_us = 0, last_us = 0;
  PartitionId partition;  // Of the newest.
  Offset offset;

  void Add(const StoredLetter& letter) {
    const int64_t time_us = letter.record.time_us();
    first_us = count == 0 ? time_us : std::min(first_us, time_us);
    if (count++ > 0 && time_us < last_us) return;
    last_us = time_us;
    partition = letter.partition;
    offset = letter.offset;
  }
};

absl::Status PartlyDiscarded(int64_t discarded) {
  return Error(v1::SERVER_STOPPING,
               absl::StrCat("the server is stopping: ", discarded,
                            " dead letters were discarded, the others stay; ask again after the "
                            "delay"));
}

}  // namespace

absl::StatusOr<int64_t> CheckRedrive(const v1::RedriveDeadLettersRequest& request) {
  RETURN_IF_ERROR(CheckSelection(request.selection()));
  if (request.max() < 0) {
    return Error(v1::INVALID_ARGUMENT,
                 absl::StrCat(request.max(), ": max is never negative; 0 is all that was selected"),
                 {{"field", "max"}});
  }
  if (request.max_redrives() < 0 || request.max_redrives() > kMostRedrives) {
    return Error(v1::INVALID_ARGUMENT,
                 absl::StrCat(request.max_redrives(), " is not between 1 and ", kMostRedrives,
                              ", or 0 for ", kDefaultRedrives),
                 {{"field", "max_redrives"}});
  }
  return request.max_redrives() == 0 ? kDefaultRedrives : request.max_redrives();
}

void GroupRegistry::State::BeginSweeps(GroupId id) {
  SweepLater(id, kSweep - kSweepApart * ((id.value() - 1) % (kSweep / kSweepApart)), 0);
}

void GroupRegistry::State::SweepLater(GroupId id, absl::Duration wait, int64_t oldest_us) {
  deps.timer.After(wait, [state = weak_from_this(), id, oldest_us] {
    const auto self = state.lock();
    const GroupPtr group = self == nullptr ? nullptr : self->FindById(id);
    if (group == nullptr) return;
    self->SweepLater(id, kSweep, self->Sweep(*group, oldest_us));
  });
}

// All letters are read, with the lock: only when one is due.
int64_t GroupRegistry::State::Sweep(const Group& group, int64_t oldest_us) {
  const int64_t now_us = absl::ToUnixMicros(deps.engine.Now());
  const absl::Duration kept = ToDuration(group.record().group().queue().dead_letter_retention());
  const int64_t over_us = now_us - absl::ToInt64Microseconds(kept);
  if (group.queue()->Measure().dead_letters == 0) return now_us;
  if (oldest_us >= over_us) return std::min(oldest_us, now_us);  // The time may have gone back.
  int64_t over = 0, stay_since_us = now_us;
  const auto due = [&](const StoredLetter& letter) {
    const int64_t time_us = letter.record.time_us();
    const bool is_due = time_us < over_us;
    over += is_due;
    if (!is_due) stay_since_us = std::min(stay_since_us, time_us);
    return is_due;
  };
  MutexLock lock(write_mu);
  // With the lock, for which others wait: not until a full disk has room.
  const auto discarded =
      DiscardLetters(group, nullptr, {"", "the retention of dead letters is over"}, due,
                     /*patient=*/false);
  if (!discarded.ok()) {
    LogWarn("dead letters were not discarded",
            {{"group", group.name()}, {"reason", discarded.status().message()}});
    return 0;
  }
  if (*discarded > 0) {
    LogInfo("dead letters were discarded, because their retention is over",
            {{"group", group.name()}, {"discarded", *discarded}});
  }
  return *discarded == over ? stay_since_us : 0;  // One that is being redriven may stay.
}

// Some at a time: what is to be written is in memory until it is.
absl::StatusOr<int64_t> GroupRegistry::State::DiscardLetters(
    const Group& group, const v1::DeadLetterSelection* selection, const LedgerNote& note,
    absl::FunctionRef<bool(const StoredLetter&)> wanted, bool patient,
    const std::atomic<bool>* stopping) {
  GroupQueue& queue = *group.queue();
  // What a redrive took is written before rows are read: here and where others are redriven.
  RETURN_IF_ERROR(queue.WaitQuiet(patient));
  ASSIGN_OR_RETURN(DeadLetterWalk walk, DeadLetterWalk::Begin(deps.engine, group, selection, "",
                                                              kAtOnce, Letters::kDead, stopping));
  for (int64_t discarded = 0;;) {
    absl::StatusOr<std::optional<StoredLetter>> next = walk.Next();
    if (discarded > 0 && ReasonOf(next.status()) == v1::SERVER_STOPPING) {
      RETURN_IF_ERROR(queue.WaitQuiet(patient));
      return PartlyDiscarded(discarded);
    }
    ASSIGN_OR_RETURN(const std::optional<StoredLetter> letter, std::move(next));
    const bool gone = letter.has_value() && wanted(*letter) &&
                      queue.Discard(letter->partition, letter->offset, letter->record, note);
    discarded += gone;
    if (!letter.has_value() || (gone && discarded % kAtOnce == 0)) {
      RETURN_IF_ERROR(queue.WaitQuiet(patient));
    }
    if (!letter.has_value()) return discarded;
  }
}

absl::StatusOr<v1::ListDeadLettersResponse> GroupRegistry::ListDeadLetters(
    const Caller& caller, const v1::ListDeadLettersRequest& request) const {
  ASSIGN_OR_RETURN(const GroupPtr group,
                   state_->GetQueue(caller, request.tenant(), request.group()));
  RETURN_IF_ERROR(
      state_->AllowTopicsOf(caller, Verb::kObserve, *group, request.selection().topic()));
  ASSIGN_OR_RETURN(const size_t page, PageSize(request.page_size()));
  ASSIGN_OR_RETURN(const std::string after, ParsePageToken("dead letter", request.page_token()));
  const LogEngine& engine = state_->deps.engine;
  // With one more it is known whether another page follows.
  ASSIGN_OR_RETURN(DeadLetterWalk walk,
                   DeadLetterWalk::Begin(engine, *group,
                                         request.has_selection() ? &request.selection() : nullptr,
                                         after, page + 1, Letters::kDeadAndHeld, caller.stopping));
  v1::ListDeadLettersResponse response;
  std::string last;
  while (true) {
    ASSIGN_OR_RETURN(const std::optional<StoredLetter> letter, walk.Next());
    if (!letter.has_value()) return response;
    if (static_cast<size_t>(response.dead_letters_size()) == page) {
      response.set_next_page_token(MakePageToken(last));
      return response;
    }
    last = PlaceText(*letter);
    ASSIGN_OR_RETURN(*response.add_dead_letters(), DescribeLetter(engine, *group, *letter, false));
  }
}

absl::StatusOr<v1::GetDeadLetterResponse> GroupRegistry::GetDeadLetter(
    const Caller& caller, const v1::GetDeadLetterRequest& request) const {
  ASSIGN_OR_RETURN(const GroupPtr group,
                   state_->GetQueue(caller, request.tenant(), request.group()));
  RETURN_IF_ERROR(state_->AllowTopic(caller, Verb::kBrowse, request.ref().topic()));
  const LogEngine& engine = state_->deps.engine;
  ASSIGN_OR_RETURN(const std::optional<StoredLetter> letter,
                   LoadDeadOrHeld(engine, *group, PartitionOf(*group, request.ref()),
                                  Offset(request.ref().offset())));
  if (!letter.has_value()) return DeadLetterNotFound(*group, request.ref());
  v1::GetDeadLetterResponse response;
  ASSIGN_OR_RETURN(*response.mutable_dead_letter(), DescribeLetter(engine, *group, *letter, true));
  return response;
}

absl::StatusOr<v1::SummarizeDeadLettersResponse> GroupRegistry::SummarizeDeadLetters(
    const Caller& caller, const v1::SummarizeDeadLettersRequest& request) const {
  ASSIGN_OR_RETURN(const GroupPtr group,
                   state_->GetQueue(caller, request.tenant(), request.group()));
  RETURN_IF_ERROR(state_->AllowTopicsOf(caller, Verb::kObserve, *group, ""));
  const LogEngine& engine = state_->deps.engine;
  v1::SummarizeDeadLettersResponse response;
  absl::btree_map<uint64_t, LetterKind> kinds;
  const auto count = [&](const StoredLetter& letter) {
    kinds[letter.record.fingerprint()].Add(letter);
    response.set_total(response.total() + 1);
  };
  RETURN_IF_ERROR(
      VisitDeadLetters(engine, *group, nullptr, Letters::kDeadAndHeld, count, caller.stopping));
  std::vector<std::pair<uint64_t, LetterKind>> sorted(kinds.begin(), kinds.end());
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto& a, const auto& b) { return a.second.count > b.second.count; });
  for (size_t i = 0; i < std::min(sorted.size(), kMostKinds); ++i) {
    v1::DeadLetterKind* out = response.add_kinds();
    const LetterKind& kind = sorted[i].second;
    out->set_fingerprint(FingerprintOf(sorted[i].first));
    out->set_count(kind.count);
    SetTimeUs(kind.first_us, out->mutable_first_time());
    SetTimeUs(kind.last_us, out->mutable_last_time());
    ASSIGN_OR_RETURN(const std::optional<StoredLetter> newest,
                     LoadDeadOrHeld(engine, *group, kind.partition, kind.offset));
    if (!newest.has_value()) continue;  // It went meanwhile.
    ASSIGN_OR_RETURN(*out->mutable_example(), DescribeLetter(engine, *group, *newest, false));
  }
  return response;
}

absl::Status GroupRegistry::State::CountRedrives(const Caller& caller, const Group& group,
                                                 const v1::RedriveDeadLettersRequest& request,
                                                 int64_t most_redrives, int64_t* could,
                                                 int64_t* too_often) const {
  bool broken = false;
  const auto count = [&](const StoredLetter& letter) {
    const bool stays = RedrivesOf(letter) >= most_redrives;
    *too_often += stays;
    *could += !stays;
    broken |= !stays && letter.record.order_broken();
  };
  RETURN_IF_ERROR(VisitDeadLetters(deps.engine, group, &request.selection(), Letters::kDeadAndHeld,
                                   count, caller.stopping));
  if (!broken || request.accept_order()) return absl::OkStatus();
  return Error(v1::REORDER_NOT_ACCEPTED,
               "later events of some of these keys went on without them: say that this order is "
               "accepted",
               {{"group", group.name()}});
}

// What came since it was counted is redriven only where no order is broken by it.
absl::Status GroupRegistry::State::RedriveSelected(const Caller& caller, const Group& group,
                                                   const v1::RedriveDeadLettersRequest& request,
                                                   int64_t most_redrives, int64_t could,
                                                   v1::RedriveDeadLettersResponse* response) {
  GroupQueue& queue = *group.queue();
  int64_t redriven = 0, left = 0;
  const auto redrive = [&](const StoredLetter& letter) {
    if (RedrivesOf(letter) >= most_redrives) return;
    const bool wanted = (request.max() == 0 || redriven < request.max()) &&
                        (request.accept_order() || !letter.record.order_broken());
    const bool done = wanted && queue.Redrive(ToRedrive(letter), caller.principal);
    ++(done ? redriven : left);
    if (done && redriven % kAtOnce == 0) queue.WaitQuiet().IgnoreError();
  };
  const absl::Status visited = VisitDeadLetters(deps.engine, group, &request.selection(),
                                                Letters::kDeadAndHeld, redrive, caller.stopping);
  // What was redriven until a stop is told, not refused.
  const bool cut_short = redriven > 0 && ReasonOf(visited) == v1::SERVER_STOPPING;
  if (!cut_short) RETURN_IF_ERROR(visited);
  RETURN_IF_ERROR(queue.WaitQuiet());
  response->set_redriven(redriven);
  response->set_left(cut_short ? std::max(left, could - redriven) : left);
  return absl::OkStatus();
}

absl::StatusOr<v1::RedriveDeadLettersResponse> GroupRegistry::RedriveDeadLetters(
    const Caller& caller, const v1::RedriveDeadLettersRequest& request) {
  MutexLock lock(state_->write_mu);
  RETURN_IF_ERROR(CheckDeadline(caller));
  ASSIGN_OR_RETURN(const GroupPtr group,
                   state_->GetQueue(caller, request.tenant(), request.group()));
  ASSIGN_OR_RETURN(const int64_t redrives, CheckRedrive(request));
  if (!request.dry_run()) {
    RETURN_IF_ERROR(state_->CheckRoom());
    RETURN_IF_ERROR(group->queue()->WaitQuiet(false));
  }
  // Nothing is redriven before everything that is named was found.
  RETURN_IF_ERROR(
      CheckNamed(state_->deps.engine, *group, request.selection(), Letters::kDeadAndHeld));
  int64_t could = 0, too_often = 0;
  RETURN_IF_ERROR(state_->CountRedrives(caller, *group, request, redrives, &could, &too_often));
  v1::RedriveDeadLettersResponse response;
  response.set_dry_run(request.dry_run());
  response.set_too_often(too_often);
  if (request.dry_run()) {
    response.set_redriven(request.max() == 0 ? could : std::min(could, request.max()));
    response.set_left(could - response.redriven());
    return response;
  }
  RETURN_IF_ERROR(state_->RedriveSelected(caller, *group, request, redrives, could, &response));
  LogInfo("dead letters were redriven", {{"group", group->name()},
                                         {"redriven", absl::StrCat(response.redriven())},
                                         {"by", caller.principal}});
  return response;
}

absl::StatusOr<v1::DiscardDeadLettersResponse> GroupRegistry::DiscardDeadLetters(
    const Caller& caller, const v1::DiscardDeadLettersRequest& request) {
  MutexLock lock(state_->write_mu);
  RETURN_IF_ERROR(CheckDeadline(caller));
  ASSIGN_OR_RETURN(const GroupPtr group,
                   state_->GetQueue(caller, request.tenant(), request.group()));
  const v1::DeadLetterSelection& selection = request.selection();
  RETURN_IF_ERROR(CheckSelection(selection));
  const LogEngine& engine = state_->deps.engine;
  const int64_t now_us = absl::ToUnixMicros(engine.Now());
  // What has died by now is on the disk, so that a dry run counts it too.
  const absl::Status room = state_->CheckRoom();
  if (!request.dry_run()) RETURN_IF_ERROR(room);
  if (room.ok()) RETURN_IF_ERROR(group->queue()->WaitQuiet(false));
  // Nothing is discarded before everything that is named was found.
  RETURN_IF_ERROR(CheckNamed(engine, *group, selection, Letters::kDead));
  v1::DiscardDeadLettersResponse response;
  int64_t discarded = 0;
  if (request.dry_run()) {
    const v1::DeadLetterSelection counted = SelectionAt(selection, now_us);
    const auto count = [&](const StoredLetter&) { ++discarded; };
    RETURN_IF_ERROR(
        VisitDeadLetters(engine, *group, &counted, Letters::kDead, count, caller.stopping));
    *response.mutable_before() = counted.before();
  } else {
    const auto all = [](const StoredLetter&) { return true; };
    ASSIGN_OR_RETURN(discarded,
                     state_->DiscardLetters(*group, &selection, {caller.principal, ""}, all,
                                            /*patient=*/true, caller.stopping));
    LogInfo("dead letters were discarded", {{"group", group->name()},
                                            {"discarded", absl::StrCat(discarded)},
                                            {"by", caller.principal}});
  }
  response.set_dry_run(request.dry_run());
  response.set_discarded(discarded);
  return response;
}

}  // namespace acta
