#include "tests/oracle/queue_worker.h"

#include <algorithm>
#include <functional>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/cpp/grpc_status.h"
#include "proto/support/error.h"
#include "proto/support/proto_time.h"
#include "tests/oracle/value.h"

namespace acta::oracle {
namespace {

constexpr absl::Duration kWorkerTick = absl::Milliseconds(300);
constexpr absl::Duration kLastEvents = absl::Seconds(1);  // Waited for before a stream is broken.
constexpr int64_t kWorkerCredit = 8;
constexpr int64_t kWorkerBytes = 1 << 30;
constexpr size_t kAtOnce = 4;
// Of so many events of a publisher one is failed in each way.
constexpr int64_t kFailingOneIn = 40;
constexpr int64_t kAlwaysFails = 7, kRejected = 17, kFailsOnce = 27;
constexpr uint64_t kRareOneIn = 40, kLateOneIn = 400;
constexpr absl::Duration kShortDelay = absl::Milliseconds(700);

constexpr absl::Duration kStepPatience = absl::Seconds(5);

int64_t WallUs() { return absl::ToUnixMicros(absl::Now()); }

v1::SettleKind KindFor(SettleOp op) {
  switch (op) {
    case SettleOp::kAck:
      return v1::SETTLE_KIND_ACK;
    case SettleOp::kNack:
      return v1::SETTLE_KIND_NACK;
    case SettleOp::kReject:
      return v1::SETTLE_KIND_REJECT;
    case SettleOp::kExtend:
      return v1::SETTLE_KIND_EXTEND;
    case SettleOp::kRelease:
      return v1::SETTLE_KIND_RELEASE;
  }
  return v1::SETTLE_KIND_UNSPECIFIED;
}

v1::SettleRequest StepOf(const QueueGroup& group, const InHand& event, SettleOp op,
                         int64_t delay_us) {
  v1::SettleRequest request;
  request.set_group(group.name);
  if (op == SettleOp::kAck) {
    v1::ProcessedEvents& processed = *request.add_processed();
    processed.set_delivery_token(event.token);
    processed.set_offset(event.offset);
    processed.set_count(1);
  } else {
    v1::FailedEvents& failed = *request.add_failed();
    failed.set_delivery_token(event.token);
    failed.set_offset(event.offset);
    failed.set_count(1);
    failed.set_kind(KindFor(op));
    if (delay_us >= 0) SetDuration(absl::Microseconds(delay_us), failed.mutable_delay());
    failed.set_reason("ORACLE");
  }
  QueueRecord result;
  result.kind = QueueRecord::Kind::kResult;
  result.group = group.number;
  result.partition = event.partition;
  result.offset = event.offset;
  result.attempt = event.attempt;
  result.redrives = event.redrives;
  result.op = op;
  v1::PartitionBatch& batch = *request.add_publish();
  batch.set_topic(kResultTopic);
  batch.add_events()->set_data(FormatRecord(result));
  return request;
}

}  // namespace

QueueWorker::QueueWorker(const QueueWork& work, int32_t worker, int64_t session, RecordFile* file,
                         std::vector<InHand> held)
    : work_(work),
      worker_(worker),
      session_(session),
      file_(file),
      chance_(work.load.options.seed * 1'000'003 + static_cast<uint64_t>(session)),
      stub_(v1::Subscriber::NewStub(work.load.channel->grpc())),
      stream_(stub_->Subscribe(&context_)),
      hand_(std::make_move_iterator(held.begin()), std::make_move_iterator(held.end())) {}

std::vector<InHand> QueueWorker::Run(int64_t most) {
  const bool started = Start();
  std::thread reader([this] { Read(); });
  if (started) Work(most);
  reader.join();
  const SessionEnd end = Finish();
  if (end != SessionEnd::kLost) return {};
  MutexLock lock(mu_);
  std::vector<InHand> held;
  for (InHand& event : hand_) {
    event.due = absl::InfinitePast();
    event.token.clear();
    if (event.until_us > WallUs()) held.push_back(std::move(event));
  }
  return held;
}

bool QueueWorker::Start() {
  v1::SubscribeControl control;
  v1::SubscribeStart& start = *control.mutable_start();
  start.set_group(work_.group.name);
  start.set_app("oracle");
  start.set_member_id(absl::StrCat("worker-", worker_));
  start.add_wanted_features("DELIVERY_TOKENS");
  granted_ = kWorkerCredit;
  start.mutable_credit()->set_events(granted_);
  start.mutable_credit()->set_bytes(kWorkerBytes);
  std::vector<QueueRecord> records;
  {
    MutexLock lock(mu_);
    for (const InHand& event : hand_) {
      v1::HeldEvents& held = *start.add_held();
      held.set_topic(work_.load.options.topic);
      held.set_partition(event.partition);
      held.set_offset(event.offset);
      held.set_generation(event.generation);
      records.push_back(Of(QueueRecord::Kind::kHeld, event));
    }
  }
  file_->Write(std::move(records), false);
  return Send(std::move(control));
}

bool QueueWorker::Send(v1::SubscribeControl control) {
  control.set_frame_id(++frame_id_);
  return stream_->Write(control);
}

void QueueWorker::Work(int64_t most) {
  const bool breaks = Random(2) == 0;
  absl::Time last_sent = absl::Now();
  while (true) {
    {
      MutexLock lock(mu_);
      if (ended_) return;
    }
    if (work_.load.stop.stopped()) return Leave();
    if (most > 0 && settled_ >= most && !work_.calm.stopped()) return End(breaks);
    std::vector<Asked> asked = Decide(TakeSome());
    if (!MakeSteps(&asked)) return;
    if (!asked.empty()) {
      last_sent = absl::Now();
      if (!Settle(std::move(asked))) return;
    } else if (absl::Now() - last_sent >= kWorkerTick) {
      v1::SubscribeControl control;
      control.mutable_tick();
      last_sent = absl::Now();
      if (!Send(std::move(control))) return;
    }
  }
}

std::vector<InHand> QueueWorker::TakeSome() {
  const size_t most = 1 + Random(kAtOnce);
  std::vector<InHand> some;
  MutexLock lock(mu_);
  const absl::Time now = absl::Now();
  for (size_t tried = hand_.size(); tried > 0 && some.size() < most; --tried) {
    std::swap(hand_.front(), hand_[Random(hand_.size())]);
    InHand event = std::move(hand_.front());
    hand_.pop_front();
    if (event.due <= now && assignments_.contains(event.partition)) {
      some.push_back(std::move(event));
    } else {
      hand_.push_back(std::move(event));
    }
  }
  if (some.empty() && !ended_) news_.WaitFor(mu_, hand_.empty() ? kWorkerTick : kWorkerTick / 10);
  return some;
}

// What is only put off goes back into the hand.
std::vector<QueueWorker::Asked> QueueWorker::Decide(std::vector<InHand> events) {
  std::vector<Asked> asked;
  for (InHand& event : events) {
    const bool calm = work_.calm.stopped();
    const bool fresh = event.due == absl::Time();
    if (fresh && !calm && Random(kLateOneIn) == 0) {
      // Settled when the lease has run out.
      event.due = absl::Now() + work_.group.lease + absl::Milliseconds(500);
      MutexLock lock(mu_);
      hand_.push_back(std::move(event));
      continue;
    }
    Asked one;
    if (fresh && !calm && Random(kRareOneIn) == 0) {
      one.op = SettleOp::kExtend;
      one.delay_us = absl::ToInt64Microseconds(2 * work_.group.lease);
    } else {
      one.op = DecideOne(event, &one.delay_us);
    }
    one.event = std::move(event);
    asked.push_back(std::move(one));
  }
  return asked;
}

SettleOp QueueWorker::DecideOne(const InHand& event, int64_t* delay_us) {
  const int64_t kind = work_.group.healthy ? 0 : event.value.counter % kFailingOneIn;
  if (kind == kAlwaysFails) return SettleOp::kNack;
  if (kind == kRejected) return SettleOp::kReject;
  if (kind == kFailsOnce && event.attempt == 1) {
    const uint64_t how = Random(4);
    if (how == 0) *delay_us = absl::ToInt64Microseconds(kShortDelay);
    if (how == 1 && !work_.calm.stopped()) {
      *delay_us = absl::ToInt64Microseconds(work_.load.options.longest_delay);
    }
    return SettleOp::kNack;
  }
  return Random(kRareOneIn) == 0 ? SettleOp::kRelease : SettleOp::kAck;
}

bool QueueWorker::Settle(std::vector<Asked> asked) {
  v1::SubscribeControl control;
  int64_t freed = 0;
  {
    MutexLock lock(mu_);
    for (Asked& one : asked) {
      v1::Settlement& settlement = *control.mutable_settle()->add_settlements();
      settlement.set_assignment(assignments_[one.event.partition]);
      settlement.set_offset(one.event.offset);
      settlement.set_kind(KindFor(one.op));
      if (one.delay_us >= 0)
        SetDuration(absl::Microseconds(one.delay_us), settlement.mutable_delay());
      if (one.op == SettleOp::kNack || one.op == SettleOp::kReject) {
        settlement.set_reason("ORACLE");
      }
      one.since_us = WallUs();
      if (one.op == SettleOp::kExtend) {
        // Over the end that the lease had before.
        InHand event = one.event;
        event.due = absl::Now() + work_.group.lease;
        hand_.push_back(std::move(event));
      } else {
        ++freed;
      }
    }
    asked_[frame_id_ + 1] = std::move(asked);
  }
  return Send(std::move(control)) && GiveCredit(freed);
}

bool QueueWorker::GiveCredit(int64_t events) {
  settled_ += events;
  if (events == 0) return true;
  granted_ += events;
  v1::SubscribeControl credit;
  credit.mutable_credit()->set_events(events);
  return Send(std::move(credit));
}

bool QueueWorker::MakeSteps(std::vector<Asked>* asked) {
  std::vector<Asked> steps;
  std::erase_if(*asked, [&](Asked& one) {
    const bool may =
        !one.event.token.empty() && one.op != SettleOp::kExtend && one.op != SettleOp::kRelease;
    if (!may || Random(100) >= static_cast<uint64_t>(work_.load.options.steps)) return false;
    steps.push_back(std::move(one));
    return true;
  });
  for (Asked& one : steps) Step(std::move(one));
  return GiveCredit(static_cast<int64_t>(steps.size()));
}

void QueueWorker::Step(Asked asked) {
  asked.step = true;
  asked.since_us = WallUs();
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + kStepPatience));
  v1::SettleResponse response;
  const absl::Status status = client::FromGrpc(
      stub_->Settle(&context, StepOf(work_.group, asked.event, asked.op, asked.delay_us),
                    &response),
      "");
  QueueRecord record = Of(QueueRecord::Kind::kOk, asked);
  const v1::ErrorReason reason = ReasonOf(status);
  if (reason == v1::OUTCOME_UNKNOWN || reason == v1::ERROR_REASON_UNSPECIFIED) {
    record.kind = QueueRecord::Kind::kInfo;
  } else {
    record.kind = QueueRecord::Kind::kFail;
    record.detail = reason == v1::ALREADY_SETTLED ? 1 : 0;
  }
  if (status.ok()) record.kind = QueueRecord::Kind::kOk;
  TellDecider({record});
  file_->Write({record}, true);
}

