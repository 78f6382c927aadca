// producer HOST:PORT TOPIC: publishes each line of the standard input as one event.
#include <cstdio>
#include <iostream>
#include <memory>
#include <string>

#include "acta/client/channel.h"
#include "acta/client/publisher.h"

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: producer HOST:PORT TOPIC\n");
    return 2;
  }
  const std::string topic = argv[2];
  const auto channel = std::make_shared<acta::client::Channel>(argv[1]);
  acta::client::PublisherOptions options;
  options.app = "example-producer";
  acta::client::Publisher publisher(channel, options);

  // Runs on the publisher's own thread, for each event once. It must not block.
  const auto print_place = [](const acta::client::EventResult& result) {
    if (!result.status.ok()) return;
    std::printf("partition %d, offset %lld\n", result.partition,
                static_cast<long long>(result.offset));
  };
  std::string line;
  while (std::getline(std::cin, line)) {
    acta::v1::Event event;
    event.set_type("LineRead");
    event.set_key(line);  // Equal keys go to one partition and keep their order.
    event.set_data(line);
    // Waits while too much is not answered. Not OK: it was not taken.
    const absl::Status taken = publisher.Publish(topic, event, print_place);
    if (!taken.ok()) {
      std::cerr << taken << "\n";
      return 1;
    }
  }
  // Every event is answered behind this. Not OK: the first that was not stored.
  const absl::Status stored = publisher.Close(absl::Minutes(1));
  if (!stored.ok()) std::cerr << stored << "\n";
  return stored.ok() ? 0 : 1;
}
