// consumer HOST:PORT TOPIC GROUP: prints the events of a topic as a member of a group, which is
// made when it is missing, until SIGTERM or Ctrl-C. Started again it goes on behind what it
// committed.
#include <atomic>
#include <csignal>
#include <cstdio>
#include <iostream>
#include <memory>
#include <optional>
#include <string>

#include "absl/time/clock.h"
#include "acta/client/channel.h"
#include "acta/client/subscriber.h"

namespace {

std::atomic<bool> g_ends{false};

acta::client::SubscriberOptions OptionsOf(const std::string& topic, const std::string& group) {
  acta::client::SubscriberOptions options;
  options.group = group;
  options.create_mode = acta::v1::GROUP_MODE_STREAM;
  options.create_at.emplace().set_earliest(true);
  options.topics.emplace_back().set_topic(topic);
  return options;
}

int Fail(const absl::Status& status) {
  std::cerr << status << "\n";
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: consumer HOST:PORT TOPIC GROUP\n");
    return 2;
  }
  std::signal(SIGTERM, [](int) { g_ends = true; });
  std::signal(SIGINT, [](int) { g_ends = true; });
  const auto channel = std::make_shared<acta::client::Channel>(argv[1]);
  acta::client::Subscriber subscriber(channel, OptionsOf(argv[2], argv[3]));

  while (!g_ends) {
    // A signal may not call Cancel(), so that the wait has a deadline. Another thread may.
    const auto next = subscriber.Next(absl::Now() + absl::Milliseconds(100));
    if (!next.ok()) return Fail(next.status());
    if (!next->has_value()) continue;  // The deadline.
    const acta::client::Delivery& delivery = **next;
    const auto events = delivery.Parse();
    if (!events.ok()) return Fail(events.status());
    for (const acta::v1::Event& event : *events) std::printf("%s\n", event.data().c_str());
    std::fflush(stdout);
    // What was printed is not printed again. Sends and returns: many commits travel as one.
    subscriber.CommitDelivered();
  }
  const absl::Status committed = subscriber.FlushCommits();
  if (!committed.ok()) return Fail(committed);
  const absl::Status left = subscriber.Close();
  return left.ok() ? 0 : Fail(left);
}