void QueueWorker::TellDecider(const std::vector<QueueRecord>& records) const {
  if (work_.decider == nullptr) return;
  for (const QueueRecord& record : records) {
    const bool settled = record.kind == QueueRecord::Kind::kOk &&
                         (record.op == SettleOp::kAck || record.op == SettleOp::kReject);
    if (record.kind == QueueRecord::Kind::kLeased && record.key != 0) {
      work_.decider->MayBeHeld(record.partition, record.offset);
    } else if (settled) {
      work_.decider->Settled(record.partition, record.offset);
    }
  }
}

bool QueueWorker::HasAll() {
  const absl::Time deadline = absl::Now() + kLastEvents;
  MutexLock lock(mu_);
  while (!ended_ && received_ < granted_ && absl::Now() < deadline) {
    news_.WaitFor(mu_, deadline - absl::Now());
  }
  return received_ == granted_;
}

// Who breaks its stream with something on the way does not know what it was leased; where what
// counts as an attempt is held exactly, it waits, and leaves when that takes too long.
void QueueWorker::End(bool breaks) {
  if (!breaks) return Leave();
  knows_all_ = !work_.group.healthy && HasAll();
  if (!knows_all_ && !work_.group.healthy) return Leave();
  cancelled_ = true;
  context_.TryCancel();
}

