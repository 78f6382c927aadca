#include "tools/bench/fill.h"

#include <atomic>
#include <memory>
#include <utility>

#include "client/cpp/admin.h"
#include "client/cpp/worker.h"
#include "storage/base/status_macros.h"
#include "tools/bench/acks.h"
#include "tools/bench/consumer.h"
#include "tools/bench/latencies.h"

namespace acta::bench {
namespace {

constexpr int64_t kBatchBytes = 64 << 10;
// For tens of GiB.
constexpr absl::Duration kPatience = absl::Minutes(15);

}  // namespace

absl::StatusOr<int64_t> Fill(const Bed& bed, const EventForm& form, const std::string& topic,
                             int64_t bytes, v1::AckLevel level) {
  Acks acks;
  client::Publisher publisher(bed.NewChannel(), BenchPublisher(level));
  // A topic that is filled more than once has no id twice.
  static std::atomic<uint64_t> fills = 0;
  BatchSource source(form, static_cast<uint32_t>(kBatchBytes / form.element_bytes()), true,
                     ++fills << 32);
  int64_t events = 0;
  for (; events * form.event_bytes() < bytes; events += source.count()) {
    int32_t partition = 0;
    auto batch = source.Next(&partition);
    RETURN_IF_ERROR(publisher.PublishPrepared(topic, partition, std::move(batch), source.count(),
                                              acks.Count()));
  }
  RETURN_IF_ERROR(publisher.Close(kPatience));
  RETURN_IF_ERROR(acks.status());
  return events;
}

absl::StatusOr<double> ReadAll(const Bed& bed, const std::string& topic, bool parse,
                               int64_t events) {
  const int64_t begin = NowNanos();
  Consumer::Options options;
  options.topic = topic;
  options.until_end = true;
  options.parse = parse;
  Consumer consumer(bed, std::move(options));
  RETURN_IF_ERROR(consumer.AwaitEnd(kPatience));
  const double seconds = static_cast<double>(NowNanos() - begin) / 1e9;
  RETURN_IF_ERROR(consumer.AwaitCount(events, absl::ZeroDuration()));
  return seconds;
}

absl::Status Park(const Bed& bed, const std::string& group, int64_t events) {
  client::WorkerOptions options;
  options.group = group;
  client::Worker worker(bed.NewChannel(), options);
  client::NackOptions later;
  later.delay = absl::Hours(1);
  for (int64_t parked = 0; parked < events;) {
    ASSIGN_OR_RETURN(const auto item, worker.Next(absl::Now() + kPatience));
    if (!item.has_value()) return absl::DeadlineExceededError("no more events to park");
    worker.Nack(*item, later);
    parked += item->count();
  }
  RETURN_IF_ERROR(worker.Flush(kPatience));
  return worker.Close(kPatience);
}

// Between two classes of retention: a topic that comes back to one begins a new time slice.
absl::Status MoveToOtherSlice(const Bed& bed, const std::string& topic, int32_t number) {
  constexpr int64_t kDay = 24 * 3600;
  v1::UpdateTopicRequest request;
  request.mutable_topic()->set_name(topic);
  request.mutable_topic()->mutable_retention()->set_seconds(number % 2 == 0 ? kDay : 30 * kDay);
  request.mutable_update_mask()->add_paths("retention");
  return client::Admin(bed.NewChannel()).UpdateTopic(request).status();
}

}  // namespace acta::bench
