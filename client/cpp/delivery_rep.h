#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "client/cpp/delivery.h"

namespace acta::client {

// What a delivery holds. Written until it is given to the caller, and only read from then on.
struct ACTA_CLIENT_HIDDEN Delivery::Rep {
  std::shared_ptr<const std::string> topic;
  std::shared_ptr<const void> owner;  // Of the bytes that `payload` views.
  absl::string_view payload;
  std::string context;
  uint64_t assignment = 0;
  int32_t partition = -1;
  int64_t base_offset = 0;
  int64_t incarnation = 0;
  int64_t append_time_us = 0;
  int64_t lease_until_us = 0;
  int32_t attempt = 0;
  int32_t redrives = 0;
  std::string redrive_id;
  std::string delivery_token;
  int64_t count = 0;
  std::vector<int32_t> offset_deltas;
  uint64_t lease = 0;  // Of all items of a worker, which one.
};

}  // namespace acta::client