void QueueWorker::Leave() {
  left_ = true;
  stream_->WritesDone();
}

void QueueWorker::Read() {
  v1::DeliveryFrame frame;
  while (stream_->Read(&frame)) TakeFrame(frame);
  MutexLock lock(mu_);
  ended_ = true;
  news_.SignalAll();
}

void QueueWorker::TakeFrame(const v1::DeliveryFrame& frame) {
  std::vector<QueueRecord> records;
  bool durable = false;
  {
    MutexLock lock(mu_);
    for (const v1::Assigned& assigned : frame.assigned()) {
      partitions_[assigned.assignment()] = assigned.partition();
      assignments_[assigned.partition()] = assigned.assignment();
      generations_[assigned.partition()] = assigned.generation();
    }
    for (const v1::DeliveredBatch& batch : frame.batches()) TakeBatch(batch, &records);
    for (const v1::ControlError& error : frame.errors()) TakeError(error, &records);
    while (!asked_.empty() && asked_.begin()->first <= frame.acked_through()) {
      for (const Asked& one : asked_.begin()->second) {
        records.push_back(Of(QueueRecord::Kind::kOk, one));
        durable = true;
      }
      asked_.erase(asked_.begin());
    }
  }
  TellDecider(records);
  if (!records.empty()) file_->Write(std::move(records), durable);
  MutexLock lock(mu_);
  news_.SignalAll();
}

