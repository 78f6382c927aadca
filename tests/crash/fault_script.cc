#include "tests/crash/fault_script.h"

#include <algorithm>
#include <array>
#include <climits>
#include <fstream>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "acta/storage/v1/records.pb.h"
#include "proto/support/error.h"
#include "storage/base/status_macros.h"
#include "storage/layout/engine_rows.h"
#include "storage/log/local_log_engine.h"
#include "tests/crash/crash_load.h"
#include "tests/crash/image_witness.h"
#include "tests/support/test_store.h"

namespace acta {
namespace {

constexpr TopicId kTopic{1};
constexpr int32_t kPartitions = 2;

PartitionId PartitionOf(int step) { return PartitionId(kTopic, step % kPartitions); }

// A step is a second. Every other time no slice is old enough for a new one: what changes is what
// retention takes.
bool Maintains(int step) { return step % 7 == 0 || step % 7 == 4; }
int KeptSteps(int steps) { return steps / 4; }

// The first step whose event is kept by the newest maintenance up to the step `last`.
int FirstKept(int last, int steps) {
  while (last > 0 && !Maintains(last)) --last;
  return last - KeptSteps(steps);
}

absl::Status OpenTopic(LocalLogEngine& engine, int steps) {
  storage::v1::TopicRecord record;
  record.set_topic_id(kTopic.value());
  record.mutable_topic()->set_partitions(kPartitions);
  Transaction transaction;
  transaction.rows.push_back(
      {Family::kMeta, std::string(kTopicRows) + "default/test", record.SerializeAsString()});
  RETURN_IF_ERROR(Commit(engine, std::move(transaction)).status);
  TopicSettings settings;
  settings.retention = absl::Seconds(KeptSteps(steps));
  return engine.OpenTopic(kTopic, kPartitions, settings);
}

class Script {
 public:
  explicit Script(const FaultScript& script) : script_(script), acks_(script.acks_path) {}

  ScriptOutcome Run() {
    absl::Status status = Open();
    for (int step = 1; status.ok() && step <= script_.steps; ++step) status = Step(step);
    outcome_.refused = status;
    if (engine_ != nullptr && status.ok()) {
      outcome_.trimmed_events = Trimmed();
      if (script_.stop) {
        engine_->Stop();
        HoldNoticed();
      } else {
        // The last step may have ended with a flush: something is in the log file alone.
        (void)Commit(*engine_, MakeAppend(PartitionOf(0), {EventElement("later")}));
        AwaitWitness();
      }
    } else if (engine_ != nullptr) {
      HoldStopped();
    }
    outcome_.fatal = !sink_.causes().empty();
    engine_.release();  // As the process would leave it.
    return std::move(outcome_);
  }

 private:
  absl::Status Open() {
    LocalEngineOptions options = SmallEngineOptions(script_.folder);
    options.file_system = script_.file_system;
    ASSIGN_OR_RETURN(engine_, LocalLogEngine::Open(options, sink_, clock_));
    RETURN_IF_ERROR(OpenTopic(*engine_, script_.steps));
    had_failed_ = PromiseFailed();
    return absl::OkStatus();
  }

  // A write or sync has failed that nobody may pass over. The database does without its list of
  // options, whose name is synced with the folder; and of the writes to a log file some are zeros
  // ahead of it, while the others are answered.
  bool PromiseFailed() const {
    using Kind = DiskOperation::Kind;
    const auto failed = script_.disk->failed();
    if (!script_.must_end || !failed.has_value() || failed->kind == Kind::kSyncFolder) return false;
    const bool log = absl::EndsWith(failed->path, ".log") && failed->kind != Kind::kSync;
    return !log && !absl::StrContains(failed->path, "/OPTIONS-");
  }

  absl::Status Maintain() {
    const int32_t slices = engine_->Stats().slices;
    RETURN_IF_ERROR(engine_->MaintainNow());
    outcome_.dropped_slices += std::max(0, slices - engine_->Stats().slices);
    return absl::OkStatus();
  }

