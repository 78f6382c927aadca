#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "acta/v1/subscriber.pb.h"
#include "client/cpp/delivery.h"

namespace acta::client {

// An acta.v1.DeliveryFrame taken apart: events stay in the bytes they came in.
struct DeliveryFrame {
  v1::DeliveryFrame control;         // Everything but `batches`.
  std::vector<Delivery> deliveries;  // Without topic and partition, which the handle names.
};

// Reads encoded frames.
class DeliveryFrameReader {
 public:
  // `owner` keeps `bytes` alive. Errors: MALFORMED_MESSAGE.
  static absl::StatusOr<DeliveryFrame> Read(std::shared_ptr<const void> owner,
                                            absl::string_view bytes);

 private:
  static absl::StatusOr<Delivery> ReadBatch(const std::shared_ptr<const void>& owner,
                                            absl::string_view bytes);
};

// The error of a partition that stops: that of the gap, with the details `topic` and `partition`.
absl::Status StatusOfGap(const v1::Gap& gap, const std::string& topic, int32_t partition);

}  // namespace acta::client
