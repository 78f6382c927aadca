#include "tests/oracle/group_member.h"

#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/oracle/load_readers.h"

namespace acta::oracle {
namespace {

constexpr absl::Duration kTick = absl::Milliseconds(300);
constexpr int64_t kCreditEvents = 10'000'000;  // More than one life reads.
constexpr int64_t kCreditBytes = 1 << 30;

}  // namespace

Record Seen(int32_t reader, int32_t session, int32_t partition, int64_t offset, int64_t incarnation,
            absl::string_view data) {
  Record record;
  const std::optional<Value> value = DecodeValue(data);
  record.kind = value.has_value() ? Record::Kind::kPoll : Record::Kind::kAlien;
  record.value = value.value_or(Value());
  record.reader = reader;
  record.session = session;
  record.partition = partition;
  record.offset = offset;
  record.incarnation = incarnation;
  return record;
}

GroupMember::GroupMember(const LoadContext& load, int32_t reader, RecordFile* file)
    : load_(load),
      reader_(reader),
      file_(file),
      stub_(v1::Subscriber::NewStub(load.channel->grpc())),
      stream_(stub_->Subscribe(&context_)) {}

void GroupMember::Run(int64_t most) {
  std::thread ticker([this] { TickUntilEnded(); });
  v1::DeliveryFrame frame;
  if (Start()) {
    while (stream_->Read(&frame)) {
      if (!Take(frame) || (most > 0 && batches_ >= most && asked_.empty())) break;
    }
  }
  context_.TryCancel();
  while (stream_->Read(&frame)) {
  }
  {
    MutexLock lock(mu_);
    ended_ = true;
    ended_wake_.SignalAll();
  }
  ticker.join();
  stream_->Finish();
  if (joined_) Note(Record::Kind::kLeft);
}

void GroupMember::Note(Record::Kind kind) {
  Record record;
  record.kind = kind;
  record.reader = reader_;
  file_->Write({record}, false);
}

bool GroupMember::Start() {
  v1::SubscribeControl control;
  v1::SubscribeStart& start = *control.mutable_start();
  start.set_group(load_.options.group);
  start.set_mode(v1::GROUP_MODE_STREAM);
  start.mutable_create_at()->set_earliest(true);
  start.add_topics()->set_topic(load_.options.topic);
  start.set_app("oracle");
  start.mutable_credit()->set_events(kCreditEvents);
  start.mutable_credit()->set_bytes(kCreditBytes);
  return Send(std::move(control));
}

bool GroupMember::Send(v1::SubscribeControl control) {
  MutexLock lock(mu_);
  control.set_frame_id(++frame_id_);
  return stream_->Write(control);
}

bool GroupMember::Take(const v1::DeliveryFrame& frame) {
  // The start is settled with the first frame, unless it is refused.
  if (!joined_ && frame.acked_through() > 0 && frame.errors().empty()) {
    joined_ = true;
    Note(Record::Kind::kJoined);
  }
  for (const v1::Assigned& assigned : frame.assigned()) {
    partitions_[assigned.assignment()] = assigned.partition();
    Record record;
    record.kind = Record::Kind::kAssigned;
    record.reader = reader_;
    record.partition = assigned.partition();
    record.offset = assigned.offset();
    file_->Write({record}, false);
  }
  for (const v1::DeliveredBatch& batch : frame.batches()) {
    if (!TakeBatch(batch)) return false;
  }
  NoteSettled(frame);
  for (const v1::Revoking& revoking : frame.revoking()) {
    v1::SubscribeControl control;
    control.mutable_released()->set_assignment(revoking.assignment());
    if (!Send(std::move(control))) return false;
  }
  return !frame.has_going_away();
}

bool GroupMember::TakeBatch(const v1::DeliveredBatch& batch) {
  ++batches_;
  const int32_t partition = partitions_[batch.assignment()];
  std::vector<Record> records;
  int64_t next = batch.base_offset();
  for (int i = 0; i < batch.events_size(); ++i) {
    const int64_t offset =
        batch.base_offset() + (batch.offset_deltas().empty() ? i : batch.offset_deltas(i));
    records.push_back(
        Seen(reader_, 0, partition, offset, batch.incarnation(), batch.events(i).data()));
    next = offset + 1;
  }
  file_->Write(std::move(records), true);  // Seen for good before it is committed.
  v1::SubscribeControl control;
  control.mutable_commit()->set_assignment(batch.assignment());
  control.mutable_commit()->set_offset(next);
  MutexLock lock(mu_);
  control.set_frame_id(++frame_id_);
  asked_[frame_id_] = {partition, next};
  return stream_->Write(control);
}

void GroupMember::NoteSettled(const v1::DeliveryFrame& frame) {
  for (const v1::ControlError& error : frame.errors()) asked_.erase(error.frame_id());
  std::vector<Record> records;
  while (!asked_.empty() && asked_.begin()->first <= frame.acked_through()) {
    Record record;
    record.kind = Record::Kind::kCommitted;
    record.reader = reader_;
    record.partition = asked_.begin()->second.partition;
    record.offset = asked_.begin()->second.offset;
    records.push_back(record);
    asked_.erase(asked_.begin());
  }
  if (!records.empty()) file_->Write(std::move(records), false);
}

// A tick is answered by nothing, but keeps the member alive; once the load has stopped and the
// group is at its end, the stream is ended.
void GroupMember::TickUntilEnded() {
  for (bool done = false; !done;) {
    {
      MutexLock lock(mu_);
      if (!ended_) ended_wake_.WaitFor(mu_, kTick);
      if (ended_) return;
      v1::SubscribeControl control;
      control.set_frame_id(++frame_id_);
      control.mutable_tick();
      if (!stream_->Write(control)) return;
    }
    done = load_.stop.stopped() && GroupAtEnd(load_);
  }
  context_.TryCancel();
}

}  // namespace acta::oracle
