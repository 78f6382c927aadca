#include "tools/bench/soak/flow.h"

#include <utility>

#include "proto/support/wire.h"
#include "storage/base/status_macros.h"

namespace acta::bench {
namespace {

constexpr absl::Duration kDeliveryPatience = absl::Minutes(2);

}  // namespace

Consumer::Options GroupOf(const std::string& topic, const std::string& name) {
  Consumer::Options options;
  options.topic = topic;
  options.group = name;
  options.commit_every = absl::Milliseconds(100);
  return options;
}

Flow::Flow(const Bed& bed, const EventForm& form, std::string topic, const Pace& pace)
    : bed_(bed),
      form_(form),
      topic_(std::move(topic)),
      pace_(pace),
      pacer_(bed, form, topic_, v1::ACK_LEVEL_FSYNC),
      check_(form) {}

Flow::~Flow() {
  if (publisher_.joinable()) publisher_.join();
}

absl::Status Flow::Start(int64_t begin, int64_t end) {
  Consumer::Options options = GroupOf(topic_, group());
  options.on_delivery = [this](const client::Delivery& delivery) { return Take(delivery); };
  consumer_ = std::make_unique<Consumer>(bed_, std::move(options));
  RETURN_IF_ERROR(
      consumer_->AwaitPartitions(static_cast<size_t>(form_.partitions()), absl::Seconds(30)));
  publisher_ = std::thread([this, begin, end] {
    publish_status_ = pacer_.Run(pace_, begin, end);
    published_all_ = true;
  });
  return absl::OkStatus();
}

absl::Status Flow::Take(const client::Delivery& delivery) {
  const int64_t now = NowNanos();
  RETURN_IF_ERROR(check_.Take(delivery));
  MutexLock lock(mu_);
  EventElements elements(delivery.payload());
  for (absl::string_view event; elements.Next(&event);) latencies_.Add(now - form_.TimeOf(event));
  return absl::OkStatus();
}

Latencies Flow::TakeLatencies() {
  MutexLock lock(mu_);
  return std::exchange(latencies_, {});
}

absl::Status Flow::Finish() {
  // What the group met is told first: the publisher would go on to the end of its time.
  if (consumer_->ended()) return consumer_->Stop();
  publisher_.join();
  RETURN_IF_ERROR(publish_status_);
  RETURN_IF_ERROR(consumer_->AwaitCount(pacer_.count(), kDeliveryPatience));
  return consumer_->Stop();
}

}  // namespace acta::bench
