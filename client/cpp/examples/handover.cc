// handover HOST:PORT TOPIC GROUP NAME: one of several members of a group. The broker gives each
// some of the partitions, and moves them when members come and go. Nothing is processed twice as
// long as members end in good order, by SIGTERM or Ctrl-C: a partition is given back when all that
// was delivered of it is processed and committed. (After a crash, what was not committed comes once
// more.)
#include <atomic>
#include <csignal>
#include <cstdio>
#include <iostream>
#include <memory>
#include <string>

#include "absl/time/clock.h"
#include "acta/client/channel.h"
#include "acta/client/subscriber.h"

namespace {

std::atomic<bool> g_ends{false};

acta::client::SubscriberOptions OptionsOf(char** argv) {
  acta::client::SubscriberOptions options;
  options.topics.emplace_back().set_topic(argv[2]);
  options.group = argv[3];
  options.create_mode = acta::v1::GROUP_MODE_STREAM;
  options.create_at.emplace().set_earliest(true);
  // A member that comes back under its name within 30 s finds its partitions.
  options.member_id = argv[4];
  // Little is sent ahead, so that little has to be processed before a partition can move.
  options.credit_events = 100;
  // Runs inside Next(), on its thread, when the last event of a partition that moves away is
  // processed: the place to write out what was collected. The position is committed behind it.
  options.on_revoked = [](const acta::client::SubscribedPartition& partition) {
    std::printf("gave %d at %lld\n", partition.partition,
                static_cast<long long>(partition.next_offset));
    std::fflush(stdout);
  };
  return options;
}

int Fail(const absl::Status& status) {
  std::cerr << status << "\n";
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fprintf(stderr, "usage: handover HOST:PORT TOPIC GROUP NAME\n");
    return 2;
  }
  std::signal(SIGTERM, [](int) { g_ends = true; });
  std::signal(SIGINT, [](int) { g_ends = true; });
  const auto channel = std::make_shared<acta::client::Channel>(argv[1]);
  acta::client::Subscriber subscriber(channel, OptionsOf(argv));
  while (!g_ends) {
    const auto next = subscriber.Next(absl::Now() + absl::Milliseconds(100));
    if (!next.ok()) return Fail(next.status());
    if (!next->has_value()) continue;
    const auto events = (*next)->Parse();
    if (!events.ok()) return Fail(events.status());
    for (const acta::v1::Event& event : *events) {
      std::printf("did %d %s\n", (*next)->partition(), event.data().c_str());
    }
    std::fflush(stdout);
    subscriber.CommitDelivered();
  }
  // FENCED here says that a partition went to another member by force: it reads on from what was
  // committed before.
  const absl::Status committed = subscriber.FlushCommits();
  if (!committed.ok()) return Fail(committed);
  const absl::Status left = subscriber.Close();  // Leaves: the others get its partitions at once.
  return left.ok() ? 0 : Fail(left);
}
