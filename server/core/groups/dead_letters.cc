// Dead letters of QUEUE groups: listing, redriving, discarding.
#include <algorithm>
#include <utility>

#include "absl/container/btree_map.h"
#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "server/core/access/pages.h"
#include "server/core/groups/dead_letter_rows.h"
#include "server/core/groups/group_state.h"
#include "server/core/groups/group_text.h"
#include "storage/base/log.h"
#include "storage/base/status_macros.h"

namespace acta {
namespace {

constexpr int32_t kDefaultRedrives = 10;
constexpr int32_t kMostRedrives = 1000;
constexpr size_t kMostKinds = 1000;
constexpr absl::Duration kSweep = absl::Minutes(10);

int64_t RedrivesOf(const StoredLetter& letter) { return letter.record.attempts_before_size(); }

}  // namespace

void GroupRegistry::State::SweepLater(GroupId id) {
  deps.timer.After(kSweep, [state = weak_from_this(), id] {
    const auto self = state.lock();
    const GroupPtr group = self == nullptr ? nullptr : self->FindById(id);
    if (group == nullptr) return;
    {
      MutexLock lock(self->write_mu);
      self->Sweep(*group);
    }
    self->SweepLater(id);
  });
}

void GroupRegistry::State::Sweep(const Group& group) {
  const google::protobuf::Duration kept = group.record().group().queue().dead_letter_retention();
  const int64_t before_us = absl::ToUnixMicros(deps.engine.Now() - absl::Seconds(kept.seconds()) -
                                               absl::Nanoseconds(kept.nanos()));
  v1::DeadLetterSelection over;
  SetTimestamp(before_us, over.mutable_before());
  const auto letters = LoadDeadLetters(deps.engine, group, &over);
  if (!letters.ok()) return LogWarn("dead letters cannot be read", {{"group", group.name()}});
  if (letters->empty()) return;
  for (const StoredLetter& letter : *letters) {
    group.queue()->Discard(letter.partition, letter.offset, letter.record);
  }
  group.queue()->WaitQuiet();
  LogInfo("dead letters were discarded, because their retention is over",
          {{"group", group.name()}, {"discarded", letters->size()}});
}

absl::StatusOr<v1::ListDeadLettersResponse> GroupRegistry::ListDeadLetters(
    const Caller& caller, const v1::ListDeadLettersRequest& request) const {
  ASSIGN_OR_RETURN(const GroupPtr group,
                   state_->GetQueue(caller, request.tenant(), request.group()));
  ASSIGN_OR_RETURN(const size_t page, PageSize(request.page_size()));
  ASSIGN_OR_RETURN(const std::string after, ParsePageToken("group", request.page_token()));
  const LogEngine& engine = state_->deps.engine;
  ASSIGN_OR_RETURN(
      const std::vector<StoredLetter> letters,
      LoadDeadLetters(engine, *group, request.has_selection() ? &request.selection() : nullptr));
  v1::ListDeadLettersResponse response;
  std::string last;
  for (const StoredLetter& letter : letters) {
    const std::string place = PlaceText(letter);
    if (place <= after) continue;
    if (static_cast<size_t>(response.dead_letters_size()) == page) {
      response.set_next_page_token(MakePageToken(last));
      break;
    }
    last = place;
    ASSIGN_OR_RETURN(*response.add_dead_letters(), DescribeLetter(engine, *group, letter, false));
  }
  return response;
}

absl::StatusOr<v1::GetDeadLetterResponse> GroupRegistry::GetDeadLetter(
    const Caller& caller, const v1::GetDeadLetterRequest& request) const {
  ASSIGN_OR_RETURN(const GroupPtr group,
                   state_->GetQueue(caller, request.tenant(), request.group()));
  RETURN_IF_ERROR(state_->AllowTopic(caller, Verb::kBrowse, request.ref().topic()));
  const LogEngine& engine = state_->deps.engine;
  v1::DeadLetterSelection one;
  *one.add_letters() = request.ref();
  ASSIGN_OR_RETURN(const std::vector<StoredLetter> letters, LoadDeadLetters(engine, *group, &one));
  if (letters.empty()) return DeadLetterNotFound(request.ref());
  v1::GetDeadLetterResponse response;
  ASSIGN_OR_RETURN(*response.mutable_dead_letter(),
                   DescribeLetter(engine, *group, letters.front(), true));
  return response;
}

absl::StatusOr<v1::SummarizeDeadLettersResponse> GroupRegistry::SummarizeDeadLetters(
    const Caller& caller, const v1::SummarizeDeadLettersRequest& request) const {
  ASSIGN_OR_RETURN(const GroupPtr group,
                   state_->GetQueue(caller, request.tenant(), request.group()));
  const LogEngine& engine = state_->deps.engine;
  ASSIGN_OR_RETURN(const std::vector<StoredLetter> letters,
                   LoadDeadLetters(engine, *group, nullptr));
  struct Kind {
    int64_t count = 0, first_us = 0, last_us = 0;
    const StoredLetter* newest = nullptr;
  };
  absl::btree_map<uint64_t, Kind> kinds;
  for (const StoredLetter& letter : letters) {
    Kind& kind = kinds[letter.record.fingerprint()];
    const int64_t time_us = letter.record.time_us();
    kind.first_us = kind.count == 0 ? time_us : std::min(kind.first_us, time_us);
    if (kind.count++ == 0 || time_us >= kind.last_us) {
      kind.last_us = time_us;
      kind.newest = &letter;
    }
  }
  std::vector<std::pair<uint64_t, Kind>> sorted(kinds.begin(), kinds.end());
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto& a, const auto& b) { return a.second.count > b.second.count; });
  v1::SummarizeDeadLettersResponse response;
  response.set_total(static_cast<int64_t>(letters.size()));
  for (size_t i = 0; i < std::min(sorted.size(), kMostKinds); ++i) {
    v1::DeadLetterKind* out = response.add_kinds();
    const Kind& kind = sorted[i].second;
    out->set_fingerprint(FingerprintOf(sorted[i].first));
    out->set_count(kind.count);
    SetTimestamp(kind.first_us, out->mutable_first_time());
    SetTimestamp(kind.last_us, out->mutable_last_time());
    ASSIGN_OR_RETURN(*out->mutable_example(), DescribeLetter(engine, *group, *kind.newest, false));
  }
  return response;
}

