#include "client/cpp/subscription_state.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "client/cpp/delivery_rep.h"
#include "client/cpp/subscribe_start.h"
#include "proto/support/error.h"

namespace acta::client {
namespace {

absl::Status BrokenCommit(absl::string_view topic, int32_t partition) {
  return absl::UnavailableError(absl::StrCat("the connection broke before a commit of partition ",
                                             partition, " of topic '", topic,
                                             "' was durable; its events come again"));
}

}  // namespace

void SubscriptionState::OnOpen() {
  ++stream_;
  DropDeliveries();
  by_assignment_.clear();
  DropDeleted();
  for (auto& [key, partition] : partitions_) {
    partition.assignment = 0;
    partition.reached_end = false;
  }
  popped_.Clear();
  consumed_.Clear();
  credit_listed_ = false;
  next_frame_ = 1;
  outbox_.assign(1, Outgoing{Verb::kStart});
}

void SubscriptionState::OnEnd() {
  for (const Outgoing& one : outbox_) {
    if (one.verb == Verb::kCommit && Find(one.assignment) == nullptr) DropCommit();
  }
  // Of partitions that are still here `lost` tells.
  for (const Sent& one : sent_) {
    if (one.verb != Verb::kCommit || !one.status.ok() || partitions_.count(one.key) > 0) continue;
    commit_failure_.Update(BrokenCommit(one.key.first, one.key.second));
  }
  outbox_.clear();
  sent_.clear();
  if (!in_group()) return;
  // What is not consumed belongs to whoever owns the partition next.
  DropDeliveries();
  by_assignment_.clear();
  for (auto& [key, partition] : partitions_) {
    partition.assignment = 0;
    partition.commit_listed = false;
    if (partition.wanted > partition.settled) partition.lost = partition.wanted;
    partition.wanted = partition.settled;
  }
}

void SubscriptionState::OnReset(const v1::Notice& notice) {
  was_reset_ = true;
  for (auto& [key, partition] : partitions_) partition.begun = -1;
  OnNotice(notice);
}

void SubscriptionState::ForgetLost() {
  for (auto& [key, partition] : partitions_) partition.lost = -1;
}

void SubscriptionState::DropDeleted() {
  std::set<std::string> deleted = deleted_;
  for (const auto& [key, partition] : partitions_) {
    if (partition.gone) deleted.insert(key.first);
  }
  // Without any other topic the broker is asked, which says so.
  if (std::any_of(options_.topics.begin(), options_.topics.end(),
                  [&](const auto& topic) { return deleted.count(topic.topic()) == 0; })) {
    deleted_ = std::move(deleted);
  }
  for (auto at = partitions_.begin(); at != partitions_.end();) {
    const bool drop = at->second.gone || deleted_.count(at->first.first) > 0;
    at = drop ? partitions_.erase(at) : std::next(at);
  }
}

void SubscriptionState::DropDeliveries() {
  std::deque<Waiting> kept;
  for (Waiting& waiting : items_) {
    const bool of_stream = std::holds_alternative<Delivery>(waiting.item) ||
                           std::holds_alternative<Revoking>(waiting.item);
    if (!of_stream) kept.push_back(std::move(waiting));
  }
  items_ = std::move(kept);
}

void SubscriptionState::OnFrame(DeliveryFrame frame) {
  const v1::DeliveryFrame& control = frame.control;
  for (const v1::Assigned& assigned : control.assigned()) OnAssigned(assigned);
  // What is said of the group comes before its events, of a partition behind them: its end.
  for (const v1::Notice& notice : control.notice()) {
    if (notice.assignment() == 0) OnNotice(notice);
  }
  for (Delivery& delivery : frame.deliveries) OnDelivery(std::move(delivery));
  for (const v1::Gap& gap : control.gap()) OnGap(gap);
  for (const v1::Notice& notice : control.notice()) {
    if (notice.assignment() != 0) OnNotice(notice);
  }
  for (const v1::Revoking& revoking : control.revoking()) {
    const Partition* partition = Find(revoking.assignment());
    if (partition == nullptr) continue;
    items_.push_back({Revoking{revoking.assignment(), stream_, {}}, revoking.assignment()});
  }
  for (const v1::Revoked& revoked : control.revoked()) OnRevoked(revoked.assignment());
  OnErrors(control);
  OnAcked(control.acked_through());
}

void SubscriptionState::OnAssigned(const v1::Assigned& assigned) {
  const Key key(assigned.topic(), assigned.partition());
  Partition& partition = partitions_[key];
  if (partition.topic == nullptr) {
    partition.topic = std::make_shared<const std::string>(assigned.topic());
    partition.number = assigned.partition();
  }
  by_assignment_.erase(partition.assignment);
  partition.assignment = assigned.assignment();
  partition.next_offset = assigned.offset();
  partition.incarnation = assigned.incarnation();
  partition.reached_end = false;
  partition.commit_listed = false;
  // Where a power cut took what this member was given, other events may have come. Of two restores
  // of one backup the later one may be of the lower life.
  const bool cut = in_group() && partition.life > 0 && assigned.incarnation() != partition.life;
  partition.life = assigned.incarnation();
  // Commits only go up: it was moved while this member was away. So it was where it went up further
  // than this member can have done, by a reset or by another member that had it meanwhile.
  const bool back = cut || (in_group() && assigned.offset() < partition.settled);
  const bool moved = back || (partition.asked >= 0 && assigned.offset() > partition.asked);
  was_reset_ |= back;
  const bool anew = moved || partition.begun < 0;
  if (anew) partition.begun = assigned.offset();
  partition.given = std::max(anew ? 0 : partition.given, assigned.offset());
  if (in_group()) partition.asked = std::max(back ? -1 : partition.asked, assigned.offset());
  partition.wanted = partition.settled = in_group() ? assigned.offset() : -1;
  if (partition.lost <= partition.settled) partition.lost = -1;
  by_assignment_[assigned.assignment()] = key;
}

void SubscriptionState::OnDelivery(Delivery delivery) {
  const uint64_t assignment = delivery.rep_->assignment;
  if (const Partition* partition = Find(assignment); partition != nullptr) {
    delivery.rep_->topic = partition->topic;
    delivery.rep_->partition = partition->number;
  }
  // One that nobody reads goes through the queue too: its credit is given back there.
  items_.push_back({std::move(delivery), assignment});
}

void SubscriptionState::OnGap(const v1::Gap& gap) {
  Partition* const partition = Find(gap.assignment());
  if (partition == nullptr) return;
  partition->reached_end = true;
  items_.push_back({StatusOfGap(gap, *partition->topic, partition->number), gap.assignment()});
}

void SubscriptionState::OnNotice(const v1::Notice& notice) {
  if (notice.code() == "MEMBER_ID") member_id_ = notice.text();
  Noticed noticed;
  noticed.notice = notice;
  if (Partition* partition = Find(notice.assignment()); partition != nullptr) {
    if (notice.code() == "REACHED_END") partition->reached_end = true;
    noticed.partition = Describe(*partition);
  }
  items_.push_back({std::move(noticed), notice.assignment()});
}

void SubscriptionState::OnErrors(const v1::DeliveryFrame& frame) {
  for (const v1::ControlError& error : frame.errors()) {
    const auto sent = std::find_if(sent_.begin(), sent_.end(), [&error](const Sent& one) {
      return one.frame_id == error.frame_id();
    });
    if (sent == sent_.end()) continue;
    const absl::Status status = FromProto(error.status());
    sent->status = status;
    if (sent->verb == Verb::kCommit) {
      commit_failure_.Update(status);
    } else if (sent->verb == Verb::kStart || sent->verb == Verb::kCredit) {
      failure_.Update(status);
    }
  }
}

void SubscriptionState::OnAcked(uint64_t through) {
  while (!sent_.empty() && sent_.front().frame_id <= through) {
    const Sent& sent = sent_.front();
    const auto found = partitions_.find(sent.key);
    if (sent.verb == Verb::kCommit && found != partitions_.end()) {
      Partition& partition = found->second;
      if (keeps_settled_) {
        settled_.push_back({ClientKind::kSubscriber, sent.key.first, sent.key.second,
                            v1::SETTLE_KIND_ACK,
                            std::max<int64_t>(0, sent.offset - partition.settled), sent.status});
      }
      if (!sent.status.ok()) {
        partition.wanted = partition.settled;
      } else {
        partition.settled = std::max(partition.settled, sent.offset);
        if (partition.lost <= partition.settled) partition.lost = -1;
      }
    }
    sent_.pop_front();
  }
}

SubscriptionState::Partition* SubscriptionState::Find(uint64_t assignment) {
  const auto key = by_assignment_.find(assignment);
  return key == by_assignment_.end() ? nullptr : &partitions_.find(key->second)->second;
}

SubscribedPartition SubscriptionState::Describe(const Partition& partition) {
  return {*partition.topic, partition.number, partition.next_offset, partition.incarnation};
}

void SubscriptionState::OnRevoked(uint64_t assignment) {
  Partition* const partition = Find(assignment);
  if (in_group() || partition == nullptr) return Forget(assignment);
  partition->assignment = 0;
  partition->reached_end = partition->gone = true;
  by_assignment_.erase(assignment);
  if (!ReachedAllEnds()) return;
  failure_.Update(Error(v1::TOPIC_NOT_FOUND,
                        absl::StrCat("topic '", *partition->topic, "' was deleted"),
                        {{"topic", *partition->topic}}));
}

void SubscriptionState::Forget(uint64_t assignment) {
  const auto found = by_assignment_.find(assignment);
  if (found == by_assignment_.end()) return;
  partitions_.erase(found->second);
  by_assignment_.erase(found);
}

std::optional<SubscriptionState::Item> SubscriptionState::Pop() {
  Consumed(std::exchange(popped_, {}));
  std::optional<Item> item;
  while (!item.has_value() && !items_.empty()) {
    Waiting waiting = std::move(items_.front());
    items_.pop_front();
    Partition* const partition = Find(waiting.assignment);
    if (auto* delivery = std::get_if<Delivery>(&waiting.item); delivery != nullptr) {
      v1::Credit credit;
      credit.set_events(delivery->count());
      credit.set_bytes(static_cast<int64_t>(delivery->payload().size()));
      if (partition == nullptr) {
        Consumed(credit);  // Nobody may call again before more comes, which may wait for it.
        continue;
      }
      popped_ = std::move(credit);
      partition->next_offset = delivery->next_offset();
      partition->given = std::max(partition->given, partition->next_offset);
      partition->incarnation = delivery->incarnation();
    } else if (auto* revoking = std::get_if<Revoking>(&waiting.item); revoking != nullptr) {
      if (partition == nullptr) continue;
      revoking->partition = Describe(*partition);
    } else if (auto* noticed = std::get_if<Noticed>(&waiting.item); noticed != nullptr) {
      if (noticed->notice.code() == "GROUP_RESET") ForgetLost();
    }
    item = std::move(waiting.item);
  }
  // In large pieces. The broker lets an event exceed the credit, so what is held back here stops
  // nothing.
  if (!credit_listed_ && (consumed_.events() * 4 >= options_.credit_events ||
                          consumed_.bytes() * 4 >= options_.credit_bytes)) {
    credit_listed_ = true;
    outbox_.push_back({Verb::kCredit});
  }
  return item;
}

void SubscriptionState::Consumed(const v1::Credit& credit) {
  consumed_.set_events(consumed_.events() + credit.events());
  consumed_.set_bytes(consumed_.bytes() + credit.bytes());
}

void SubscriptionState::Tick() {
  if (outbox_.empty()) outbox_.push_back({Verb::kTick});
}

void SubscriptionState::Release(const Revoking& revoking, bool commit) {
  Partition* const partition = Find(revoking.assignment);
  if (partition == nullptr || revoking.stream != stream_) return;
  if (commit) WantCommit(*partition, partition->next_offset);
  outbox_.push_back({Verb::kReleased, revoking.assignment});
}

absl::Status SubscriptionState::Commit(absl::string_view topic, int32_t partition, int64_t offset) {
  const auto found = partitions_.find(Key(topic, partition));
  if (!in_group() || found == partitions_.end() || found->second.assignment == 0) {
    return Error(v1::FENCED,
                 absl::StrCat("partition ", partition, " of topic '", topic,
                              "' is not this member's; its events come to another one"),
                 {{"topic", std::string(topic)}, {"partition", absl::StrCat(partition)}});
  }
  const Partition& at = found->second;
  if ((was_reset_ || at.begun > 0) && (offset < at.begun || offset > at.given)) {
    return Error(v1::FENCED,
                 absl::StrCat("offset ", offset, " of partition ", partition, " of topic '", topic,
                              "' is of before others moved its position, or the log was cut: ",
                              "it is not committed"),
                 {{"topic", std::string(topic)}, {"partition", absl::StrCat(partition)}});
  }
  WantCommit(found->second, offset);
  return absl::OkStatus();
}

void SubscriptionState::CommitDelivered() {
  if (!in_group()) return;
  for (auto& [key, partition] : partitions_) {
    if (partition.assignment != 0) WantCommit(partition, partition.next_offset);
  }
}

void SubscriptionState::BeginStep(const Delivery& delivery) {
  const auto found = partitions_.find(Key(delivery.topic(), delivery.partition()));
  if (found == partitions_.end()) return;
  found->second.asked = std::max(found->second.asked, delivery.next_offset());
}

void SubscriptionState::WantCommit(Partition& partition, int64_t offset) {
  if (offset <= partition.wanted) return;
  partition.wanted = offset;
  partition.asked = std::max(partition.asked, offset);
  if (partition.commit_listed) return;
  partition.commit_listed = true;
  outbox_.push_back({Verb::kCommit, partition.assignment});
}

bool SubscriptionState::CommitsSettled() const {
  const auto is_commit = [](const auto& one) { return one.verb == Verb::kCommit; };
  return std::none_of(outbox_.begin(), outbox_.end(), is_commit) &&
         std::none_of(sent_.begin(), sent_.end(), is_commit);
}

absl::Status SubscriptionState::TakeCommitFailure() {
  if (!commit_failure_.ok()) return std::exchange(commit_failure_, absl::OkStatus());
  for (auto& [key, partition] : partitions_) {
    if (partition.lost < 0) continue;
    partition.lost = -1;
    return BrokenCommit(key.first, key.second);
  }
  return absl::OkStatus();
}

std::optional<v1::SubscribeControl> SubscriptionState::TakeControl() {
  while (!outbox_.empty()) {
    const Outgoing outgoing = outbox_.front();
    outbox_.pop_front();
    const bool of_partition = outgoing.verb == Verb::kCommit || outgoing.verb == Verb::kReleased;
    if (of_partition && Find(outgoing.assignment) == nullptr) {
      if (outgoing.verb == Verb::kCommit) DropCommit();
      continue;
    }
    v1::SubscribeControl control;
    Sent sent;
    sent.verb = outgoing.verb;
    Fill(outgoing, &control, &sent);
    sent.frame_id = next_frame_++;
    control.set_frame_id(sent.frame_id);
    sent_.push_back(std::move(sent));
    return control;
  }
  return std::nullopt;
}

void SubscriptionState::DropCommit() {
  commit_failure_.Update(
      Error(v1::FENCED, "a partition went to another member before its commit was sent"));
}

void SubscriptionState::Fill(const Outgoing& outgoing, v1::SubscribeControl* control, Sent* sent) {
  switch (outgoing.verb) {
    case Verb::kStart:
      *control->mutable_start() = StartFrame();
      return;
    case Verb::kCredit:
      control->mutable_credit()->Swap(&consumed_);
      consumed_.Clear();
      credit_listed_ = false;
      return;
    case Verb::kCommit: {
      Partition& partition = *Find(outgoing.assignment);
      partition.commit_listed = false;
      sent->key = Key(*partition.topic, partition.number);
      sent->offset = partition.wanted;
      control->mutable_commit()->set_assignment(outgoing.assignment);
      control->mutable_commit()->set_offset(partition.wanted);
      return;
    }
    case Verb::kReleased:
      control->mutable_released()->set_assignment(outgoing.assignment);
      Forget(outgoing.assignment);
      return;
    case Verb::kTick:
      control->mutable_tick();
      return;
  }
}

v1::SubscribeStart SubscriptionState::StartFrame() const {
  v1::SubscribeStart start = MakeSubscribeStart(options_, member_id_);
  for (v1::TopicPosition topic : options_.topics) {
    if (in_group()) {
      start.add_topics()->set_topic(topic.topic());
      continue;
    }
    if (deleted_.count(topic.topic()) > 0) continue;
    // Behind what was consumed, for those that a stream before this one has read.
    std::map<int32_t, v1::PartitionPosition> positions;
    for (const v1::PartitionPosition& one : topic.partitions()) positions[one.partition()] = one;
    for (const auto& [key, partition] : partitions_) {
      if (key.first != topic.topic()) continue;
      // A partition that is not known by now was added since.
      topic.mutable_from()->set_earliest(true);
      v1::PartitionPosition& position = positions[key.second];
      position.set_partition(key.second);
      position.set_offset(partition.next_offset);
      position.set_incarnation(partition.incarnation);
    }
    topic.clear_partitions();
    for (const auto& [number, position] : positions) *topic.add_partitions() = position;
    *start.add_topics() = std::move(topic);
  }
  return start;
}

bool SubscriptionState::ReachedAllEnds() const {
  if (in_group() || !failure_.ok()) return false;
  for (const v1::TopicPosition& topic : options_.topics) {
    if (deleted_.count(topic.topic()) > 0) continue;
    const auto first = partitions_.lower_bound(Key(topic.topic(), -1));
    if (first == partitions_.end() || first->first.first != topic.topic()) return false;
  }
  return std::all_of(partitions_.begin(), partitions_.end(),
                     [](const auto& one) { return one.second.reached_end; });
}

std::vector<SubscribedPartition> SubscriptionState::partitions() const {
  std::vector<SubscribedPartition> all;
  for (const auto& [key, partition] : partitions_) {
    if (partition.assignment != 0) all.push_back(Describe(partition));
  }
  return all;
}

}  // namespace acta::client
