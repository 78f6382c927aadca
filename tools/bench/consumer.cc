#include "tools/bench/consumer.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/support/wire.h"
#include "storage/base/status_macros.h"
#include "tools/bench/latencies.h"

namespace acta::bench {
namespace {

client::SubscriberOptions ToSubscriber(const Consumer::Options& options) {
  client::SubscriberOptions to;
  to.app = "acta-bench";
  to.retry_for = absl::Seconds(5);
  v1::TopicPosition topic;
  topic.set_topic(options.topic);
  if (options.group.empty()) {
    topic.mutable_from()->set_earliest(true);
    topic.set_until_end(options.until_end);
  } else {
    to.group = options.group;
    to.create_mode = v1::GROUP_MODE_STREAM;
    to.create_at.emplace().set_earliest(true);
  }
  to.topics.push_back(topic);
  return to;
}

}  // namespace

absl::Status Await(const char* what, absl::Duration timeout, const std::function<bool()>& done) {
  const int64_t deadline = NowNanos() + absl::ToInt64Nanoseconds(timeout);
  while (!done()) {
    if (NowNanos() > deadline) {
      return absl::DeadlineExceededError(
          absl::StrCat("waited ", absl::FormatDuration(timeout), " for ", what));
    }
    SleepUntilNanos(NowNanos() + 1'000'000);
  }
  return absl::OkStatus();
}

Consumer::Consumer(const Bed& bed, Options options)
    : options_(std::move(options)),
      subscriber_(bed.NewChannel(), ToSubscriber(options_)),
      thread_([this] { Run(); }) {}

Consumer::~Consumer() { (void)Stop(); }

absl::Status Consumer::Stop() {
  if (thread_.joinable()) {
    subscriber_.Cancel();
    thread_.join();
  }
  return status();
}

void Consumer::Run() {
  absl::Status status;
  while (status.ok()) {
    const absl::StatusOr<std::optional<client::Delivery>> next = subscriber_.Next();
    if (!next.ok()) {
      status = next.status();
    } else if (!next->has_value()) {
      break;
    } else {
      status = Take(**next);
    }
  }
  if (status.ok()) status = CommitAll();
  {
    MutexLock lock(mu_);
    status_ = status;
  }
  ended_ = true;
}

absl::Status Consumer::Take(const client::Delivery& delivery) {
  if (options_.on_delivery) RETURN_IF_ERROR(options_.on_delivery(delivery));
  if (options_.parse) {
    EventElements elements(delivery.payload());
    for (absl::string_view bytes; elements.Next(&bytes);) {
      RETURN_IF_ERROR(client::ParseEvent(bytes, &event_));
    }
  }
  count_.fetch_add(delivery.count(), std::memory_order_release);
  if (options_.commit_every > absl::ZeroDuration() && NowNanos() >= next_commit_) {
    subscriber_.CommitDelivered();
    next_commit_ = NowNanos() + absl::ToInt64Nanoseconds(options_.commit_every);
  }
  return absl::OkStatus();
}

absl::Status Consumer::CommitAll() {
  if (options_.commit_every == absl::ZeroDuration()) return absl::OkStatus();
  subscriber_.CommitDelivered();
  return subscriber_.FlushCommits();
}

absl::Status Consumer::status() {
  MutexLock lock(mu_);
  return status_;
}

absl::Status Consumer::AwaitCount(int64_t count, absl::Duration timeout) {
  const absl::Status waited = Await("the consumer to have everything", timeout,
                                    [&] { return this->count() >= count || ended_; });
  RETURN_IF_ERROR(status());
  if (!waited.ok() || this->count() == count) return waited;
  return absl::DataLossError(
      absl::StrCat("the consumer got ", this->count(), " events of ", count));
}

absl::Status Consumer::AwaitEnd(absl::Duration timeout) {
  RETURN_IF_ERROR(Await("the consumer to reach the end", timeout, [&] { return ended_.load(); }));
  return status();
}

absl::Status Consumer::AwaitPartitions(size_t partitions, absl::Duration timeout) {
  const absl::Status waited = Await("the subscription to begin", timeout, [&] {
    return ended_ || subscriber_.partitions().size() >= partitions;
  });
  RETURN_IF_ERROR(status());
  return waited;
}

}  // namespace acta::bench
