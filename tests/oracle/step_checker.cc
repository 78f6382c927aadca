#include "tests/oracle/step_checker.h"

#include <map>
#include <tuple>

#include "absl/strings/str_cat.h"

namespace acta::oracle {
namespace {

using Kind = QueueRecord::Kind;
// Group, partition, offset, redrives, attempt.
using StepPlace = std::tuple<int32_t, int32_t, int64_t, int32_t, int32_t>;

// What was asked and found of one attempt of one event.
struct StepFacts {
  std::vector<QueueRecord*> ok, unknown;
  std::vector<const QueueRecord*> results;
};

StepPlace PlaceOf(const QueueRecord& record) {
  return {record.group, record.partition, record.offset, record.redrives, record.attempt};
}

void CheckAttempt(const StepFacts& facts, QueueReport* report) {
  for (size_t i = 1; i < facts.results.size(); ++i) {
    report->Add(QueueAnomaly::kTornStep, *facts.results[i],
                absl::StrCat("attempt ", facts.results[i]->attempt, " has a result twice"));
  }
  const QueueRecord* const result = facts.results.empty() ? nullptr : facts.results.front();
  for (const QueueRecord* ok : facts.ok) {
    if (result != nullptr && result->op == ok->op) continue;
    report->Add(QueueAnomaly::kTornStep, *ok,
                absl::StrCat("the step of worker ", ok->worker, " was answered, and its result is ",
                             result == nullptr ? "not there" : "another"));
  }
  if (result != nullptr && facts.ok.empty() && facts.unknown.empty()) {
    report->Add(QueueAnomaly::kTornStep, *result, "a result of a step that was refused");
  }
}

// One of several that nobody knows of stays unknown when there is a result.
void Resolve(const StepFacts& facts) {
  for (QueueRecord* unknown : facts.unknown) {
    if (facts.results.empty() || !facts.ok.empty()) {
      unknown->kind = Kind::kFail;
    } else if (facts.unknown.size() == 1) {
      unknown->kind = Kind::kOk;
    }
  }
}

}  // namespace

void CheckSteps(std::vector<QueueRecord>* history, QueueReport* report) {
  std::map<StepPlace, StepFacts> attempts;
  for (QueueRecord& record : *history) {
    if (record.kind == Kind::kResult) attempts[PlaceOf(record)].results.push_back(&record);
    if (!record.step) continue;
    if (record.kind == Kind::kOk) attempts[PlaceOf(record)].ok.push_back(&record);
    if (record.kind == Kind::kInfo) attempts[PlaceOf(record)].unknown.push_back(&record);
    report->steps += record.kind == Kind::kOk;
  }
  for (const auto& [place, facts] : attempts) {
    CheckAttempt(facts, report);
    Resolve(facts);
  }
}

}  // namespace acta::oracle
