#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "storage/base/ids.h"
#include "storage/state/siphash.h"

namespace acta {

// What a delivery token says: a member was leased these events as this attempt.
struct DeliveredRun {
  GroupId group;
  uint64_t session = 0;  // 0: of a former life of the broker.
  PartitionId partition;
  Offset first;
  uint32_t count = 0;
  int32_t attempt = 0;   // Since the last redrive, from 1.
  int32_t redrives = 0;  // Before it.
  // Of the log then, as Read() tells it. 0: not known.
  Incarnation incarnation;
};

// DeliveryTokens makes tokens that only this life of the broker can make: 72 bytes, the last 16 a
// SipHash-2-4-128 of the others under a key drawn at the start. One of a former life reads as such:
// its leases are gone, whoever made it.
//
// Threads: any.
class DeliveryTokens {
 public:
  static constexpr size_t kBytes = 72;

  explicit DeliveryTokens(Incarnation incarnation = Incarnation());

  std::string Make(const DeliveredRun& run) const;
  // Errors: INVALID_DELIVERY_TOKEN.
  absl::StatusOr<DeliveredRun> Read(absl::string_view token) const;

 private:
  const Incarnation incarnation_;
  SipKey key_;
  uint64_t life_ = 0;
};

}  // namespace acta
