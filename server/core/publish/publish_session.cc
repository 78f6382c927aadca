#include "server/core/publish/publish_session.h"

#include <algorithm>
#include <atomic>
#include <iterator>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "proto/support/limit_error.h"
#include "server/core/access/names.h"
#include "storage/base/status_macros.h"

namespace acta {
namespace {

uint64_t NextSessionNumber() {
  static std::atomic<uint64_t> last{0};
  return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

SharedBytes Encode(const v1::BatchContext& context) {
  return SharedBytes(context.SerializeAsString());
}

absl::Status CheckLevel(int32_t level) {
  if (v1::AckLevel_IsValid(level)) return absl::OkStatus();
  return Error(v1::UNKNOWN_ENUM_VALUE,
               absl::StrCat("level ", level,
                            " is not an ack level of this server; use OS (1), "
                            "FSYNC (2) or leave it out"),
               {{"field", "level"}, {"value", absl::StrCat(level)}});
}

absl::Status CheckTopicName(absl::string_view name) {
  if (name.size() <= kMaxNameBytes) return absl::OkStatus();
  return LimitError{
      v1::INVALID_NAME, "the topic name has bytes:",     name.size(), "max_name_bytes",
      kMaxNameBytes,    "use 1 to 249 of [a-zA-Z0-9._-]"}
      .Make({{"field", "topic"}});
}

absl::Status CheckProducerName(absl::string_view field, absl::string_view name) {
  if (name.size() <= kMaxAppNameBytes) return absl::OkStatus();
  const std::string what = absl::StrCat("open.", field, " has bytes:");
  return LimitError{v1::INVALID_ARGUMENT, what, name.size(), "max_app_name_bytes", kMaxAppNameBytes,
                    "use a shorter one"}
      .Make({{"field", std::string(field)}});
}

// Scheduled events are rows, which the engine takes while there is any disk and memory, because
// most of them are acks. These are publishes.
absl::Status CheckRoomForRows(const LogEngine& engine) {
  const DiskState disk = engine.disk_state();
  if (disk == DiskState::kSoft || disk == DiskState::kHard) {
    return Error(v1::DISK_FULL,
                 "free disk is below the soft watermark; free some or lower retention",
                 {{"limit", "storage.disk_soft_bytes"}});
  }
  return CheckInFlight(engine);
}

// They share a context in memory, and each is written with its own: few bytes of a frame can become
// many of one write.
absl::Status CheckContexts(const std::vector<Append>& appends) {
  constexpr size_t kUsual = 256;
  uint64_t bytes = 0;
  for (const Append& append : appends) bytes += std::max(append.context.size(), kUsual) - kUsual;
  if (bytes <= kMaxFrameContextBytes) return absl::OkStatus();
  return LimitError{
      v1::FRAME_TOO_LARGE,
      "what is stored beside the batches of the frame, once for each partition that they go to, "
      "has bytes:",
      bytes,
      "max_frame_context_bytes",
      kMaxFrameContextBytes,
      "split the frame"}
      .Make();
}

// Payloads outlive their frame in the caches of the engine, which count the payloads only: a frame
// that is mostly something else must not stay with them.
void OwnSmallPayloads(const SharedBytes& frame, std::vector<Append>* appends) {
  size_t used = 0;
  for (const Append& append : *appends) {
    if (append.payload.owner() == frame.owner()) used += append.payload.size();
  }
  if (used >= frame.size() / 2) return;
  for (Append& append : *appends) {
    if (append.payload.owner() != frame.owner()) continue;
    append.payload = SharedBytes::Copy(append.payload.view());
  }
}

}  // namespace

absl::Status CheckInFlight(const LogEngine& engine) {
  if (engine.HasRoom()) return absl::OkStatus();
  return Error(v1::PUBLISH_QUEUE_FULL,
               "limit storage.in_flight is reached by publishes being written; retry after the "
               "delay",
               {{"limit", "storage.in_flight"}});
}

PublishSession::PublishSession(const Deps& deps, Caller caller, bool stream,
                               v1::BatchContext causation)
    : deps_(deps),
      caller_(std::move(caller)),
      stream_(stream),
      number_(NextSessionNumber()),
      producer_(std::move(causation)),
      next_sticky_(static_cast<uint32_t>(number_)),
      preparer_(deps_.engine, deps_.schedules, deps_.limits) {
  producer_.set_principal(caller_.principal);
  context_ = Encode(producer_);
}

absl::Status PublishSession::Begin(SharedBytes frame) {
  bytes_ = std::move(frame);
  RETURN_IF_ERROR(
      ParsePublishFrame(bytes_.view(), static_cast<size_t>(deps_.limits.max_batches), &frame_));
  if (stream_ && !opened_ && !frame_.open.has_value()) {
    return Error(v1::STREAM_NOT_OPENED, "the first frame must open the stream; set `open` in it");
  }
  return absl::OkStatus();
}

bool PublishSession::MayBlock() const {
  return std::any_of(frame_.batches.begin(), frame_.batches.end(),
                     [](const PartitionBatchView& batch) { return batch.caused_by.has_value(); });
}

absl::Status PublishSession::Take(Done done) {
  PreparedFrame prepared;
  RETURN_IF_ERROR(PrepareBegun(&prepared));
  FrameInFlight& flight = *prepared.flight;
  flight.done = std::move(done);
  if (prepared.appends.empty() && flight.schedules.empty()) {
    std::move(flight.done)(std::move(flight.result));
  } else {
    Submit(std::move(prepared));
  }
  return absl::OkStatus();
}

absl::Status PublishSession::Prepare(const SharedBytes& frame, PreparedFrame* out) {
  RETURN_IF_ERROR(Begin(frame));
  return PrepareBegun(out);
}

void PublishSession::LetGo() {
  frame_.batches.clear();  // Views of a frame that goes.
  caused_contexts_.clear();
  topic_.reset();
  told_topic_.reset();
  bytes_ = SharedBytes();
}

absl::Status PublishSession::PrepareBegun(PreparedFrame* out) {
  const auto cleanup = absl::MakeCleanup([this] { LetGo(); });
  out->flight = std::make_shared<FrameInFlight>();
  FrameInFlight& flight = *out->flight;
  flight.result.set_frame_id(frame_.frame_id);
  flight.result.set_incarnation(deps_.engine.incarnation().value());
  if (const absl::Status status = CheckFrame(bytes_.size()); !status.ok()) {
    *flight.result.mutable_error() = ToProto(status);
    return absl::OkStatus();
  }
  PreparedAppends prepared;
  RETURN_IF_ERROR(PrepareBatches(&prepared, &flight.result));
  if (const absl::Status status = CheckContexts(prepared.appends); !status.ok()) {
    flight.result.clear_batches();
    *flight.result.mutable_error() = ToProto(status);
    return absl::OkStatus();
  }
  OwnSmallPayloads(bytes_, &prepared.appends);
  out->appends = std::move(prepared.appends);
  out->level = FrameLevel();
  flight.parts = std::move(prepared.parts);
  flight.batches = std::move(prepared.batches);
  flight.schedules = std::move(prepared.schedules);
  flight.atomic = flight.all_or_nothing = frame_.atomic;
  for (PreparedSchedules& one : flight.schedules) {
    std::vector<RowWrite> rows = one.reservation.TakeRows();
    std::move(rows.begin(), rows.end(), std::back_inserter(out->rows));
  }
  return absl::OkStatus();
}

absl::Status PublishSession::CheckFrame(size_t bytes) {
  if (stream_) {
    if (framed_ && frame_.frame_id <= last_frame_id_) {
      return Error(v1::FRAME_ID_NOT_RISING,
                   absl::StrCat("frame id ", frame_.frame_id, " came after ", last_frame_id_,
                                "; number frames upwards"),
                   {{"frame_id", absl::StrCat(frame_.frame_id)},
                    {"last_frame_id", absl::StrCat(last_frame_id_)}});
    }
    framed_ = true;
    last_frame_id_ = frame_.frame_id;
  }
  if (frame_.open.has_value()) RETURN_IF_ERROR(Open(*frame_.open));
  RETURN_IF_ERROR(CheckTenant(caller_, frame_.tenant));
  RETURN_IF_ERROR(CheckLevel(frame_.level));
  if (frame_.batch_count == 0 && !(stream_ && frame_.open.has_value())) {
    return Error(v1::EMPTY_PUBLISH, "the frame has no batches; send at least one");
  }
  return CheckLimits(bytes);
}

absl::Status PublishSession::CheckLimits(size_t bytes) const {
  const auto max_bytes = static_cast<uint64_t>(deps_.limits.max_frame_bytes);
  if (bytes > max_bytes) {
    return LimitError{v1::FRAME_TOO_LARGE, "the frame has bytes:", bytes, "limits.max_frame",
                      max_bytes,           "split the frame"}
        .Make();
  }
  const auto max_batches = static_cast<uint64_t>(deps_.limits.max_batches);
  if (frame_.batch_count > max_batches) {
    return LimitError{v1::FRAME_TOO_LARGE, "the frame has batches:",
                      frame_.batch_count,  "limits.batches_per_frame",
                      max_batches,         "split the frame"}
        .Make();
  }
  RETURN_IF_ERROR(CheckEvents());
  RETURN_IF_ERROR(CheckScheduled());
  return frame_.atomic ? CheckAtomic() : absl::OkStatus();
}

absl::Status PublishSession::CheckEvents() const {
  uint64_t events = 0;
  for (const PartitionBatchView& batch : frame_.batches) events += batch.count;
  const auto max_events = static_cast<uint64_t>(deps_.limits.max_frame_events);
  if (events <= max_events) return absl::OkStatus();
  return LimitError{v1::FRAME_TOO_LARGE, "the frame has events:", events, "limits.events_per_frame",
                    max_events,          "split the frame"}
      .Make();
}

absl::Status PublishSession::CheckScheduled() const {
  uint64_t events = 0;
  for (const PartitionBatchView& batch : frame_.batches) {
    if (batch.deliver_at_us != 0) events += batch.count;
  }
  const auto max_events = static_cast<uint64_t>(deps_.limits.max_scheduled_events);
  if (events == 0) return absl::OkStatus();
  if (events <= max_events) return CheckRoomForRows(deps_.engine);
  return LimitError{v1::FRAME_TOO_LARGE,
                    "the frame has events to be scheduled:",
                    events,
                    "max_scheduled_per_frame",
                    max_events,
                    "split the frame"}
      .Make();
}

absl::Status PublishSession::CheckAtomic() const {
  uint64_t events = 0;
  uint64_t event_bytes = 0;
  for (const PartitionBatchView& batch : frame_.batches) {
    events += batch.count;
    event_bytes += batch.events.size();
  }
  const auto max_events = static_cast<uint64_t>(deps_.limits.max_atomic_events);
  if (events > max_events) {
    return LimitError{
        v1::ATOMIC_TOO_LARGE, "the atomic publish has events:", events, "limits.events_per_atomic",
        max_events,           "publish less in one atomic call"}
        .Make();
  }
  const auto max_atomic_bytes = static_cast<uint64_t>(deps_.limits.max_atomic_bytes);
  if (event_bytes > max_atomic_bytes) {
    return LimitError{v1::ATOMIC_TOO_LARGE, "the atomic publish has bytes of events:",
                      event_bytes,          "limits.atomic",
                      max_atomic_bytes,     "publish less in one atomic call"}
        .Make();
  }
  return absl::OkStatus();
}

absl::Status PublishSession::Open(const PublishOpenView& open) {
  if (opened_) {
    return Error(v1::WRONG_STREAM_STATE,
                 "the stream is already open; set `open` in its first frame only");
  }
  RETURN_IF_ERROR(CheckTenant(caller_, open.tenant));
  RETURN_IF_ERROR(CheckLevel(open.level));
  RETURN_IF_ERROR(CheckTopicName(open.topic));  // It is kept as long as the stream.
  RETURN_IF_ERROR(CheckProducerName("app", open.app));
  RETURN_IF_ERROR(CheckProducerName("app_version", open.app_version));
  RETURN_IF_ERROR(CheckProducerName("instance", open.instance));
  open_topic_ = std::string(open.topic);
  open_level_ = open.level;
  producer_.set_app(std::string(open.app));
  producer_.set_app_version(std::string(open.app_version));
  producer_.set_instance(std::string(open.instance));
  context_ = Encode(producer_);
  opened_ = true;
  return absl::OkStatus();
}

absl::Status PublishSession::PrepareBatches(PreparedAppends* out, v1::FrameResult* result) {
  const uint32_t sticky = next_sticky_++;
  topics_level_ = Level::kOs;
  bool failed = false;
  for (size_t number = 0; number < frame_.batches.size(); ++number) {
    const absl::Status status = PrepareBatch(sticky, static_cast<int32_t>(number), out);
    if (ReasonOf(status) == v1::MALFORMED_MESSAGE) return status;
    v1::BatchResult* batch = result->add_batches();
    if (stream_ && topic_ != told_topic_) TellPartitions(result);
    if (status.ok()) continue;
    failed = true;
    *batch->mutable_error() = ToProto(status);
  }
  if (!failed || !frame_.atomic) return absl::OkStatus();
  *out = PreparedAppends();
  for (v1::BatchResult& batch : *result->mutable_batches()) {
    if (batch.has_error()) continue;
    *batch.mutable_error() = ToProto(
        Error(v1::ATOMIC_ABORTED, "another batch of the atomic frame was refused; see its error"));
  }
  return absl::OkStatus();
}

absl::Status PublishSession::PrepareBatch(uint32_t sticky, int32_t number, PreparedAppends* out) {
  const PartitionBatchView& batch = frame_.batches[static_cast<size_t>(number)];
  RETURN_IF_ERROR(FindTopic(batch.topic.empty() ? absl::string_view(open_topic_) : batch.topic));
  SharedBytes caused;
  if (batch.caused_by.has_value()) {
    ASSIGN_OR_RETURN(caused, ContextCausedBy(*batch.caused_by));
  }
  const SharedBytes& context = batch.caused_by.has_value() ? caused : context_;
  RETURN_IF_ERROR(preparer_.Prepare({bytes_, context, sticky}, batch, number, *topic_, out));
  topics_level_ = std::max(topics_level_, topic_->ack_level());
  return absl::OkStatus();
}

void PublishSession::TellPartitions(v1::FrameResult* result) {
  told_topic_ = topic_;
  if (topic_ == nullptr) return;
  int32_t& told = told_partitions_[topic_->id];
  if (told == topic_->partitions()) return;
  told = topic_->partitions();
  v1::TopicPartitions* const news = result->add_topics();
  news->set_topic(topic_->name());
  news->set_partitions(told);
}

absl::Status PublishSession::FindTopic(absl::string_view name) {
  if (topic_ != nullptr && topic_->name() == name) return absl::OkStatus();
  topic_.reset();
  if (name.empty()) {
    return Error(v1::INVALID_NAME,
                 "the batch names no topic and neither does `open`; set `topic` in one of them",
                 {{"field", "topic"}});
  }
  RETURN_IF_ERROR(CheckTopicName(name));
  RETURN_IF_ERROR(
      deps_.authorizer.Authorize(caller_, Verb::kPublish, Resource{ResourceKind::kTopic, name}));
  ASSIGN_OR_RETURN(topic_, deps_.topics.Get(caller_.tenant, name));
  return absl::OkStatus();
}

absl::StatusOr<SharedBytes> PublishSession::ContextCausedBy(const CausedByView& cause) {
  if (const auto known = caused_contexts_.find(cause); known != caused_contexts_.end()) {
    return known->second;
  }
  v1::BatchContext context = producer_;
  ASSIGN_OR_RETURN(const v1::BatchContext causation, deps_.causes.Find(caller_, cause));
  context.MergeFrom(causation);
  return caused_contexts_[cause] = Encode(context);
}

Level PublishSession::FrameLevel() const {
  const int32_t level = frame_.level != 0 ? frame_.level : open_level_;
  return level != 0 ? static_cast<Level>(level) : topics_level_;
}

void PublishSession::Submit(PreparedFrame prepared) {
  const std::shared_ptr<FrameInFlight> flight = std::move(prepared.flight);
  Transaction transaction;
  transaction.appends = std::move(prepared.appends);
  transaction.rows = std::move(prepared.rows);
  transaction.atomic = flight->atomic;
  transaction.rows_are_new = flight->SchedulesNewId();
  transaction.level = prepared.level;
  // The calls of unary callers have no order to keep and share nothing.
  transaction.source = stream_ ? number_ : 0;
  transaction.done = [flight](TransactionResult stored) { flight->Finish(std::move(stored)); };
  const absl::Status submitted = deps_.engine.Submit(std::move(transaction));
  if (!submitted.ok()) flight->Refuse(submitted);
}

}  // namespace acta
