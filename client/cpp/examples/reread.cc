// reread HOST:PORT TOPIC PARTITION FROM TO: prints the events of one partition from the offset FROM
// up to TO, which is not printed, or up to what is its end when it starts. No group is needed and
// none is moved.
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>

#include "acta/client/channel.h"
#include "acta/client/subscriber.h"

namespace {

acta::client::SubscriberOptions Range(const std::string& topic, int partition, long long from) {
  acta::client::SubscriberOptions options;
  acta::v1::TopicPosition& position = options.topics.emplace_back();
  position.set_topic(topic);
  position.set_only_listed(true);
  position.set_until_end(true);  // Else it would wait for what comes.
  acta::v1::PartitionPosition* const one = position.add_partitions();
  one->set_partition(partition);
  one->set_offset(from);
  return options;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) {
    std::fprintf(stderr, "usage: reread HOST:PORT TOPIC PARTITION FROM TO\n");
    return 2;
  }
  const long long to = std::atoll(argv[5]);
  const auto channel = std::make_shared<acta::client::Channel>(argv[1]);
  acta::client::Subscriber subscriber(channel,
                                      Range(argv[2], std::atoi(argv[3]), std::atoll(argv[4])));
  while (true) {
    const auto next = subscriber.Next();
    if (!next.ok()) {  // GAP: retention has deleted FROM; the details say where the log begins.
      std::cerr << next.status() << "\n";
      return 1;
    }
    if (!next->has_value()) return 0;  // The end.
    const auto events = (*next)->Parse();
    if (!events.ok()) {
      std::cerr << events.status() << "\n";
      return 1;
    }
    for (size_t i = 0; i < events->size(); ++i) {
      const auto offset = static_cast<long long>((*next)->OffsetOf(static_cast<int64_t>(i)));
      if (offset >= to) return 0;
      std::printf("%lld %s\n", offset, (*events)[i].data().c_str());
    }
  }
}
