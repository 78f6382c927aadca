// import HOST:PORT TOPIC PRODUCER_ID FILE: stores each line of a file in partition 0, exactly once
// however often it is killed and started again.
//
// A producer numbers its events in each partition. The number of a line is its place in the file,
// so that a second run gives each line the number it had: the broker takes what is not stored yet,
// and answers the rest as it did before. That needs the same producer id and the same batches in
// each run, and one run at a time. It costs no memory here, and no event ids.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <memory>
#include <string>

#include "absl/time/clock.h"
#include "acta/client/admin.h"
#include "acta/client/channel.h"
#include "acta/client/error.h"

namespace {

using acta::client::FromProto;
using acta::client::ReasonOf;

constexpr int kLinesPerBatch = 100;

// The next lines of the file, as one batch; empty at its end.
acta::v1::PublishFrame ReadFrame(std::istream& file, acta::v1::PartitionBatch batch) {
  std::string line;
  while (batch.events_size() < kLinesPerBatch && std::getline(file, line)) {
    batch.add_events()->set_data(line);
  }
  acta::v1::PublishFrame frame;
  if (batch.events_size() > 0) *frame.add_batches() = std::move(batch);
  return frame;
}

// One try. OK: stored, now or before.
absl::Status Send(acta::client::Admin& admin, const acta::v1::PublishFrame& frame) {
  const auto results = admin.Publish(frame);
  if (!results.ok()) return results.status();
  const acta::v1::FrameResult& result = results->results(0);
  absl::Status status = FromProto(result.has_error() ? result.error() : result.batches(0).error());
  // So long ago that the broker has forgotten where.
  if (ReasonOf(status) == acta::v1::DUPLICATE_SEQUENCE_FORGOTTEN) return absl::OkStatus();
  return status;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fprintf(stderr, "usage: import HOST:PORT TOPIC PRODUCER_ID FILE\n");
    return 2;
  }
  acta::client::Admin admin(std::make_shared<acta::client::Channel>(argv[1]));
  std::ifstream file(argv[4]);
  acta::v1::PartitionBatch batch;
  batch.set_topic(argv[2]);
  batch.set_partition(0);
  batch.set_producer_id(std::strtoull(argv[3], nullptr, 10));
  uint32_t lines = 0;
  while (true) {
    batch.set_first_sequence(lines);
    const acta::v1::PublishFrame frame = ReadFrame(file, batch);
    if (frame.batches().empty()) break;
    // Without an answer nobody knows whether it is stored; sent again as it was it counts once.
    absl::Status sent = Send(admin, frame);
    for (int tries = 1; tries < 100 && acta::client::IsRetryable(sent); ++tries) {
      absl::SleepFor(absl::Milliseconds(100));
      sent = Send(admin, frame);
    }
    if (!sent.ok()) {
      std::cerr << "line " << lines + 1 << ": " << sent << "\n";
      return 1;
    }
    lines += static_cast<uint32_t>(frame.batches(0).events_size());
    std::printf("%u\n", lines);
    std::fflush(stdout);
  }
  return 0;
}
