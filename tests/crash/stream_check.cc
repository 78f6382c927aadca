#include "tests/crash/stream_check.h"

#include <algorithm>
#include <future>
#include <memory>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "proto/support/error.h"
#include "server/core/claims/claim_record.h"
#include "storage/base/status_macros.h"
#include "storage/layout/rows.h"
#include "tests/support/test_store.h"

namespace acta {
namespace {

constexpr size_t kMostStreamSteps = 6;  // That are repeated.
// In which a claim of the load can be completed for certain.
constexpr absl::Duration kYoungClaim = absl::Hours(11);
constexpr uint64_t kNobodysHandle = 1'000'000;

// -1: it is none.
int64_t NumberIn(absl::string_view text, absl::string_view word) {
  int64_t number = -1;
  return absl::ConsumePrefix(&text, word) && absl::SimpleAtoi(text, &number) ? number : -1;
}

struct CommitAnswer {
  absl::Status status;
  bool changed = false;
};

CommitAnswer CommitNow(QueueStore& store, StreamHand& hand, uint64_t handle, int64_t offset) {
  const auto answered = std::make_shared<std::promise<CommitAnswer>>();
  std::future<CommitAnswer> answer = answered->get_future();
  hand.membership().Commit(handle, Offset(offset), [answered](absl::Status status, bool changed) {
    answered->set_value({std::move(status), changed});
  });
  CommitAnswer got = answer.get();
  store.Run();
  return got;
}

absl::Status Unexpected(absl::string_view what, const absl::Status& status) {
  return absl::InternalError(absl::StrCat(what, ": ", status.ToString()));
}

}  // namespace

absl::StatusOr<StreamCheck::Found> StreamCheck::Find() {
  Found found;
  ASSIGN_OR_RETURN(const GroupId group, store_.groups().GetId(store_.caller(), "", kStreamGroup));
  for (int32_t number = 0; number < kQueuePartitions; ++number) {
    ASSIGN_OR_RETURN(
        const RowList rows,
        store_.engine().LoadRows(Family::kState, PositionRow(group, store_.Partition(number))));
    storage::v1::PositionRecord& record = found.positions[number];
    if (rows.size() == 1 && !record.ParseFromString(rows.front().second)) {
      return absl::DataLossError("a position");
    }
  }
  ASSIGN_OR_RETURN(const std::vector<std::string> outcomes,
                   ReadData(store_.engine(), store_.OutcomePartition()));
  for (const std::string& outcome : outcomes) ++found.outcomes[NumberIn(outcome, "outcome ")];
  RETURN_IF_ERROR(FindClaims(group, &found));
  return found;
}

absl::Status StreamCheck::FindClaims(GroupId group, Found* found) {
  ASSIGN_OR_RETURN(const RowList rows,
                   store_.engine().LoadRows(Family::kState, QueueRows(kClaimRows, group)));
  for (const auto& [row, value] : rows) {
    ASSIGN_OR_RETURN(const std::string key, ParseClaimRow(group, row));
    ASSIGN_OR_RETURN(const storage::v1::ClaimRecord record, ParseClaimRecord(value));
    const int64_t step = NumberIn(key, "claim ");
    found->claims[step] = IsCompleted(record) && record.result() == OutcomeOf(step);
  }
  return absl::OkStatus();
}

std::string StreamCheck::Look(TellProblem problem) {
  const bool group = store_.groups().GetId(store_.caller(), "", kStreamGroup).ok();
  if (!group || store_.topics().Find("default", kOutcomeTopic) == nullptr) {
    if (cut_.operations >= history_.ready) problem("lost-group", kStreamGroup);
    return "";
  }
  auto found = Find();
  if (!found.ok()) {
    problem("refused", found.status().message());
    return "";
  }
  found_ = *std::move(found);
  there_ = true;
  std::string text;
  for (const auto& [partition, position] : found_.positions) {
    CheckPosition(partition, problem);
    absl::StrAppend(&text, position.offset(), " of ", position.generation(), ",");
  }
  const auto steps = static_cast<int64_t>(history_.stream.steps.size());
  for (int64_t step = 0; step < steps; ++step) CheckStep(step, problem);
  for (const auto& [step, events] : found_.outcomes) {
    absl::StrAppend(&text, step, ";");
    if (step < 0 || step >= steps) problem("wrong-outcome", absl::StrCat("of step ", step));
  }
  return text;
}

void StreamCheck::CheckPosition(int32_t partition, TellProblem problem) const {
  const storage::v1::PositionRecord& position = found_.positions.at(partition);
  int64_t answered = 0, generation = 0, newest = 0;
  bool asked = position.offset() == 0;
  for (const StreamCommit& commit : history_.stream.commits) {
    const bool refused =
        commit.step >= 0 && history_.stream.steps[static_cast<size_t>(commit.step)].refused;
    if (commit.partition != partition || commit.submitted > cut_.operations || refused) continue;
    asked |= commit.offset == position.offset();
    // What is not newer is answered, and writes nothing.
    const bool writes = commit.offset > newest;
    newest = std::max(newest, commit.offset);
    if (commit.acked > cut_.operations) continue;
    answered = std::max(answered, commit.offset);
    if (writes) generation = std::max(generation, commit.generation);
  }
  const std::string what =
      absl::StrCat("partition ", partition, " is at ", position.offset(), " of generation ",
                   position.generation(), "; answered were ", answered, " and ", generation);
  if (position.offset() < answered) problem("lost-commit", what);
  if (!asked) problem("wrong-commit", what);
  if (position.generation() < generation) problem("stale-generation", what);
}

std::vector<StreamCommit> StreamCheck::CommitsOf(int64_t step) const {
  std::vector<StreamCommit> commits;
  std::copy_if(history_.stream.commits.begin(), history_.stream.commits.end(),
               std::back_inserter(commits),
               [step](const StreamCommit& commit) { return commit.step == step; });
  return commits;
}

void StreamCheck::CheckStep(int64_t step, TellProblem problem) const {
  const StreamStep& said = history_.stream.steps[static_cast<size_t>(step)];
  const auto outcome = found_.outcomes.find(step);
  const int events = outcome == found_.outcomes.end() ? 0 : outcome->second;
  const auto claim = found_.claims.find(step);
  const bool claimed = claim != found_.claims.end();
  const bool completed = claimed && claim->second, happened = events > 0;
  const std::vector<StreamCommit> commits = CommitsOf(step);
  const auto committed = static_cast<size_t>(std::count_if(
      commits.begin(), commits.end(),
      [this](const StreamCommit& commit) { return At(commit.partition) >= commit.offset; }));
  const std::string what =
      absl::StrCat("step ", step, " has ", events, " events, ", committed, " of ", commits.size(),
                   " positions, and ", completed ? "its" : "no", " completion");
  if (said.claimed <= cut_.operations && !claimed) problem("lost-claim", what);
  if (events > 1) problem("doubled-outcome", what);
  if (said.refused || commits.empty()) {
    if (happened || completed) problem("wrong-outcome", what);
    return;
  }
  if (happened && commits[0].submitted > cut_.operations) problem("wrong-outcome", what);
  if (completed != happened || committed != (happened ? commits.size() : 0)) {
    problem("torn-stream-step", what);
  } else if (!happened && commits[0].acked <= cut_.operations) {
    problem("lost-stream-step", what);
  }
}

void StreamCheck::GoOn(TellProblem problem) {
  if (!there_) return;
  const auto hand = StreamHand::Join(store_, "");
  if (!hand.ok()) return problem("goes-on", hand.status().message());
  absl::Status status = ComeBack(**hand);
  if (status.ok()) status = TryStale(**hand);
  if (status.ok()) status = RepeatLast(**hand);
  if (status.ok()) status = CommitAll(**hand);
  if (!status.ok()) problem("goes-on", status.message());
  (*hand)->Leave(true);
}

absl::Status StreamCheck::ComeBack(StreamHand& hand) const {
  for (const auto& [partition, position] : found_.positions) {
    const auto held = hand.held().find(partition);
    if (held == hand.held().end()) return absl::InternalError("a partition is nobody's");
    if (held->second.next != position.offset() ||
        held->second.generation <= position.generation()) {
      return absl::InternalError(absl::StrCat(
          "partition ", partition, " was assigned at ", held->second.next, " of generation ",
          held->second.generation, " behind ", position.offset(), " of ", position.generation()));
    }
  }
  return absl::OkStatus();
}

// What was delivered to somebody else, and steps back.
absl::Status StreamCheck::TryStale(StreamHand& hand) const {
  ASSIGN_OR_RETURN(const PartitionExtent extent, store_.engine().Extent(store_.Partition(0)));
  const CommitAnswer stale = CommitNow(store_, hand, kNobodysHandle, extent.visible_end.value());
  if (ReasonOf(stale.status) != v1::FENCED) return Unexpected("a stale commit", stale.status);
  ASSIGN_OR_RETURN(const auto group,
                   store_.groups().FindForStep(store_.caller(), "", kStreamGroup));
  for (const uint64_t handle : {uint64_t{0}, kNobodysHandle}) {
    QueueStep step;
    step.runs.emplace_back();
    step.runs[0].session = handle;
    step.runs[0].partition = store_.Partition(0);
    step.runs[0].first = Offset(At(0));
    step.done = [](const TransactionResult&) {};
    const absl::Status refused = group->SettleStep(std::move(step));
    if (ReasonOf(refused) != v1::FENCED) return Unexpected("a stale step", refused);
  }
  if (At(0) == 0) return absl::OkStatus();
  const CommitAnswer back = CommitNow(store_, hand, hand.held().at(0).handle, At(0) - 1);
  return back.status.ok() && !back.changed ? absl::OkStatus()
                                           : Unexpected("a step back", back.status);
}

absl::Status StreamCheck::RepeatLast(StreamHand& hand) {
  std::vector<int64_t> last;
  const int64_t now_us = absl::ToUnixMicros(store_.engine().Now());
  for (size_t i = history_.stream.steps.size(); i-- > 0 && last.size() < kMostStreamSteps;) {
    const StreamStep& said = history_.stream.steps[i];
    const std::vector<StreamCommit> commits = CommitsOf(static_cast<int64_t>(i));
    const bool young = absl::Microseconds(now_us - said.claimed_us) < kYoungClaim;
    if (said.refused || commits.empty() || commits[0].submitted > cut_.operations || !young) {
      continue;
    }
    last.push_back(static_cast<int64_t>(i));
  }
  std::reverse(last.begin(), last.end());
  for (const int64_t step : last) RETURN_IF_ERROR(RepeatStep(step, hand));
  return absl::OkStatus();
}

// It counts unless something of it is committed.
absl::Status StreamCheck::RepeatStep(int64_t step, StreamHand& hand) {
  std::vector<HeldRun> runs;
  bool may = true;
  const std::vector<StreamCommit> commits = CommitsOf(step);
  for (const StreamCommit& commit : commits) {
    StreamHand::Held held = hand.held().at(commit.partition);
    held.next = commit.first;
    runs.push_back(held.Run(store_.Partition(commit.partition), commit.offset));
    may &= commit.first >= At(commit.partition);
  }
  const auto answered = std::make_shared<std::promise<absl::Status>>();
  std::future<absl::Status> answer = answered->get_future();
  const std::string& token = history_.stream.steps[static_cast<size_t>(step)].token;
  const absl::Status begun =
      SettleStreamStep(store_, step, token, std::move(runs), /*fails=*/false,
                       [answered](const absl::Status& status) { answered->set_value(status); });
  const bool right = may ? begun.ok() : ReasonOf(begun) == v1::ALREADY_SETTLED;
  if (!right) return Unexpected(absl::StrCat("step ", step, " again"), begun);
  if (!may) return absl::OkStatus();
  const absl::Status written = answer.get();
  store_.Run();
  for (const StreamCommit& commit : commits) {
    found_.positions[commit.partition].set_offset(commit.offset);
  }
  ++found_.outcomes[step];
  found_.claims[step] = true;
  return written;
}

absl::Status StreamCheck::CommitAll(StreamHand& hand) {
  for (auto& [partition, position] : found_.positions) {
    ASSIGN_OR_RETURN(const PartitionExtent extent,
                     store_.engine().Extent(store_.Partition(partition)));
    const uint64_t handle = hand.held().at(partition).handle;
    const CommitAnswer all = CommitNow(store_, hand, handle, extent.visible_end.value());
    if (!all.status.ok()) return Unexpected("the last commit", all.status);
    position.set_offset(extent.visible_end.value());
  }
  return absl::OkStatus();
}

void StreamCheck::LookAgain(TellProblem problem) {
  if (!there_) return;
  const auto found = Find();
  if (!found.ok()) return problem("goes-on", found.status().message());
  for (const auto& [partition, position] : found->positions) {
    if (position.offset() == At(partition)) continue;
    problem("goes-on", absl::StrCat("partition ", partition, " is at ", position.offset(),
                                    ", not at ", At(partition)));
  }
  if (found->outcomes != found_.outcomes) problem("goes-on", "other outcomes than those of steps");
  if (found->claims != found_.claims) problem("goes-on", "other claims than those of steps");
}

}  // namespace acta