void QueueWorker::TakeBatch(const v1::DeliveredBatch& batch, std::vector<QueueRecord>* records) {
  for (int i = 0; i < batch.events_size(); ++i) {
    const v1::Event& event = batch.events(i);
    InHand leased;
    leased.partition = partitions_[batch.assignment()];
    leased.generation = generations_[leased.partition];
    leased.offset =
        batch.base_offset() + (batch.offset_deltas().empty() ? i : batch.offset_deltas(i));
    leased.attempt = batch.attempt();
    leased.redrives = batch.redrives();
    leased.until_us = batch.lease_until_us();
    if (!event.key().empty()) {
      leased.key = static_cast<int64_t>(std::hash<std::string>()(event.key()));
    }
    leased.value = DecodeValue(event.data()).value_or(Value());
    leased.token = batch.delivery_token();
    leased.due = absl::Time();
    ++received_;
    records->push_back(Of(QueueRecord::Kind::kLeased, leased));
    hand_.push_back(std::move(leased));
  }
}

// One that names no events speaks of the whole frame.
void QueueWorker::TakeError(const v1::ControlError& error, std::vector<QueueRecord>* records) {
  const auto frame = asked_.find(error.frame_id());
  if (frame == asked_.end()) return;
  const bool unknown = error.count() == 0;
  const int32_t partition = unknown ? 0 : partitions_[error.assignment()];
  std::erase_if(frame->second, [&](const Asked& one) {
    const int64_t offset = one.event.offset;
    const bool meant = unknown || (partition == one.event.partition && offset >= error.offset() &&
                                   offset < error.offset() + error.count());
    if (!meant) return false;
    QueueRecord record = Of(unknown ? QueueRecord::Kind::kInfo : QueueRecord::Kind::kFail, one);
    record.detail = error.status().reason() == v1::ALREADY_SETTLED ? 1 : 0;
    records->push_back(record);
    return true;
  });
}

SessionEnd QueueWorker::Finish() {
  const grpc::Status status = stream_->Finish();
  SessionEnd end = SessionEnd::kOther;
  if (cancelled_) {
    end = knows_all_ ? SessionEnd::kBroken : SessionEnd::kOther;
  } else if (left_ && status.ok()) {
    end = SessionEnd::kClean;
  } else if (status.error_code() == grpc::StatusCode::UNAVAILABLE) {
    end = SessionEnd::kLost;
  }
  std::vector<QueueRecord> records;
  {
    MutexLock lock(mu_);
    for (const auto& [frame, asked] : asked_) {
      for (const Asked& one : asked) records.push_back(Of(QueueRecord::Kind::kInfo, one));
    }
    asked_.clear();
  }
  QueueRecord gone = Of(QueueRecord::Kind::kGone, InHand());
  gone.detail = static_cast<int32_t>(end);
  records.push_back(gone);
  file_->Write(std::move(records), true);
  return end;
}

QueueRecord QueueWorker::Of(QueueRecord::Kind kind, const InHand& event) const {
  QueueRecord record;
  record.kind = kind;
  record.group = work_.group.number;
  record.worker = worker_;
  record.session = session_;
  record.partition = event.partition;
  record.offset = event.offset;
  record.attempt = event.attempt;
  record.redrives = event.redrives;
  record.until_us = event.until_us;
  record.key = event.key;
  return record;
}

QueueRecord QueueWorker::Of(QueueRecord::Kind kind, const Asked& asked) const {
  QueueRecord record = Of(kind, asked.event);
  record.op = asked.op;
  record.since_us = asked.since_us;
  record.delay_us = asked.delay_us;
  record.step = asked.step;
  return record;
}

}  // namespace acta::oracle