  int64_t Trimmed() const {
    int64_t events = 0;
    for (int32_t number = 0; number < kPartitions; ++number) {
      const auto extent = engine_->Extent(PartitionId(kTopic, number));
      if (extent.ok()) events += extent->first.value();
    }
    return events;
  }

  absl::Status Step(int step) {
    clock_.Advance(absl::Seconds(1));
    if (Maintains(step)) RETURN_IF_ERROR(Maintain());
    if (step == script_.steps / 2) {
      engine_->Stop();
      HoldNoticed();
      engine_.reset();
      RETURN_IF_ERROR(Open());
    }
    const bool failed = !had_failed_ && PromiseFailed();
    const bool os = step % 3 == 0;
    const std::string data = absl::StrCat(step, ":", std::string(300 + step % 5 * 4000, 'x'));
    const TransactionResult result =
        Commit(*engine_, MakeAppend(PartitionOf(step), {EventElement(data)}),
               os ? Level::kOs : Level::kFsync);
    RETURN_IF_ERROR(result.status);
    RETURN_IF_ERROR(result.appends.front().status);
    acks_ << step << " " << (result.level == Level::kOs) << std::endl;
    went_on_ |= failed;
    if (step % 4 != 0) return absl::OkStatus();
    const uint64_t hash = IndexedHash(static_cast<uint64_t>(step) << 32);
    return engine_->AddToIndex({{hash, PartitionOf(step), result.appends.front().base_offset}});
  }

  // The end of a life in which an event was acknowledged behind a failure: it has to be one that
  // ends the engine, and a thread of the database may be about to tell.
  void HoldNoticed() {
    if (!std::exchange(went_on_, false)) return;
    Mutex mu;
    CondVar never;
    MutexLock lock(mu);
    for (int left = 5000; left > 0 && sink_.causes().empty(); --left) {
      never.WaitFor(mu, absl::Milliseconds(1));
    }
    if (sink_.causes().empty()) {
      outcome_.problem = absl::StrCat("went on behind a failure of ", script_.disk->failed()->path);
    }
  }

  // What is younger than the witness may be lost in silence, by a fault of the medium.
  void AwaitWitness() {
    Mutex mu;
    CondVar never;
    MutexLock lock(mu);
    while (ReadWitness(script_.folder).synced_group < engine_->Stats().synced_group) {
      never.WaitFor(mu, absl::Milliseconds(1));
    }
  }

  // After the first failure nothing is acknowledged any more.
  void HoldStopped() {
    const TransactionResult later =
        Commit(*engine_, MakeAppend(PartitionOf(0), {EventElement("later")}));
    const bool ended = script_.must_end || !sink_.causes().empty();
    if (later.status.ok() && ended) {
      outcome_.problem =
          absl::StrCat("acknowledged after a failure: ", outcome_.refused.ToString());
    }
  }

  const FaultScript script_;
  std::ofstream acks_;
  FakeClock clock_;
  RecordingFatalSink sink_;
  std::unique_ptr<LocalLogEngine> engine_;
  bool had_failed_ = false;  // When this life began.
  bool went_on_ = false;     // In it, behind a failure.
  ScriptOutcome outcome_;
};

// The numbers of the steps whose events a partition holds, in order.
absl::StatusOr<std::vector<int>> StepsOf(const LocalLogEngine& engine, PartitionId partition) {
  std::vector<int> steps;
  ASSIGN_OR_RETURN(const PartitionExtent extent, engine.Extent(partition));
  ASSIGN_OR_RETURN(const std::vector<std::string> events,
                   ReadData(engine, partition, extent.first));
  for (const std::string& data : events) {
    int step = 0;
    if (data == "later") continue;  // Of what follows the steps.
    if (!absl::SimpleAtoi(data.substr(0, data.find(':')), &step)) {
      return absl::DataLossError("an event that nobody published");
    }
    steps.push_back(step);
  }
  return steps;
}

// "refused: DATA_LOST: ..."; an error without a reason is a problem of its own.
std::string Told(absl::string_view how, const absl::Status& status) {
  if (ReasonOf(status) == v1::ERROR_REASON_UNSPECIFIED) how = "without a reason";
  return absl::StrCat(how, ": ", v1::ErrorReason_Name(ReasonOf(status)), ": ",
                      std::string(status.message()));
}

// What a folder has, against what was acknowledged.
class ScriptFolder {
 public:
  ScriptFolder(const std::vector<ScriptAck>& acks, int steps) : acks_(acks), steps_(steps) {
    oldest_.fill(INT_MAX);
  }

