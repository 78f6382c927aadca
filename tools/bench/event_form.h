#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "acta/v1/event.pb.h"

namespace acta::bench {

// The events that are measured with: an id of 16 bytes, a type of 12, a key of 8 that belongs to
// the partition, and data up to the size wished, encoded in all. The first 8 bytes of data are a
// time.
//
// Threads: const methods from any.
class EventForm {
 public:
  // `event_bytes` from 64 up.
  EventForm(int32_t event_bytes, int32_t partitions);

  int32_t event_bytes() const { return event_bytes_; }
  // With tag and length.
  size_t element_bytes() const { return element_bytes_; }
  int32_t partitions() const { return static_cast<int32_t>(keys_.size()); }

  // A whole event.
  v1::Event Make(int32_t partition, uint64_t number, int64_t time_nanos) const;
  // Makes another of the same partition of it.
  void Renew(uint64_t number, int64_t time_nanos, v1::Event* event) const;

  // Elements of `count` events. Their numbers go up from `first_number`.
  std::string Batch(int32_t partition, uint32_t count, uint64_t first_number,
                    int64_t time_nanos) const;
  // Makes other events of a batch, in place.
  void RenumberBatch(uint64_t first_number, std::string* batch) const;
  // Sets the time of event `index`.
  void SetTime(uint32_t index, int64_t time_nanos, std::string* batch) const;

  // Of an encoded event, without tag and length; of another form: some number.
  int64_t TimeOf(absl::string_view event) const;
  uint64_t NumberOf(absl::string_view event) const;

 private:
  const std::vector<std::string> keys_;  // By partition.
  int32_t event_bytes_ = 0;
  size_t data_bytes_ = 0;
  size_t element_bytes_ = 0;
};

// Full batches of one form, for PublishPrepared().
//
// Threads: one.
class BatchSource {
 public:
  // `unique`: no two events have the same id, from this number on.
  BatchSource(const EventForm& form, uint32_t count, bool unique, uint64_t first_number = 0);

  uint32_t count() const { return count_; }
  // For one partition after the other.
  std::shared_ptr<const std::string> Next(int32_t* partition);

 private:
  const EventForm& form_;
  const uint32_t count_;
  const bool unique_;
  std::vector<std::shared_ptr<const std::string>> templates_;  // By partition.
  uint64_t next_number_ = 0;
  uint32_t turn_ = 0;
};

}  // namespace acta::bench
