#include "client/cpp/tell.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/cpp/delivery.h"
#include "client/cpp/publish_batch.h"
#include "client/cpp/steady_time.h"

namespace acta::client {
namespace {

void Log(const Channel& channel, LogLevel level, const std::string& line) {
  if (channel.options().log) channel.options().log(level, line);
}

PublishedBatch Describe(const FinishedBatch& finished, absl::Time now) {
  PublishedBatch batch;
  batch.topic = finished.batch->topic();
  batch.partition = finished.batch->partition();
  batch.events = finished.batch->count;
  batch.bytes = static_cast<int64_t>(finished.batch->payload->size());
  batch.latency = now - finished.batch->born;
  batch.status = finished.status;
  if (!finished.status.ok()) return batch;
  batch.duplicates = batch.events;
  for (const v1::PublishedPart& part : finished.result.parts()) batch.duplicates -= part.count();
  return batch;
}

}  // namespace

absl::string_view NameOf(ClientKind client) {
  switch (client) {
    case ClientKind::kPublisher:
      return "publisher";
    case ClientKind::kSubscriber:
      return "subscriber";
    case ClientKind::kWorker:
      return "worker";
  }
  return "";
}

bool HasHooks(const Channel& channel) {
  return channel.options().metrics != nullptr || channel.options().log != nullptr;
}

void TellStream(const Channel& channel, const StreamChange& change) {
  if (channel.options().metrics != nullptr) channel.options().metrics->OnStream(change);
  if (channel.options().log == nullptr) return;
  const std::string which =
      absl::StrCat(NameOf(change.client), ": stream ", change.number, " to '", channel.address());
  if (change.open) return Log(channel, LogLevel::kInfo, absl::StrCat(which, "' is open"));
  if (change.status.ok()) return Log(channel, LogLevel::kInfo, absl::StrCat(which, "' has ended"));
  Log(channel, LogLevel::kWarning, absl::StrCat(which, "' is broken: ", change.status.ToString()));
}

void TellPublished(const Channel& channel, const std::vector<FinishedBatch>& finished) {
  if (!HasHooks(channel)) return;
  const absl::Time now = SteadyNow();
  for (const FinishedBatch& one : finished) {
    const PublishedBatch batch = Describe(one, now);
    if (channel.options().metrics != nullptr) channel.options().metrics->OnPublished(batch);
    if (batch.status.ok()) continue;
    Log(channel, LogLevel::kError,
        absl::StrCat("publisher: ", batch.events, " events for partition ", batch.partition,
                     " of topic '", batch.topic, "' were given up: ", batch.status.ToString()));
  }
}

void TellReceived(const Channel& channel, ClientKind client, const Delivery& delivery) {
  if (channel.options().metrics == nullptr) return;
  ReceivedEvents events;
  events.client = client;
  events.topic = delivery.topic();
  events.partition = delivery.partition();
  events.events = delivery.count();
  events.bytes = static_cast<int64_t>(delivery.payload().size());
  events.age = absl::Now() - absl::FromUnixMicros(delivery.append_time_us());
  channel.options().metrics->OnReceived(events);
}

void TellSettled(const Channel& channel, ClientKind client, std::vector<SettledEvents> settled) {
  for (SettledEvents& events : settled) {
    events.client = client;
    if (channel.options().metrics != nullptr) channel.options().metrics->OnSettled(events);
    if (events.status.ok()) continue;
    Log(channel, LogLevel::kWarning,
        absl::StrCat(NameOf(client), ": ", v1::SettleKind_Name(events.kind), " of ", events.events,
                     " events of partition ", events.partition, " of topic '", events.topic,
                     "' did not count: ", events.status.ToString()));
  }
}

void TellStep(const Channel& channel, ClientKind client, const Delivery& delivery,
              v1::SettleKind kind, const absl::Status& status) {
  if (!HasHooks(channel)) return;
  SettledEvents events;
  events.topic = delivery.topic();
  events.partition = delivery.partition();
  events.kind = kind;
  events.events = delivery.count();
  events.status = status;
  TellSettled(channel, client, {std::move(events)});
}

void TellFailure(const Channel& channel, ClientKind client, const absl::Status& status) {
  Log(channel, LogLevel::kError, absl::StrCat(NameOf(client), " has ended: ", status.ToString()));
}

}  // namespace acta::client
