#pragma once

#include <catch2/catch.hpp>

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "acta/v1/event.pb.h"
#include "proto/support/error.h"
#include "proto/support/wire.h"
#include "server/core/subscribe/event_sink.h"

namespace acta {

// The `events` element of an event that carries this data.
inline std::string Element(const std::string& data, const std::string& key = "",
                           int64_t expires_at_us = 0) {
  v1::Event event;
  event.set_data(data);
  event.set_key(key);
  if (expires_at_us > 0) event.set_expires_at_us(expires_at_us);
  const std::string bytes = event.SerializeAsString();
  std::string element(1, static_cast<char>(EventElements::kTag));
  for (size_t size = bytes.size(); true; size >>= 7) {
    element += static_cast<char>(size < 128 ? size : (size & 127) | 128);
    if (size < 128) break;
  }
  return element + bytes;
}

inline std::vector<std::string> DataOf(const SharedBytes& payload) {
  std::vector<std::string> data;
  EventElements elements(payload.view());
  for (absl::string_view bytes; elements.Next(&bytes);) {
    v1::Event event;
    REQUIRE(event.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())));
    data.push_back(event.data());
  }
  REQUIRE(elements.ok());
  return data;
}

// What a frame takes on the wire.
inline size_t WireBytes(const OutgoingFrame& frame) {
  v1::DeliveryFrame whole = frame.control;
  size_t payloads = 0;
  for (const OutgoingBatch& batch : frame.batches) {
    v1::DeliveredBatch* head = whole.add_batches();
    head->set_assignment(batch.assignment);
    head->set_base_offset(batch.base_offset.value());
    head->set_incarnation(batch.incarnation.value());
    head->set_append_time_us(batch.append_time_us);
    head->set_context(std::string(batch.context.view()));
    payloads += batch.payload.size() + 4;  // The length of the batch grows with it.
  }
  return whole.ByteSizeLong() + payloads;
}

// Writes down what a stream is sent, and checks the rules of the seam.
class RecordingSink final : public EventSink {
 public:
  void Send(OutgoingFrame frame) override {
    REQUIRE_FALSE(unwritten);
    REQUIRE_FALSE(result.has_value());
    REQUIRE(frame.control.batches().empty());
    unwritten = true;
    for (const v1::Assigned& assigned : frame.control.assigned()) {
      by_handle[assigned.assignment()] = assigned;
      handles[{assigned.topic(), assigned.partition()}] = assigned.assignment();
      next_offset[assigned.assignment()] = assigned.offset();
    }
    for (const OutgoingBatch& batch : frame.batches) Record(batch);
    frames.push_back(std::move(frame));
  }
  void Finish(const absl::Status& status) override {
    REQUIRE_FALSE(unwritten);
    REQUIRE_FALSE(result.has_value());
    result = status;
  }

  uint64_t Handle(int32_t partition, const std::string& topic = "orders") const {
    const auto it = handles.find({topic, partition});
    return it == handles.end() ? 0 : it->second;
  }
  // The data of all events of a partition's latest assignment.
  std::vector<std::string> Data(int32_t partition, const std::string& topic = "orders") const {
    const auto it = data.find(Handle(partition, topic));
    return it == data.end() ? std::vector<std::string>() : it->second;
  }
  uint64_t acked_through() const {
    return frames.empty() ? 0 : frames.back().control.acked_through();
  }
  std::vector<v1::Notice> Notices(const std::string& code) const {
    std::vector<v1::Notice> found;
    for (const OutgoingFrame& frame : frames) {
      for (const v1::Notice& notice : frame.control.notice()) {
        if (notice.code() == code) found.push_back(notice);
      }
    }
    return found;
  }
  std::vector<v1::Gap> gaps() const {
    std::vector<v1::Gap> found;
    for (const OutgoingFrame& frame : frames) {
      found.insert(found.end(), frame.control.gap().begin(), frame.control.gap().end());
    }
    return found;
  }
  // By frame id, the last of each.
  std::map<uint64_t, v1::Status> errors() const {
    std::map<uint64_t, v1::Status> found;
    for (const OutgoingFrame& frame : frames) {
      for (const v1::ControlError& error : frame.control.errors()) {
        found[error.frame_id()] = error.status();
      }
    }
    return found;
  }
  v1::ErrorReason ErrorOf(uint64_t frame_id) const {
    const auto all = errors();
    const auto it = all.find(frame_id);
    return it == all.end() ? v1::ERROR_REASON_UNSPECIFIED : it->second.reason();
  }
  // How the stream ended; ERROR_REASON_UNSPECIFIED: OK, or not yet.
  v1::ErrorReason EndReason() const {
    return result.has_value() ? ReasonOf(*result) : v1::ERROR_REASON_UNSPECIFIED;
  }
  template <typename Piece>
  size_t CountFrames(Piece has) const {
    size_t count = 0;
    for (const OutgoingFrame& frame : frames) count += has(frame.control) ? 1 : 0;
    return count;
  }

  std::vector<OutgoingFrame> frames;
  bool unwritten = false;  // A frame was sent and not yet written.
  std::optional<absl::Status> result;
  int64_t events = 0;
  int64_t bytes = 0;
  std::map<uint64_t, v1::Assigned> by_handle;
  std::map<std::pair<std::string, int32_t>, uint64_t> handles;
  std::map<uint64_t, int64_t> next_offset;
  std::map<uint64_t, std::vector<std::string>> data;

  // What a member of a QUEUE group was leased, in order.
  struct Leased {
    std::string data;
    uint64_t assignment = 0;
    int64_t offset = 0;
    int32_t attempt = 0;
    int64_t until_us = 0;
    std::string token;
    int32_t redrives = 0;
    std::string redrive_id;
  };
  std::vector<Leased> leased;

  // What a member of a STREAM group was delivered, in order.
  struct Piece {
    uint64_t assignment = 0;
    int64_t offset = 0;
    int32_t count = 0;
    std::string token;
  };
  std::vector<Piece> pieces;

 private:
  void Record(const OutgoingBatch& batch) {
    REQUIRE(by_handle.count(batch.assignment) == 1);
    const std::vector<std::string> delivered = DataOf(batch.payload);
    // Exactly the delivered events, and in order.
    REQUIRE(delivered.size() == batch.count);
    REQUIRE(batch.count > 0);
    if (batch.attempt > 0) return RecordLeased(batch, delivered);
    REQUIRE(batch.base_offset.value() == next_offset[batch.assignment]);
    next_offset[batch.assignment] += batch.count;
    pieces.push_back({batch.assignment, batch.base_offset.value(),
                      static_cast<int32_t>(batch.count), batch.delivery_token});
    auto& all = data[batch.assignment];
    all.insert(all.end(), delivered.begin(), delivered.end());
    events += batch.count;
    bytes += static_cast<int64_t>(batch.payload.size());
  }
  void RecordLeased(const OutgoingBatch& batch, const std::vector<std::string>& delivered) {
    for (size_t i = 0; i < delivered.size(); ++i) {
      leased.push_back({delivered[i], batch.assignment,
                        batch.base_offset.value() + static_cast<int64_t>(i), batch.attempt,
                        batch.lease_until_us, batch.delivery_token, batch.redrives,
                        batch.redrive_id});
    }
    events += batch.count;
    bytes += static_cast<int64_t>(batch.payload.size());
  }
};

}  // namespace acta
