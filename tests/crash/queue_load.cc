#include "tests/crash/queue_load.h"

#include <algorithm>
#include <future>
#include <iterator>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "acta/v1/publisher.pb.h"
#include "proto/support/proto_time.h"
#include "storage/base/status_macros.h"
#include "storage/layout/rows.h"
#include "tests/crash/operator_load.h"
#include "tests/crash/queue_store.h"
#include "tests/crash/schedule_load.h"
#include "tests/crash/step_results.h"
#include "tests/crash/stream_load.h"

namespace acta {
namespace {

using Decision = QueueDecision;

constexpr size_t kHandsOfGroup = 3;
constexpr uint64_t kKeys = 6;
constexpr int64_t kMostInHand = 12;
constexpr absl::Duration kJobRetention = absl::Minutes(40);
constexpr absl::Duration kResultRetention = absl::Hours(24 * 300);  // All are kept.
constexpr absl::Duration kJobLease = absl::Hours(12);               // None runs out.
constexpr absl::Duration kJobGrace = absl::Seconds(10);

// The decisions of one call, until they are answered. Shared with the answer.
struct Said {
  Mutex mu;  // Leaf.
  size_t acked ABSL_GUARDED_BY(mu) = 0;
  bool good ABSL_GUARDED_BY(mu) = true;
  std::vector<size_t> decisions;  // In the history.
};

v1::QueueOrder WordFor(QueueOrder order) {
  switch (order) {
    case QueueOrder::kUnordered:
      return v1::QUEUE_ORDER_UNORDERED;
    case QueueOrder::kKey:
      return v1::QUEUE_ORDER_KEY;
    case QueueOrder::kKeyRelaxed:
      return v1::QUEUE_ORDER_KEY_RELAXED;
  }
  return v1::QUEUE_ORDER_UNSPECIFIED;
}

class QueueCrashLoad {
 public:
  explicit QueueCrashLoad(const CrashLoadOptions& options)
      : options_(options),
        random_(options.seed),
        store_(EngineOptions(options), clock_, sink_, options.tear) {}

  absl::StatusOr<QueueHistory> Run() {
    RETURN_IF_ERROR(store_.Open());
    RETURN_IF_ERROR(Create());
    for (int step = 0; step < options_.steps; ++step) {
      history_.times.emplace_back(options_.disk->operations(), NowUs());
      RETURN_IF_ERROR(Step(step));
      if (step == options_.steps / 2) RETURN_IF_ERROR(Restart());
    }
    RETURN_IF_ERROR(LeaveAll());
    history_.times.emplace_back(options_.disk->operations(), NowUs());
    store_.Close();
    RETURN_IF_ERROR(operators_.CheckHadAll());
    RETURN_IF_ERROR(stream_.CheckHadAll());
    if (!sink_.causes().empty()) return absl::InternalError(sink_.causes().front());
    // A run that never needed a copy proves nothing of them.
    if (most_kept_ == 0) return absl::InternalError("no slice went with an event that was needed");
    if (steps_ == 0) return absl::InternalError("nothing was settled by a step");
    return std::move(history_);
  }

 private:
  static LocalEngineOptions EngineOptions(const CrashLoadOptions& options) {
    LocalEngineOptions engine = QueueStore::Options(options.folder);
    engine.file_system = options.file_system;
    return engine;
  }
  uint64_t Random(uint64_t below) { return random_() % below; }
  bool OneIn(uint64_t n) { return Random(n) == 0; }
  int64_t NowUs() { return absl::ToUnixMicros(store_.engine().Now()); }

  absl::Status CreateTopic(const char* name, int32_t partitions, absl::Duration retention) {
    v1::CreateTopicRequest topic;
    topic.mutable_topic()->set_name(name);
    topic.mutable_topic()->set_partitions(partitions);
    SetDuration(retention, topic.mutable_topic()->mutable_retention());
    return store_.topics().Create(store_.caller(), topic).status();
  }

