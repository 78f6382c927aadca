#include "tests/crash/operator_load.h"

#include <iterator>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "storage/base/status_macros.h"
#include "tests/crash/redrive_images.h"
#include "tests/crash/step_results.h"

namespace acta {
namespace {

v1::DeadLetterRef RefOf(const JobPlace& place) {
  v1::DeadLetterRef ref;
  ref.set_topic(kQueueTopic);
  ref.set_partition(place.partition);
  ref.set_offset(place.offset);
  return ref;
}

JobPlace PlaceOf(const v1::DeadLetterRef& ref) { return {ref.partition(), ref.offset()}; }

}  // namespace

void OperatorLoad::Note(size_t group, const JobPlace& place, Op op, size_t submitted,
                        int64_t step) {
  QueueDecision decision;
  decision.group = group;
  decision.partition = place.partition;
  decision.offset = place.offset;
  decision.op = op;
  decision.step = step;
  decision.submitted = submitted;
  decision.acked = disk_.operations();
  history_.decisions.push_back(decision);
}

std::set<JobPlace>& OperatorLoad::HeldOf(size_t group) {
  for (; taken_in_ < history_.decisions.size(); ++taken_in_) {
    TakeIn(history_.decisions[taken_in_]);
  }
  return held_[group];
}

void OperatorLoad::TakeIn(const QueueDecision& decision) {
  const QueueHistoryGroup& group = kQueueGroups[decision.group];
  const bool failed = decision.op == Op::kNack || decision.op == Op::kLost;
  std::set<JobPlace>& held = held_[decision.group];
  if (decision.op == Op::kReset) {
    std::erase_if(held, [&](const JobPlace& one) { return one.partition == decision.partition; });
  } else if (failed && decision.keyed && group.on_exhausted == OnExhausted::kHoldKey &&
             decision.attempt >= group.max_attempts) {
    held.insert({decision.partition, decision.offset});
  } else if (decision.op == Op::kRedrive || decision.op == Op::kSkip) {
    held.erase({decision.partition, decision.offset});
  }
}

// Some dead letters are offered again or forgotten, or one is replaced.
absl::Status OperatorLoad::ChangeLetters(size_t group) {
  v1::ListDeadLettersRequest list;
  list.set_group(kQueueGroups[group].name);
  ASSIGN_OR_RETURN(const v1::ListDeadLettersResponse letters,
                   store_.groups().ListDeadLetters(store_.caller(), list));
  const bool replace = OneIn(6);
  const bool discard = OneIn(4);
  v1::DeadLetterSelection some;
  for (const v1::DeadLetter& letter : letters.dead_letters()) {
    // What is held is redriven, or skipped, by itself.
    if (letter.held() || some.letters_size() == (replace ? 1 : 3) || !OneIn(3)) continue;
    *some.add_letters() = letter.ref();
  }
  if (some.letters().empty()) return absl::OkStatus();
  if (replace) return Replace(group, some.letters(0));
  const size_t submitted = disk_.operations();
  RETURN_IF_ERROR(discard ? Discard(group, some) : Redrive(group, some, OneIn(2)));
  for (const v1::DeadLetterRef& ref : some.letters()) {
    Note(group, PlaceOf(ref), discard ? Op::kDiscard : Op::kRedrive, submitted);
  }
  return absl::OkStatus();
}

// With its result in place of the corrected event.
absl::Status OperatorLoad::Replace(size_t group, const v1::DeadLetterRef& letter) {
  const size_t submitted = disk_.operations();
  const std::vector<size_t> decision = {history_.decisions.size()};
  Note(group, PlaceOf(letter), Op::kDiscard, submitted, steps_++);
  v1::EditDeadLetterRequest request;
  request.set_group(kQueueGroups[group].name);
  *request.mutable_ref() = letter;
  QueueStep step;
  PutStepResults(history_, decision, store_, &step);
  step.done = [](const TransactionResult&) {};
  RETURN_IF_ERROR(store_.groups().ReplaceDeadLetter(store_.caller(), request, std::move(step)));
  history_.decisions[decision[0]].acked = disk_.operations();
  return absl::OkStatus();
}

absl::Status OperatorLoad::Redrive(size_t group, const v1::DeadLetterSelection& some,
                                   bool at_rate) {
  if (at_rate) return RedriveAtRate(store_, kQueueGroups[group].name, some);
  v1::RedriveDeadLettersRequest request;
  request.set_group(kQueueGroups[group].name);
  *request.mutable_selection() = some;
  request.set_accept_order(true);
  request.set_max_redrives(1000);
  ASSIGN_OR_RETURN(const auto done, store_.groups().RedriveDeadLetters(store_.caller(), request));
  store_.Run();
  return done.redriven() == some.letters_size() ? absl::OkStatus()
                                                : absl::InternalError("nothing was redriven");
}

absl::Status OperatorLoad::Discard(size_t group, const v1::DeadLetterSelection& some) {
  v1::DiscardDeadLettersRequest request;
  request.set_group(kQueueGroups[group].name);
  *request.mutable_selection() = some;
  return store_.groups().DiscardDeadLetters(store_.caller(), request).status();
}

// Most of what is held: some are skipped one after the other, the rest is redriven, at once or at a
// rate.
absl::Status OperatorLoad::DecideHeld(size_t group) {
  v1::DeadLetterSelection some;
  const std::set<JobPlace> held = HeldOf(group);
  for (const JobPlace& place : held) {
    if (OneIn(3)) continue;
    if (OneIn(2)) {
      const size_t submitted = disk_.operations();
      RETURN_IF_ERROR(Skip(group, place));
      Note(group, place, Op::kSkip, submitted);
      ++skipped_;
      continue;
    }
    *some.add_letters() = RefOf(place);
  }
  if (some.letters().empty()) return absl::OkStatus();
  const size_t submitted = disk_.operations();
  const bool at_rate = OneIn(2);
  RETURN_IF_ERROR(Redrive(group, some, at_rate));
  for (const v1::DeadLetterRef& ref : some.letters()) {
    Note(group, PlaceOf(ref), Op::kRedrive, submitted);
  }
  (at_rate ? redriven_at_rate_ : redriven_) += some.letters_size();
  return absl::OkStatus();
}

absl::Status OperatorLoad::Skip(size_t group, const JobPlace& place) {
  v1::SkipOffsetsRequest request;
  request.set_group(kQueueGroups[group].name);
  request.set_topic(kQueueTopic);
  request.set_partition(place.partition);
  request.set_offset(place.offset);
  request.set_reason("a load of the tests");
  ASSIGN_OR_RETURN(const auto skipped, store_.groups().Skip(store_.caller(), request));
  store_.Run();
  return skipped.skipped() == 1 ? absl::OkStatus()
                                : absl::InternalError("what was held cannot be skipped");
}

// Rarely to the end: little would be left of what follows.
absl::Status OperatorLoad::ChooseTarget(v1::ResetOffsetsRequest* request) {
  const uint64_t chance = Random(8);
  if (chance == 0) {
    request->mutable_to()->set_latest(true);
    return absl::OkStatus();
  }
  if (chance < 3) {
    request->mutable_to()->set_earliest(true);
    return absl::OkStatus();
  }
  for (int32_t number = 0; number < kQueuePartitions; ++number) {
    ASSIGN_OR_RETURN(const PartitionExtent extent,
                     store_.engine().Extent(store_.Partition(number)));
    const auto length = static_cast<uint64_t>(Lag(extent.first, extent.visible_end));
    v1::GroupOffset& offset = *request->mutable_to_offsets()->add_offsets();
    offset.set_topic(kQueueTopic);
    offset.set_partition(number);
    offset.set_offset(extent.first.value() + static_cast<int64_t>(Random(length + 1)));
  }
  return absl::OkStatus();
}

absl::Status OperatorLoad::Reset(size_t group) {
  v1::ResetOffsetsRequest request;
  request.set_group(kQueueGroups[group].name);
  request.set_reason("a load of the tests");
  request.set_force(true);
  RETURN_IF_ERROR(ChooseTarget(&request));
  const size_t submitted = disk_.operations();
  ASSIGN_OR_RETURN(const auto reset, store_.groups().ResetOffsets(store_.caller(), request));
  ++resets_[group];
  for (const v1::OffsetChange& change : reset.changes()) {
    Note(group, {change.partition(), change.new_offset()}, Op::kReset, submitted);
    history_.decisions.back().attempt = resets_[group];
  }
  store_.Run();
  return reset.changes_size() == kQueuePartitions
             ? absl::OkStatus()
             : absl::InternalError("a reset left a partition where it was");
}

absl::Status OperatorLoad::CheckHadAll() const {
  int resets = 0;
  for (const int32_t of_group : resets_) resets += of_group;
  if (redriven_ == 0 || redriven_at_rate_ == 0 || skipped_ == 0) {
    return absl::InternalError("nothing was held and decided");
  }
  return resets > 0 ? absl::OkStatus() : absl::InternalError("no group was reset");
}

}  // namespace acta
