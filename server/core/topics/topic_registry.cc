#include "server/core/topics/topic_registry.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "acta/storage/v1/records.pb.h"
#include "proto/support/error.h"
#include "proto/support/limit_error.h"
#include "proto/support/proto_time.h"
#include "server/core/topics/topic_rules.h"
#include "server/core/topics/topic_snapshot.h"
#include "storage/base/bytes.h"
#include "storage/base/log.h"
#include "storage/base/status_macros.h"
#include "storage/layout/rows.h"
#include "storage/submit_and_wait.h"

namespace acta {
namespace {

TopicPtr MakeTopic(TopicId id, std::string tenant, v1::Topic proto, int64_t ledger_since_us) {
  auto topic = std::make_shared<Topic>();
  topic->id = id;
  topic->tenant = std::move(tenant);
  topic->settings = SettingsOf(proto);
  topic->proto = std::move(proto);
  topic->ledger_since_us = ledger_since_us;
  return topic;
}

RowWrite RecordOf(const Topic& topic) {
  storage::v1::TopicRecord record;
  record.set_topic_id(topic.id.value());
  record.set_tenant(topic.tenant);
  *record.mutable_topic() = topic.proto;
  record.set_ledger_since_us(topic.ledger_since_us);
  return {Family::kMeta, TopicRow(topic.tenant, topic.name()), record.SerializeAsString()};
}

RowWrite DeletionOf(const Topic& topic) {
  return {Family::kMeta, TopicRow(topic.tenant, topic.name()), std::nullopt};
}

}  // namespace

TopicRegistry::TopicRegistry(LogEngine& engine, TopicLimits limits)
    : engine_(engine), limits_(limits), snapshot_(std::make_shared<const Snapshot>()) {}

TopicRegistry::~TopicRegistry() = default;

std::shared_ptr<const TopicRegistry::Snapshot> TopicRegistry::snapshot() const {
  MutexLock lock(snapshot_mu_);
  return snapshot_;
}

void TopicRegistry::Publish(std::shared_ptr<const Snapshot> next) {
  MutexLock lock(snapshot_mu_);
  snapshot_.swap(next);  // The old one may be freed here, after the lock.
  version_.fetch_add(1, std::memory_order_release);
}

absl::Status TopicRegistry::LoadNextId() {
  ASSIGN_OR_RETURN(const auto rows, engine_.LoadRows(Family::kMeta, kNextTopicIdRow));
  for (const auto& [key, value] : rows) {
    if (key != kNextTopicIdRow) continue;
    if (value.size() != 8) return Error(v1::DATA_CORRUPTED, "the counter of topic ids is damaged");
    next_topic_id_ = std::max(next_topic_id_, GetLittle<uint64_t>(value.data()));
  }
  return absl::OkStatus();
}

absl::Status TopicRegistry::Load() {
  MutexLock lock(write_mu_);
  RETURN_IF_ERROR(LoadNextId());
  ASSIGN_OR_RETURN(const auto rows, engine_.LoadRows(Family::kMeta, kTopicRows));
  auto next = std::make_shared<Snapshot>();
  for (const auto& [key, value] : rows) {
    storage::v1::TopicRecord record;
    if (!record.ParseFromString(value) || key != TopicRow(record.tenant(), record.topic().name())) {
      return Error(v1::DATA_CORRUPTED, absl::StrCat("the record '", key, "' cannot be read"));
    }
    if (record.topic().journey() == v1::JOURNEY_MODE_UNSPECIFIED) {
      record.mutable_topic()->set_journey(v1::JOURNEY_MODE_FULL);  // Made before there were any.
    }
    const TopicId id(record.topic_id());
    next_topic_id_ = std::max(next_topic_id_, id.value() + 1);
    TopicPtr topic = MakeTopic(id, record.tenant(), std::move(*record.mutable_topic()),
                               record.ledger_since_us());
    RETURN_IF_ERROR(engine_.OpenTopic(id, topic->partitions(), topic->settings));
    next->Put(std::move(topic));
  }
  Publish(std::move(next));
  return absl::OkStatus();
}

TopicPtr TopicRegistry::Find(absl::string_view tenant, absl::string_view name) const {
  const std::shared_ptr<const Snapshot> topics = snapshot();
  const auto at = topics->by_name.find(Snapshot::View(tenant, name));
  return at == topics->by_name.end() ? nullptr : at->second;
}

TopicPtr TopicRegistry::FindById(TopicId id) const {
  const std::shared_ptr<const Snapshot> topics = snapshot();
  const auto at = topics->by_id.find(id);
  return at == topics->by_id.end() ? nullptr : at->second;
}

absl::StatusOr<TopicPtr> TopicRegistry::Get(absl::string_view tenant,
                                            absl::string_view name) const {
  TopicPtr topic = Find(tenant, name);
  if (topic == nullptr) return TopicNotFound(name);
  return topic;
}

absl::Status TopicRegistry::Write(std::vector<RowWrite> rows) {
  Transaction transaction;
  transaction.rows = std::move(rows);
  transaction.atomic = true;
  transaction.level = Level::kFsync;
  return SubmitAndWait(engine_, std::move(transaction)).status;
}

absl::Status TopicRegistry::CheckRoomFor(int64_t more_partitions) const {
  const int64_t wanted = partition_count() + more_partitions;
  if (more_partitions <= 0 || wanted <= limits_.max_partitions) return absl::OkStatus();
  return LimitExceeded("the server would have partitions:", wanted, "limits.partitions",
                       limits_.max_partitions);
}

absl::StatusOr<v1::CreateTopicResponse> TopicRegistry::Create(
    const Caller& caller, const v1::CreateTopicRequest& request) {
  RETURN_IF_ERROR(CheckTenant(caller, request.tenant()));
  ASSIGN_OR_RETURN(v1::Topic proto, MakeTopicProto(request.topic(), limits_));
  SetTime(engine_.Now(), proto.mutable_create_time());
  *proto.mutable_update_time() = proto.create_time();

  MutexLock lock(write_mu_);
  RETURN_IF_ERROR(CheckDeadline(caller));
  if (Find(caller.tenant, proto.name()) != nullptr) {
    return Error(
        v1::TOPIC_ALREADY_EXISTS,
        absl::StrCat("topic '", proto.name(), "' already exists: use it, or choose another name"),
        {{"topic", proto.name()}});
  }
  RETURN_IF_ERROR(CheckRoomFor(proto.partitions()));
  // A number whose write failed may have been written: it is not used again.
  const TopicPtr topic = MakeTopic(TopicId(next_topic_id_++), caller.tenant, std::move(proto), 0);
  std::string next_id(8, '\0');
  PutLittle<uint64_t>(next_id.data(), next_topic_id_);
  RETURN_IF_ERROR(Write({RecordOf(*topic), {Family::kMeta, kNextTopicIdRow, next_id}}));
  if (absl::Status opened = engine_.OpenTopic(topic->id, topic->partitions(), topic->settings);
      !opened.ok()) {
    // Nobody was told of it: it must not be there after a restart either.
    const absl::Status removed = Write({DeletionOf(*topic)});
    if (!removed.ok()) LogWarn("a topic that was not opened stays", {{"topic", topic->name()}});
    return opened;
  }
  auto next = std::make_shared<Snapshot>(*snapshot());
  next->Put(topic);
  Publish(std::move(next));

  v1::CreateTopicResponse response;
  *response.mutable_topic() = topic->proto;
  return response;
}

absl::StatusOr<v1::UpdateTopicResponse> TopicRegistry::Update(
    const Caller& caller, const v1::UpdateTopicRequest& request) {
  RETURN_IF_ERROR(CheckTenant(caller, request.tenant()));
  RETURN_IF_ERROR(CheckMask(request.update_mask()));
  MutexLock lock(write_mu_);
  RETURN_IF_ERROR(CheckDeadline(caller));
  ASSIGN_OR_RETURN(const TopicPtr before, Get(caller.tenant, request.topic().name()));
  ASSIGN_OR_RETURN(v1::Topic proto, ApplyTopicUpdate(before->proto, request, limits_));
  RETURN_IF_ERROR(CheckRoomFor(proto.partitions() - before->partitions()));
  const absl::Time now = engine_.Now();
  SetTime(now, proto.mutable_update_time());
  const bool switched_on =
      before->proto.journey() == v1::JOURNEY_MODE_OFF && proto.journey() != v1::JOURNEY_MODE_OFF;
  const int64_t ledger_since_us = switched_on ? absl::ToUnixMicros(now) : before->ledger_since_us;
  const TopicPtr after = MakeTopic(before->id, before->tenant, std::move(proto), ledger_since_us);
  RETURN_IF_ERROR(Write({RecordOf(*after)}));
  if (absl::Status opened = engine_.OpenTopic(after->id, after->partitions(), after->settings);
      !opened.ok()) {
    const absl::Status restored = Write({RecordOf(*before)});
    if (!restored.ok()) LogWarn("a refused topic change stays", {{"topic", after->name()}});
    return opened;
  }
  auto next = std::make_shared<Snapshot>(*snapshot());
  next->Put(after);
  Publish(std::move(next));
  if (listener_) listener_(*after, false);

  v1::UpdateTopicResponse response;
  *response.mutable_topic() = after->proto;
  return response;
}

absl::StatusOr<v1::DeleteTopicResponse> TopicRegistry::Delete(
    const Caller& caller, const v1::DeleteTopicRequest& request) {
  RETURN_IF_ERROR(CheckTenant(caller, request.tenant()));
  MutexLock lock(write_mu_);
  RETURN_IF_ERROR(CheckDeadline(caller));
  ASSIGN_OR_RETURN(const TopicPtr topic, Get(caller.tenant, request.name()));
  if (delete_check_) RETURN_IF_ERROR(delete_check_(*topic, request.force()));
  RETURN_IF_ERROR(Write({DeletionOf(*topic)}));
  auto next = std::make_shared<Snapshot>(*snapshot());
  next->Remove(*topic);
  Publish(std::move(next));
  engine_.DropTopic(topic->id);
  if (listener_) listener_(*topic, true);
  return v1::DeleteTopicResponse();
}

void TopicRegistry::SetDeleteCheck(
    absl::AnyInvocable<absl::Status(const Topic&, bool) const> check) {
  delete_check_ = std::move(check);
}

void TopicRegistry::SetChangeListener(absl::AnyInvocable<void(const Topic&, bool) const> listener) {
  listener_ = std::move(listener);
}

std::vector<TopicPtr> TopicRegistry::All() const {
  const auto now = snapshot();
  std::vector<TopicPtr> all;
  all.reserve(now->by_name.size());
  for (const auto& [name, topic] : now->by_name) all.push_back(topic);
  return all;
}

int64_t TopicRegistry::topic_count() const {
  return static_cast<int64_t>(snapshot()->by_id.size());
}

int64_t TopicRegistry::partition_count() const { return snapshot()->partitions; }

}  // namespace acta