  absl::Status Create() {
    RETURN_IF_ERROR(CreateTopic(kQueueTopic, kQueuePartitions, kJobRetention));
    RETURN_IF_ERROR(CreateTopic(kResultTopic, kResultPartitions, kResultRetention));
    RETURN_IF_ERROR(CreateTopic(kLaterTopic, kLaterPartitions, kResultRetention));
    RETURN_IF_ERROR(CreateTopic(kOutcomeTopic, 1, kResultRetention));
    RETURN_IF_ERROR(stream_.Create());
    for (const QueueHistoryGroup& group : kQueueGroups) {
      v1::CreateGroupRequest request;
      request.mutable_group()->set_name(group.name);
      request.mutable_group()->add_topics(kQueueTopic);
      request.mutable_group()->set_mode(v1::GROUP_MODE_QUEUE);
      request.mutable_start()->set_earliest(true);
      v1::QueueSettings& settings = *request.mutable_group()->mutable_queue();
      settings.set_order(WordFor(group.order));
      settings.set_on_exhausted(group.on_exhausted == OnExhausted::kHoldKey
                                    ? v1::ON_EXHAUSTED_HOLD_KEY
                                    : v1::ON_EXHAUSTED_DEAD_LETTER);
      settings.set_max_attempts(group.max_attempts);
      SetDuration(kJobLease, settings.mutable_lease());
      RETURN_IF_ERROR(store_.groups().Create(store_.caller(), request).status());
    }
    history_.ready = options_.disk->operations();
    return absl::OkStatus();
  }

  // What resets and decisions leave has to be seen too: in the end there are none.
  absl::Status Step(int step) {
    const bool may_reset = step < options_.steps * 3 / 4;
    const bool may_decide = step < options_.steps * 9 / 10;
    store_.Advance(OneIn(20) ? absl::Minutes(30)
                             : absl::Seconds(static_cast<int64_t>(Random(150))));
    if (OneIn(2)) RETURN_IF_ERROR(Publish());
    RETURN_IF_ERROR(schedules_.Step());
    RETURN_IF_ERROR(stream_.Step());
    for (size_t group = 0; group < std::size(kQueueGroups); ++group) {
      RETURN_IF_ERROR(Work(group));
      if (OneIn(10)) RETURN_IF_ERROR(ChangeLetters(group));
      if (may_decide && OneIn(5)) RETURN_IF_ERROR(DecideHeld(group));
      if (may_reset && OneIn(60)) RETURN_IF_ERROR(Reset(group));
    }
    if (OneIn(3)) RETURN_IF_ERROR(Settle());
    return OneIn(8) ? Maintain() : absl::OkStatus();
  }

  absl::Status Maintain() {
    RETURN_IF_ERROR(store_.engine().MaintainNow());
    ASSIGN_OR_RETURN(const auto kept, store_.engine().LoadRows(Family::kState, kKeptRows));
    most_kept_ = std::max(most_kept_, kept.size());
    return absl::OkStatus();
  }

  absl::Status Publish() {
    const auto number = static_cast<int32_t>(Random(kQueuePartitions));
    const PartitionId partition = store_.Partition(number);
    ASSIGN_OR_RETURN(const PartitionExtent extent, store_.engine().Extent(partition));
    std::vector<std::string> elements;
    for (uint64_t i = 0; i <= Random(6); ++i) {
      const int64_t offset = extent.end.value() + static_cast<int64_t>(i);
      v1::PartitionBatch batch;
      v1::Event& event = *batch.add_events();
      event.set_data(PlaceData(number, offset) + std::string(Random(400), 'x'));
      if (!OneIn(4)) event.set_key(absl::StrCat("key ", Random(kKeys)));
      elements.push_back(batch.SerializeAsString());
    }
    const TransactionResult result =
        Commit(store_.engine(), MakeAppend(partition, elements), Level::kFsync);
    RETURN_IF_ERROR(result.status);
    store_.Run();
    return result.appends.at(0).status;
  }

