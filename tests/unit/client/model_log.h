#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "acta/v1/publisher.pb.h"

namespace acta::client {

// What a broker does with the batches of producers, without a disk: the rules of sequences, and the
// order in which events are stored.
class ModelLog {
 public:
  struct Batch {
    int32_t partition = 0;
    uint64_t producer_id = 0;
    uint32_t epoch = 0;
    uint32_t first_sequence = 0;
    std::string payload;  // Whole `events` elements.
  };

  v1::BatchResult Append(const Batch& batch);
  // The events of a partition, without tag and length, as they were stored.
  const std::vector<std::string>& stored(int32_t partition) {
    return partitions_[partition].events;
  }

 private:
  struct Producer {
    uint32_t epoch = 0;
    uint32_t next = 0;
    // Sequence of each stored event, and its offset.
    std::map<uint32_t, int64_t> offsets;
  };
  struct Partition {
    std::vector<std::string> events;
    std::map<uint64_t, Producer> producers;
  };
  std::map<int32_t, Partition> partitions_;
};

// One `events` element around `event`.
std::string Element(absl::string_view event);

}  // namespace acta::client
