#include "tests/crash/queue_store.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "acta/v1/event.pb.h"
#include "proto/support/wire.h"
#include "storage/base/status_macros.h"
#include "tests/crash/crash_load.h"
#include "tests/crash/queue_history.h"

namespace acta {
namespace {

constexpr int64_t kHandBytes = 1 << 20;

class SilentMember final : public MemberListener {
 public:
  void OnAssigned(const MemberAssignment&) override {}
  void OnRevoking(uint64_t, absl::Duration) override {}
  void OnRevoked(uint64_t) override {}
  void OnPaused(bool) override {}
  void OnQueued() override {}
  void OnEnded(const absl::Status&) override {}
};

}  // namespace

std::string PlaceData(int32_t partition, int64_t offset) {
  return absl::StrCat("job ", partition, "/", offset, " ");
}

std::string LaterData(int64_t number) { return absl::StrCat("later ", number, " "); }

LocalEngineOptions QueueStore::Options(const std::string& folder) {
  LocalEngineOptions options = SmallEngineOptions(folder);
  options.slice_age = absl::Minutes(10);
  return options;
}

QueueStore::QueueStore(LocalEngineOptions options, FakeClock& clock, FatalSink& sink, StepTear tear)
    : options_(std::move(options)), clock_(clock), sink_(sink), tear_(tear) {}

QueueStore::~QueueStore() { Close(); }

absl::Status QueueStore::Open() {
  LocalEngineOptions options = options_;
  options.before_trim = [this](PartitionId partition, Offset first) -> absl::Status {
    if (groups_ == nullptr) return absl::UnavailableError("the groups are not loaded yet");
    if (retention_held_) return absl::UnavailableError("retention is held");
    return groups_->KeepCopies(partition, first);
  };
  options.after_trim = [this](const std::vector<PartitionId>& partitions) {
    if (groups_ != nullptr) groups_->TrimEnded(partitions);
  };
  ASSIGN_OR_RETURN(engine_, LocalLogEngine::Open(options, sink_, clock_));
  topics_ = std::make_unique<TopicRegistry>(*engine_, TopicLimits());
  RETURN_IF_ERROR(topics_->Load());
  if (tear_ != StepTear::kNone) torn_ = std::make_unique<TornEngine>(*engine_, tear_);
  LogEngine* const changes =
      torn_ != nullptr ? static_cast<LogEngine*>(torn_.get()) : engine_.get();
  groups_ = std::make_unique<GroupRegistry>(
      GroupRegistry::Deps{*changes, clock_, *topics_, authorizer_, pool_, timer_, GroupLimits()});
  RETURN_IF_ERROR(groups_->Load());
  claims_ = std::make_unique<ClaimRegistry>(
      ClaimRegistry::Deps{*changes, *groups_, authorizer_, still_timer_, ClaimLimits()});
  schedules_ = std::make_unique<Schedules>(
      Schedules::Deps{*changes, *topics_, pool_, timer_, ScheduleLimits()});
  RETURN_IF_ERROR(schedules_->Load());
  Run();
  return absl::OkStatus();
}

void QueueStore::Close() {
  Run();
  if (engine_ != nullptr) engine_->Stop();
  schedules_.reset();
  claims_.reset();
  groups_.reset();
  topics_.reset();
  Run();
  torn_.reset();
  engine_.reset();
}

absl::Status QueueStore::HoldRetention(bool held) {
  retention_held_ = held;
  // Behind what has begun.
  return held ? engine_->MaintainNow() : absl::OkStatus();
}

void QueueStore::Advance(absl::Duration by) {
  clock_.Advance(by);
  timer_.Advance(by);
  Run();
}

PartitionId QueueStore::Partition(int32_t number) const {
  return topics_->Find("default", kQueueTopic)->partition(number);
}

PartitionId QueueStore::ResultPartition(int32_t number) const {
  return topics_->Find("default", kResultTopic)->partition(number);
}

PartitionId QueueStore::OutcomePartition() const {
  return topics_->Find("default", kOutcomeTopic)->partition(0);
}

absl::StatusOr<std::unique_ptr<QueueHand>> QueueHand::Join(QueueStore& store,
                                                           const std::string& group) {
  JoinRequest request;
  request.group = group;
  std::unique_ptr<QueueHand> hand(new QueueHand(store));
  ASSIGN_OR_RETURN(hand->membership_,
                   store.groups().Join(store.caller(), request, std::make_shared<SilentMember>()));
  store.Run();
  return hand;
}

// What is read from the disk comes with a later call.
void QueueHand::Take(int64_t most) {
  std::vector<QueueDelivery> taken;
  std::vector<QueueProblem> problems;
  for (bool more = true; more && most > 0;) {
    const LeaseBounds leased = queue().Take(session(), {most, kHandBytes}, &taken, &problems);
    most -= leased.events;
    more = store_.Run() > 0;
  }
  queue().Take(session(), {}, &taken, &problems);
  for (const QueueDelivery& delivery : taken) {
    EventElements elements(
        delivery.batch->payload.view().substr(delivery.begin, delivery.end - delivery.begin));
    absl::string_view bytes;
    for (uint32_t i = 0; i < delivery.count; ++i) {
      v1::Event event;
      Leased leased;
      leased.partition = delivery.partition.partition();
      leased.offset = delivery.first.value() + i;
      leased.attempt = delivery.attempt;
      leased.redrives = delivery.redrives;
      leased.whole = elements.Next(&bytes) &&
                     event.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())) &&
                     absl::StartsWith(event.data(), PlaceData(leased.partition, leased.offset));
      leased.keyed = !event.key().empty();
      hand_.push_back(leased);
    }
  }
}

void QueueHand::Leave(bool cleanly) {
  if (cleanly) membership_->Leave();
  membership_.reset();
  store_.Run();
  hand_.clear();
}

}  // namespace acta