  absl::Status Work(size_t group) {
    for (std::unique_ptr<QueueHand>& hand : hands_[group]) {
      if (hand == nullptr) {
        ASSIGN_OR_RETURN(hand, QueueHand::Join(store_, kQueueGroups[group].name));
      }
      const int64_t room = kMostInHand - static_cast<int64_t>(hand->hand().size());
      if (room > 0) hand->Take(1 + static_cast<int64_t>(Random(static_cast<uint64_t>(room))));
      for (const QueueHand::Leased& leased : hand->hand()) {
        if (!leased.whole) return absl::InternalError("an event is not what was published");
      }
      std::shuffle(hand->hand().begin(), hand->hand().end(), random_);
      if (!hand->hand().empty() && OneIn(2)) SettleSome(group, *hand);
      if (OneIn(15)) RETURN_IF_ERROR(LeaveOne(group, &hand, OneIn(2)));
    }
    return absl::OkStatus();
  }

  // Some of the hand, in one call or one step.
  void SettleSome(size_t group, QueueHand& hand) {
    if (options_.tear == StepTear::kNone && OneIn(12)) FailStep(hand);
    if (OneIn(3)) return StepSome(group, hand);
    std::vector<QueueSettlement> settlements;
    std::vector<Decision> decisions;
    for (uint64_t count = 1 + Random(hand.hand().size()); count > 0; --count) {
      const QueueHand::Leased leased = hand.hand().back();
      hand.hand().pop_back();
      Decision decision = Of(group, leased);
      settlements.push_back(Decide(leased, &decision));
      decisions.push_back(decision);
    }
    const auto said = std::make_shared<Said>();
    // What does not count is named at once, before anything of it is written down.
    for (const Decision& decision : decisions) Note(decision, said.get());
    said_.push_back(said);
    const auto failures = hand.queue().Settle(
        hand.session(), settlements, [said, disk = options_.disk](const absl::Status& status) {
          MutexLock lock(said->mu);
          said->acked = disk->operations();
          said->good = status.ok();
        });
    failed_ |= !failures.empty();
    store_.Run();
  }

  void StepSome(size_t group, QueueHand& hand) {
    QueueStep step;
    const auto said = std::make_shared<Said>();
    for (uint64_t count = 1 + Random(std::min<size_t>(hand.hand().size(), 4)); count > 0; --count) {
      const QueueHand::Leased leased = hand.hand().back();
      hand.hand().pop_back();
      Decision decision = Of(group, leased);
      decision.step = steps_;
      step.runs.push_back(RunOf(hand.session(), leased, &decision));
      Note(decision, said.get());
    }
    EndStep(said, &step);
    failed_ |= !hand.queue().SettleStep(std::move(step)).empty();
    store_.Run();
  }

