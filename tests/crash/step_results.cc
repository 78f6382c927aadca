#include "tests/crash/step_results.h"

#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "acta/v1/event.pb.h"
#include "storage/base/status_macros.h"
#include "tests/support/test_store.h"

namespace acta {
namespace {

constexpr char kStepRows[] = "crash-step/";

void PutTexts(const std::map<int32_t, std::vector<std::string>>& texts, QueueStore& store,
              QueueStep* step) {
  for (const auto& [partition, some] : texts) {
    std::vector<std::string> elements;
    for (const std::string& text : some) {
      v1::PartitionBatch batch;
      batch.add_events()->set_data(text);
      elements.push_back(batch.SerializeAsString());
    }
    step->appends.push_back(MakeAppend(store.ResultPartition(partition), elements));
  }
}

// The results of an image against the history.
class ResultCheck {
 public:
  ResultCheck(const QueueHistory& history, const ImageCut& cut, TellProblem problem)
      : history_(history), cut_(cut), problem_(problem) {
    std::map<std::tuple<size_t, int32_t, int64_t>, int32_t> redrives;
    std::map<size_t, int32_t> resets;
    for (const QueueDecision& decision : history.decisions) {
      int32_t& before = redrives[{decision.group, decision.partition, decision.offset}];
      rounds_.emplace_back(resets[decision.group], before);
      before += decision.op == QueueDecision::Op::kRedrive ? 1 : 0;
      if (decision.op == QueueDecision::Op::kReset) resets[decision.group] = decision.attempt;
    }
  }

  void Add(const std::string& text) {
    const std::vector<absl::string_view> words = absl::StrSplit(text, absl::MaxSplits(' ', 2));
    size_t index = 0;
    if (words.size() < 2 || !absl::SimpleAtoi(words[1], &index) ||
        index >= history_.decisions.size() || history_.decisions[index].step < 0 ||
        text != StepResultOf(history_, index)) {
      return problem_("wrong-result", absl::StrCat("nobody wrote '", text, "'"));
    }
    const QueueDecision& decision = history_.decisions[index];
    if (decision.submitted > cut_.operations) {
      return problem_("wrong-result", absl::StrCat("'", text, "' is from after the fault"));
    }
    const bool first = attempts_
                           .emplace(decision.group, decision.partition, decision.offset,
                                    rounds_[index], decision.attempt)
                           .second;
    if (!found_.insert(index).second || !first) problem_("doubled-result", text);
  }

  // Each step has all or nothing, and all when it was answered.
  absl::flat_hash_set<size_t> End(const std::set<std::string>& rows) {
    std::map<int64_t, std::vector<size_t>> steps;
    for (size_t i = 0; i < history_.decisions.size(); ++i) {
      const QueueDecision& decision = history_.decisions[i];
      if (decision.step < 0) continue;
      steps[decision.step].push_back(i);
      if (decision.acked <= cut_.operations && !found_.contains(i)) {
        problem_("lost-result", absl::StrCat("'", StepResultOf(history_, i), "' was answered"));
      }
    }
    for (const auto& [number, decisions] : steps) {
      size_t found = 0;
      for (const size_t decision : decisions) found += found_.contains(decision);
      const bool row = rows.contains(absl::StrCat(kStepRows, number));
      if (found != (row ? decisions.size() : 0)) {
        problem_("torn-step",
                 absl::StrCat("step ", number, " has ", found, " of ", decisions.size(),
                              " results and ", row ? "a" : "no", " row"));
      }
    }
    return std::move(found_);
  }

 private:
  const QueueHistory& history_;
  const ImageCut& cut_;
  const TellProblem problem_;
  using Round = std::pair<int32_t, int32_t>;
  std::vector<Round> rounds_;  // Resets of the group, and redrives of its event, before each.
  absl::flat_hash_set<size_t> found_;
  std::set<std::tuple<size_t, int32_t, int64_t, Round, int32_t>> attempts_;
};

}  // namespace

std::string StepResultOf(const QueueHistory& history, size_t index) {
  constexpr const char* kWords[] = {"acked",    "nacked",    "rejected", "released", "lost",
                                    "redriven", "discarded", "skipped",  "reset"};
  const QueueDecision& decision = history.decisions[index];
  return absl::StrCat("result ", index, " step ", decision.step, " ",
                      kQueueGroups[decision.group].name, " ", decision.partition, "/",
                      decision.offset, " attempt ", decision.attempt, " ",
                      kWords[static_cast<size_t>(decision.op)]);
}

void PutStepResults(const QueueHistory& history, absl::Span<const size_t> decisions,
                    QueueStore& store, QueueStep* step) {
  std::map<int32_t, std::vector<std::string>> texts;
  for (const size_t decision : decisions) {
    const auto partition = static_cast<int32_t>(decision % kResultPartitions);
    texts[partition].push_back(StepResultOf(history, decision));
  }
  PutTexts(texts, store, step);
  const int64_t number = history.decisions[decisions.front()].step;
  step->rows.push_back({Family::kState, absl::StrCat(kStepRows, number), "done"});
}

void PutStepResult(const std::string& text, QueueStore& store, QueueStep* step) {
  PutTexts({{0, {text}}}, store, step);
}

absl::StatusOr<std::vector<std::string>> ReadStepResults(QueueStore& store) {
  std::vector<std::string> all;
  for (int32_t number = 0; number < kResultPartitions; ++number) {
    ASSIGN_OR_RETURN(const std::vector<std::string> some,
                     ReadData(store.engine(), store.ResultPartition(number), Offset(0)));
    all.insert(all.end(), some.begin(), some.end());
  }
  return all;
}

absl::flat_hash_set<size_t> CheckStepResults(const QueueHistory& history, const ImageCut& cut,
                                             QueueStore& store, TellProblem problem) {
  ResultCheck check(history, cut, problem);
  if (store.topics().Find("default", kResultTopic) != nullptr) {
    const auto results = ReadStepResults(store);
    if (!results.ok()) problem("lost-result", results.status().message());
    for (const std::string& text : results.value_or(std::vector<std::string>())) check.Add(text);
  }
  const auto rows = store.engine().LoadRows(Family::kState, kStepRows);
  if (!rows.ok()) problem("refused", rows.status().message());
  std::set<std::string> keys;
  for (const auto& [key, value] : rows.value_or(RowList())) keys.insert(key);
  return check.End(keys);
}

}  // namespace acta
