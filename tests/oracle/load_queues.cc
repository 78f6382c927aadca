#include "tests/oracle/load_queues.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "client/cpp/admin.h"
#include "client/cpp/grpc_status.h"
#include "proto/support/proto_time.h"
#include "storage/base/status_macros.h"

namespace acta::oracle {
namespace {

constexpr absl::Duration kLookAgain = absl::Milliseconds(100);
constexpr absl::Duration kBetweenLives = absl::Milliseconds(20);
// Lives of one worker.
constexpr int64_t kMostLives = 1'000'000;

QueueGroup MakeGroup(int32_t number, QueueOrderWord order, bool healthy) {
  constexpr const char* kNames[] = {"queue", "queue-by-key", "queue-relaxed"};
  QueueGroup group;
  group.number = number;
  group.name = kNames[static_cast<size_t>(order)];
  group.order = order;
  group.holds = order == QueueOrderWord::kKeyRelaxed;
  group.max_attempts = healthy ? 10 : group.holds ? 3 : 6;
  group.lease = absl::Seconds(4);
  group.first_backoff = absl::Milliseconds(100);
  group.longest_backoff = absl::Seconds(1);
  group.healthy = healthy;
  return group;
}

v1::QueueOrder OrderFor(QueueOrderWord order) {
  switch (order) {
    case QueueOrderWord::kUnordered:
      return v1::QUEUE_ORDER_UNORDERED;
    case QueueOrderWord::kKey:
      return v1::QUEUE_ORDER_KEY;
    case QueueOrderWord::kKeyRelaxed:
      return v1::QUEUE_ORDER_KEY_RELAXED;
  }
  return v1::QUEUE_ORDER_UNSPECIFIED;
}

LetterReason ReasonFrom(v1::DeadLetterReason reason) {
  switch (reason) {
    case v1::DEAD_LETTER_REASON_REJECTED:
      return LetterReason::kRejected;
    case v1::DEAD_LETTER_REASON_ATTEMPTS_EXHAUSTED:
      return LetterReason::kExhausted;
    default:
      return LetterReason::kOther;
  }
}

absl::StatusOr<v1::GetLagResponse> LagOf(const LoadContext& load, const QueueGroup& group) {
  client::Admin admin(load.channel);
  v1::GetLagRequest request;
  request.set_group(group.name);
  return admin.GetLag(request);
}

bool IsThrough(const LoadContext& load, const QueueGroup& group) {
  const auto lag = LagOf(load, group);
  if (!lag.ok()) return false;
  for (const v1::PartitionLag& partition : lag->partitions()) {
    const v1::QueueLag& queue = partition.queue();
    if (queue.ready() + queue.leased() + queue.retry_wait() + queue.blocked_by_key() +
            queue.held() + queue.not_scanned() >
        0) {
      return false;
    }
  }
  return true;
}

}  // namespace

struct QueueLoad::Group {
  Group(const LoadContext& load, QueueGroup of, StopFlag& calm)
      : group(std::move(of)), work{load, group, calm} {}