  // The steps of one partition, in the order of their offsets. Empty: nothing is wrong.
  std::string Add(int32_t partition, const std::vector<int>& steps) {
    for (size_t i = 1; i < steps.size(); ++i) {
      if (steps[i] <= steps[i - 1]) return "an event twice, or out of order";
    }
    if (!steps.empty()) oldest_[static_cast<size_t>(partition)] = steps.front();
    present_.insert(steps.begin(), steps.end());
    return "";
  }

  std::string Problem(bool power_cut) const {
    const int last = acks_.empty() ? 0 : acks_.back().step;
    // The step behind the last acknowledged one had begun.
    const int may_be_gone = FirstKept(std::min(last + 1, steps_), steps_);
    for (const ScriptAck& ack : acks_) {
      if (present_.contains(ack.step) || (power_cut && ack.os)) continue;
      const bool trimmed =
          ack.step < may_be_gone && ack.step < oldest_[static_cast<size_t>(ack.step % kPartitions)];
      if (!trimmed) return absl::StrCat("lost: event ", ack.step);
    }
    const int gone = FirstKept(last, steps_);
    if (present_.empty() || *present_.begin() >= gone) return "";
    return absl::StrCat("there again: event ", *present_.begin());
  }

 private:
  const std::vector<ScriptAck>& acks_;
  const int steps_;
  std::set<int> present_;
  std::array<int, kPartitions> oldest_;
};

}  // namespace

std::string RetentionProblem(const ScriptOutcome& outcome) {
  if (outcome.trimmed_events == 0) return "retention took no event";
  return outcome.dropped_slices == 0 ? "no slice was dropped" : "";
}

std::vector<ScriptAck> LoadAcks(const std::string& path) {
  std::vector<ScriptAck> acks;
  std::ifstream in(path);
  for (ScriptAck ack; in >> ack.step >> ack.os;) acks.push_back(ack);
  return acks;
}

ScriptOutcome RunFaultScript(const FaultScript& script) {
  // The engine's threads go on after a failure: what they borrow stays.
  auto* const running = new Script(script);
  return running->Run();
}

std::string CheckScriptFolder(const std::string& folder, const std::vector<ScriptAck>& acks,
                              bool power_cut, int steps) {
  LocalEngineOptions options = SmallEngineOptions(folder);
  if (power_cut) options.boot_id = "boot-2";
  static FakeClock clock;
  static RecordingFatalSink sink;
  clock.Advance(absl::Hours(1));
  auto opened = LocalLogEngine::Open(options, sink, clock);
  if (!opened.ok()) return Told("refused", opened.status());
  LocalLogEngine& engine = *opened->release();  // It stays open: a process checks one folder.
  if (const absl::Status topic = OpenTopic(engine, steps); !topic.ok()) {
    return Told("refused", topic);
  }
  ScriptFolder found(acks, steps);
  for (int32_t number = 0; number < kPartitions; ++number) {
    const auto present = StepsOf(engine, PartitionId(kTopic, number));
    if (!present.ok()) return Told("unreadable", present.status());
    if (std::string problem = found.Add(number, *present); !problem.empty()) return problem;
  }
  if (std::string problem = found.Problem(power_cut); !problem.empty()) return problem;
  const TransactionResult more = Commit(engine, MakeAppend(PartitionOf(0), {EventElement("more")}));
  return more.status.ok() ? "" : absl::StrCat("does not go on: ", more.status.ToString());
}

}  // namespace acta
