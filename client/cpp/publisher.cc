#include "client/cpp/publisher.h"

#include <utility>

#include "client/cpp/publisher_core.h"

namespace acta::client {

Publisher::Publisher(std::shared_ptr<Channel> channel, const PublisherOptions& options)
    : core_(std::make_unique<Core>(std::move(channel), options)) {}

Publisher::~Publisher() { (void)Close(core_->channel_options().deadline); }

absl::Status Publisher::Publish(absl::string_view topic, const v1::Event& event, EventDone done) {
  return core_->Publish(topic, std::nullopt, event, std::nullopt, std::move(done));
}

absl::Status Publisher::PublishTo(absl::string_view topic, int32_t partition,
                                  const v1::Event& event, EventDone done) {
  return core_->Publish(topic, partition, event, std::nullopt, std::move(done));
}

absl::Status Publisher::PublishCausedBy(const v1::CausedBy& cause, absl::string_view topic,
                                        std::optional<int32_t> partition, const v1::Event& event,
                                        EventDone done) {
  return core_->Publish(topic, partition, event, cause, std::move(done));
}

std::future<EventResult> Publisher::PublishForResult(absl::string_view topic,
                                                     const v1::Event& event) {
  const auto promise = std::make_shared<std::promise<EventResult>>();
  std::future<EventResult> future = promise->get_future();
  const absl::Status taken =
      Publish(topic, event, [promise](const EventResult& result) { promise->set_value(result); });
  if (!taken.ok()) {
    EventResult refused;
    refused.status = taken;
    promise->set_value(refused);
  }
  return future;
}

EventResult Publisher::PublishAndWait(absl::string_view topic, const v1::Event& event) {
  return PublishForResult(topic, event).get();
}

absl::Status Publisher::PublishPrepared(absl::string_view topic, int32_t partition,
                                        std::shared_ptr<const std::string> payload, uint32_t count,
                                        BatchDone done) {
  return core_->PublishPrepared(topic, partition, std::move(payload), count, std::move(done));
}

absl::Status Publisher::Flush(absl::Duration timeout) { return core_->Flush(timeout); }

void Publisher::Cancel() { core_->Cancel(); }

absl::Status Publisher::Close(absl::Duration timeout) { return core_->Close(timeout); }

int64_t Publisher::unanswered_bytes() const { return core_->unanswered_bytes(); }

}  // namespace acta::client