  const QueueGroup group;
  std::unique_ptr<QueueDecider> decider;  // Null: nothing is held.
  QueueWork work;
};

QueueLoad::QueueLoad(const LoadContext& load)
    : load_(load), working_{load.options, load.channel, through_} {
  if (!load.options.healthy) {
    groups_.push_back(
        std::make_unique<Group>(working_, MakeGroup(1, QueueOrderWord::kUnordered, false), calm_));
    groups_.push_back(
        std::make_unique<Group>(working_, MakeGroup(3, QueueOrderWord::kKeyRelaxed, false), calm_));
  }
  groups_.push_back(std::make_unique<Group>(
      working_, MakeGroup(2, QueueOrderWord::kKey, load.options.healthy), calm_));
}

QueueLoad::~QueueLoad() {
  calm_.Stop();
  through_.Stop();
  for (std::thread& thread : threads_) thread.join();
}

absl::Status QueueLoad::Start() {
  ASSIGN_OR_RETURN(file_, RecordFile::Create(absl::StrCat(load_.options.folder, "/groups.queue")));
  RETURN_IF_ERROR(Insist(load_, [&] { return CreateResults(); }));
  for (const auto& group : groups_) {
    RETURN_IF_ERROR(Insist(load_, [&] { return Create(group->group); }));
  }
  for (const auto& group : groups_) {
    if (group->group.holds) {
      group->decider = std::make_unique<QueueDecider>(working_, group->group, calm_, *file_);
      group->work.decider = group->decider.get();
      threads_.emplace_back([raw = group->decider.get()] { raw->Run(); });
    }
    for (int32_t worker = 1; worker <= load_.options.workers; ++worker) {
      threads_.emplace_back([this, worker, raw = group.get()] { RunWorker(raw, worker); });
    }
  }
  return absl::OkStatus();
}

absl::Status QueueLoad::Create(const QueueGroup& group) {
  client::Admin admin(load_.channel);
  v1::CreateGroupRequest request;
  request.mutable_group()->set_name(group.name);
  request.mutable_group()->add_topics(load_.options.topic);
  request.mutable_group()->set_mode(v1::GROUP_MODE_QUEUE);
  request.mutable_start()->set_earliest(true);
  v1::QueueSettings& settings = *request.mutable_group()->mutable_queue();
  settings.set_order(OrderFor(group.order));
  settings.set_on_exhausted(group.holds ? v1::ON_EXHAUSTED_HOLD_KEY : v1::ON_EXHAUSTED_DEAD_LETTER);
  settings.set_max_attempts(group.max_attempts);
  SetDuration(group.lease, settings.mutable_lease());
  SetDuration(group.first_backoff, settings.mutable_backoff_initial());
  SetDuration(group.longest_backoff, settings.mutable_backoff_max());
  const absl::Status status = admin.CreateGroup(request).status();
  if (!status.ok() && !absl::IsAlreadyExists(status)) return status;
  QueueRecord record;
  record.kind = QueueRecord::Kind::kGroup;
  record.group = group.number;
  record.attempt = group.max_attempts;
  record.until_us = absl::ToInt64Microseconds(group.lease);
  record.delay_us = absl::ToInt64Microseconds(group.first_backoff);
  record.since_us = absl::ToInt64Microseconds(group.longest_backoff);
  record.detail = static_cast<int32_t>(group.order);
  record.key = group.holds ? 1 : 0;
  file_->Write({record}, true);
  return absl::OkStatus();
}

void QueueLoad::RunWorker(Group* group, int32_t worker) {
  const auto file = RecordFile::Create(
      absl::StrCat(load_.options.folder, "/worker-", group->group.number, "-", worker, ".queue"));
  if (!file.ok()) return;  // Others do its work, or the group does not get through.
  std::vector<InHand> held;
  const int64_t first = (group->group.number * 1000 + worker) * kMostLives;
  for (int64_t life = 0; !through_.stopped(); ++life) {
    QueueWorker one(group->work, worker, first + life, file->get(), std::move(held));
    held = one.Run(int64_t{load_.options.rejoin_after} * (1 + life % 3));
    through_.WaitFor(kBetweenLives);
  }
}

absl::Status QueueLoad::Finish() {
  calm_.Stop();
  absl::Status status;
  const absl::Time deadline = absl::Now() + load_.options.patience;
  for (const auto& group : groups_) {
    while (!IsThrough(load_, group->group) && absl::Now() < deadline) {
      through_.WaitFor(kLookAgain);
    }
    if (absl::Now() >= deadline && status.ok()) {
      status = absl::DeadlineExceededError(absl::StrCat(group->group.name, " is not through"));
    }
  }
  through_.Stop();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  for (const auto& group : groups_) {
    RETURN_IF_ERROR(Insist(load_, [&] { return WriteEnd(group->group); }));
  }
  RETURN_IF_ERROR(Insist(load_, [&] { return WriteResults(); }));
  return status;
}

absl::Status QueueLoad::CreateResults() {
  client::Admin admin(load_.channel);
  v1::CreateTopicRequest request;
  request.mutable_topic()->set_name(kResultTopic);
  request.mutable_topic()->set_partitions(1);
  const absl::Status status = admin.CreateTopic(request).status();
  return absl::IsAlreadyExists(status) ? absl::OkStatus() : status;
}

absl::Status QueueLoad::WriteResults() {
  const auto stub = v1::Subscriber::NewStub(load_.channel->grpc());
  std::vector<QueueRecord> records;
  v1::FetchRequest request;
  request.set_topic(kResultTopic);
  while (true) {
    grpc::ClientContext context;
    v1::FetchResponse page;
    RETURN_IF_ERROR(client::FromGrpc(stub->Fetch(&context, request, &page), ""));
    for (const v1::DeliveredBatch& batch : page.batches()) {
      for (const v1::Event& event : batch.events()) {
        ASSIGN_OR_RETURN(const QueueRecord record,
                         ParseQueueRecord(absl::StripSuffix(event.data(), "\n")));
        records.push_back(record);
      }
    }
    if (page.next_offset() == request.offset()) break;
    request.set_offset(page.next_offset());
  }
  file_->Write(std::move(records), true);
  return absl::OkStatus();
}

absl::Status QueueLoad::WriteEnd(const QueueGroup& group) {
  ASSIGN_OR_RETURN(const v1::GetLagResponse lag, LagOf(load_, group));
  std::vector<QueueRecord> records;
  QueueRecord record;
  record.group = group.number;
  for (const v1::PartitionLag& partition : lag.partitions()) {
    record.kind = QueueRecord::Kind::kEnd;
    record.partition = partition.partition();
    record.offset = partition.end_offset();
    records.push_back(record);
  }
  client::Admin admin(load_.channel);
  v1::ListDeadLettersRequest request;
  request.set_group(group.name);
  request.set_page_size(1000);
  do {
    ASSIGN_OR_RETURN(const v1::ListDeadLettersResponse page, admin.ListDeadLetters(request));
    for (const v1::DeadLetter& letter : page.dead_letters()) {
      if (letter.held()) continue;
      record.kind = QueueRecord::Kind::kLetter;
      record.partition = letter.ref().partition();
      record.offset = letter.ref().offset();
      record.attempt = letter.attempts();
      record.detail = static_cast<int32_t>(ReasonFrom(letter.reason()));
      records.push_back(record);
    }
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  file_->Write(std::move(records), true);
  return absl::OkStatus();
}

}  // namespace acta::oracle