absl::StatusOr<v1::RedriveDeadLettersResponse> GroupRegistry::RedriveDeadLetters(
    const Caller& caller, const v1::RedriveDeadLettersRequest& request) {
  MutexLock lock(state_->write_mu);
  RETURN_IF_ERROR(CheckDeadline(caller));
  ASSIGN_OR_RETURN(const GroupPtr group,
                   state_->GetQueue(caller, request.tenant(), request.group()));
  RETURN_IF_ERROR(CheckSelection(request.selection()));
  if (request.max() < 0 || request.max_redrives() < 0 || request.max_redrives() > kMostRedrives) {
    return Error(v1::INVALID_ARGUMENT,
                 "max is never negative, and max_redrives is between 0 and 1000",
                 {{"field", "max_redrives"}});
  }
  const int64_t redrives = request.max_redrives() == 0 ? kDefaultRedrives : request.max_redrives();
  ASSIGN_OR_RETURN(std::vector<StoredLetter> letters,
                   LoadDeadLetters(state_->deps.engine, *group, &request.selection()));
  v1::RedriveDeadLettersResponse response;
  response.set_dry_run(request.dry_run());
  GroupQueue& queue = *group->queue();
  // Nothing is redriven before everything that is named was found.
  const std::vector<v1::DeadLetterRef> held = MissingFrom(letters, request.selection());
  for (const v1::DeadLetterRef& ref : held) {
    if (!queue.IsHeld(PartitionOf(*group, ref), Offset(ref.offset())))
      return DeadLetterNotFound(ref);
  }
  const int64_t before = static_cast<int64_t>(letters.size());
  std::erase_if(letters, [&](const StoredLetter& one) { return RedrivesOf(one) >= redrives; });
  response.set_too_often(before - static_cast<int64_t>(letters.size()));
  const bool broken = std::any_of(letters.begin(), letters.end(), [](const StoredLetter& letter) {
    return letter.record.order_broken();
  });
  if (broken && !request.accept_order()) {
    return Error(v1::REORDER_NOT_ACCEPTED,
                 "later events of some of these keys went on without them: say that this order is "
                 "accepted",
                 {{"group", group->name()}});
  }
  const auto count = [&](bool done) {
    if (done) {
      response.set_redriven(response.redriven() + 1);
    } else {
      response.set_left(response.left() + 1);
    }
  };
  const auto full = [&] { return request.max() > 0 && response.redriven() >= request.max(); };
  for (const v1::DeadLetterRef& ref : held) {
    count(!full() &&
          (request.dry_run() || queue.RedriveHeld(PartitionOf(*group, ref), Offset(ref.offset()))));
  }
  for (const StoredLetter& letter : letters) {
    count(!full() &&
          (request.dry_run() || queue.Redrive(letter.partition, letter.offset, letter.record)));
  }
  if (request.dry_run()) return response;
  queue.WaitQuiet();
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
  RETURN_IF_ERROR(CheckSelection(request.selection()));
  ASSIGN_OR_RETURN(const std::vector<StoredLetter> letters,
                   LoadDeadLetters(state_->deps.engine, *group, &request.selection()));
  const std::vector<v1::DeadLetterRef> missing = MissingFrom(letters, request.selection());
  if (!missing.empty()) return DeadLetterNotFound(missing.front());
  v1::DiscardDeadLettersResponse response;
  response.set_dry_run(request.dry_run());
  response.set_discarded(static_cast<int64_t>(letters.size()));
  if (request.dry_run()) return response;
  for (const StoredLetter& letter : letters) {
    group->queue()->Discard(letter.partition, letter.offset, letter.record);
  }
  group->queue()->WaitQuiet();
  LogInfo("dead letters were discarded", {{"group", group->name()},
                                          {"discarded", absl::StrCat(response.discarded())},
                                          {"by", caller.principal}});
  return response;
}

}  // namespace acta