  // It fails as it is written, maybe together with others, and the member has its events as before.
  void FailStep(QueueHand& hand) {
    QueueStep step;
    for (const QueueHand::Leased& leased : hand.hand()) {
      Decision ignored;
      step.runs.push_back(RunOf(hand.session(), leased, &ignored));
    }
    for (int i = 0; i < 2; ++i) PutStepResult("of a step that failed", store_, &step);
    step.appends.back().expected_end = Offset(1'000'000'000);
    const auto written = std::make_shared<std::promise<bool>>();
    std::future<bool> answer = written->get_future();
    step.done = [written](const TransactionResult& result) {
      written->set_value(result.status.ok() && result.appends.back().status.ok());
    };
    failed_ |= !hand.queue().SettleStep(std::move(step)).empty();
    failed_ |= !hand.queue().WaitQuiet().ok() || answer.get();
    store_.Run();
  }

  // Its results, and who is told.
  void EndStep(const std::shared_ptr<Said>& said, QueueStep* step) {
    ++steps_;
    PutStepResults(history_, said->decisions, store_, step);
    said_.push_back(said);
    step->done = [said, disk = options_.disk](const TransactionResult& result) {
      MutexLock lock(said->mu);
      said->acked = disk->operations();
      said->good = result.status.ok() && !result.appends.empty();
      for (const AppendResult& append : result.appends) said->good &= append.status.ok();
    };
  }

  // A release is no part of a step: it is processed instead.
  HeldRun RunOf(uint64_t session, const QueueHand::Leased& leased, Decision* decision) {
    const QueueSettlement settlement = Decide(leased, decision);
    HeldRun run = leased.Run(session, store_);
    run.nack = {settlement.delay, settlement.reason, settlement.text};
    if (decision->op == Decision::Op::kNack) run.failed = AttemptEnd::kNack;
    if (decision->op == Decision::Op::kReject) run.failed = AttemptEnd::kReject;
    if (decision->op == Decision::Op::kRelease) decision->op = Decision::Op::kAck;
    return run;
  }

  QueueSettlement Decide(const QueueHand::Leased& leased, Decision* decision) {
    using Kind = QueueSettlement::Kind;
    QueueSettlement settlement;
    settlement.partition = store_.Partition(leased.partition);
    settlement.offset = Offset(leased.offset);
    const uint64_t chance = Random(20);
    if (chance < 11) return settlement;
    if (chance < 16) {
      settlement.kind = Kind::kNack;
      settlement.reason = "NOT_NOW";
      decision->op = Decision::Op::kNack;
      if (OneIn(2)) {
        settlement.delay = absl::Minutes(static_cast<int64_t>(1 + Random(120)));
        decision->due_us = NowUs() + absl::ToInt64Microseconds(*settlement.delay);
      }
    } else if (chance < 18) {
      settlement.kind = Kind::kReject;
      settlement.reason = "NEVER";
      decision->op = Decision::Op::kReject;
    } else {
      settlement.kind = Kind::kRelease;
      decision->op = Decision::Op::kRelease;
    }
    return settlement;
  }

  static Decision Of(size_t group, const QueueHand::Leased& leased) {
    Decision decision;
    decision.group = group;
    decision.partition = leased.partition;
    decision.offset = leased.offset;
    decision.attempt = leased.attempt;
    decision.keyed = leased.keyed;
    return decision;
  }

  void Note(Decision decision, Said* said) {
    decision.submitted = options_.disk->operations();
    said->decisions.push_back(history_.decisions.size());
    history_.decisions.push_back(decision);
  }

  // Waits until all that was said is on the disk.
  absl::Status Settle() {
    for (const auto& group : hands_) {
      for (const auto& hand : group) {
        if (hand != nullptr) RETURN_IF_ERROR(hand->queue().WaitQuiet());
      }
    }
    store_.Run();
    const size_t now = options_.disk->operations();
    for (const std::shared_ptr<Said>& said : std::exchange(said_, {})) {
      MutexLock lock(said->mu);
      if (!said->good) return absl::InternalError("a settlement was not written");
      for (const size_t decision : said->decisions) {
        history_.decisions[decision].acked = said->acked != 0 ? said->acked : now;
      }
    }
    return failed_ ? absl::InternalError("a settlement was refused") : absl::OkStatus();
  }

  absl::Status LeaveOne(size_t group, std::unique_ptr<QueueHand>* hand, bool cleanly) {
    const auto said = std::make_shared<Said>();
    if (!cleanly) {
      for (const QueueHand::Leased& leased : (*hand)->hand()) {
        Decision decision = Of(group, leased);
        decision.op = Decision::Op::kLost;
        Note(decision, said.get());
      }
    }
    said_.push_back(said);
    GroupQueue& queue = (*hand)->queue();
    (*hand)->Leave(cleanly);
    hand->reset();
    RETURN_IF_ERROR(queue.WaitQuiet());
    store_.Run();
    return Settle();
  }

  absl::Status LeaveAll() {
    for (size_t group = 0; group < std::size(kQueueGroups); ++group) {
      for (auto& hand : hands_[group]) {
        if (hand != nullptr) RETURN_IF_ERROR(LeaveOne(group, &hand, true));
      }
    }
    RETURN_IF_ERROR(stream_.LeaveAll());
    return Settle();
  }

  absl::Status ChangeLetters(size_t group) {
    RETURN_IF_ERROR(Settle());
    return operators_.ChangeLetters(group);
  }

  absl::Status DecideHeld(size_t group) {
    if (!operators_.HoldsAny(group)) return absl::OkStatus();
    RETURN_IF_ERROR(Settle());
    return operators_.DecideHeld(group);
  }

  // What members had of the group is nobody's then. What nobody has looked at since retention would
  // take without a copy.
  absl::Status Reset(size_t group) {
    RETURN_IF_ERROR(store_.HoldRetention(true));
    RETURN_IF_ERROR(operators_.Reset(group));
    for (std::unique_ptr<QueueHand>& hand : hands_[group]) {
      if (hand == nullptr) continue;
      for (const QueueHand::Leased& leased : hand->hand()) {
        if (MaySettle(*hand, leased)) return absl::InternalError("a lease outlived a reset");
      }
      hand->Leave(true);
      hand.reset();
    }
    RETURN_IF_ERROR(LookThrough(group));
    return store_.HoldRetention(false);
  }

  absl::Status LookThrough(size_t group) {
    std::unique_ptr<QueueHand>& hand = hands_[group][0];
    ASSIGN_OR_RETURN(hand, QueueHand::Join(store_, kQueueGroups[group].name));
    for (int32_t number = 0; number < kQueuePartitions; ++number) {
      const PartitionId partition = store_.Partition(number);
      ASSIGN_OR_RETURN(const PartitionExtent extent, store_.engine().Extent(partition));
      RETURN_IF_ERROR(hand->queue().ScanThrough(partition, extent.visible_end));
    }
    return absl::OkStatus();
  }

  bool MaySettle(QueueHand& hand, const QueueHand::Leased& leased) {
    Decision ignored;
    const QueueSettlement settlement = Decide(leased, &ignored);
    const bool settled =
        hand.queue().Settle(hand.session(), {settlement}, [](const absl::Status&) {}).empty();
    QueueStep step;
    step.runs.push_back(leased.Run(hand.session(), store_));
    PutStepResult("of a member that was fenced", store_, &step);
    step.done = [](const TransactionResult&) {};
    return hand.queue().SettleStep(std::move(step)).empty() || settled;
  }

  absl::Status Restart() {
    RETURN_IF_ERROR(LeaveAll());
    store_.Close();
    RETURN_IF_ERROR(store_.Open());
    store_.Advance(kJobGrace);
    return absl::OkStatus();
  }

  const CrashLoadOptions& options_;
  std::mt19937_64 random_;
  FakeClock clock_;
  RecordingFatalSink sink_;
  QueueStore store_;
  QueueHistory history_;
  int64_t steps_ = 0;
  ScheduleLoad schedules_{store_, *options_.disk, history_, random_};
  OperatorLoad operators_{store_, *options_.disk, history_, random_, steps_};
  StreamLoad stream_{store_, *options_.disk, history_.stream, random_,
                     options_.tear == StepTear::kNone};
  std::unique_ptr<QueueHand> hands_[std::size(kQueueGroups)][kHandsOfGroup];
  std::vector<std::shared_ptr<Said>> said_;
  bool failed_ = false;
  size_t most_kept_ = 0;  // Copies at a time.
};

}  // namespace

absl::StatusOr<QueueHistory> RunQueueCrashLoad(const CrashLoadOptions& options) {
  return QueueCrashLoad(options).Run();
}

}  // namespace acta
