#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "proto/support/error.h"
#include "storage/base/ids.h"

namespace acta {

// The offset that an error names under this key; `otherwise` when it names none.
inline Offset OffsetDetail(const absl::Status& status, const std::string& key, Offset otherwise) {
  const auto details = DetailsOf(status);
  const auto it = details.find(key);
  int64_t value = 0;
  const bool known = it != details.end() && absl::SimpleAtoi(it->second, &value);
  return known ? Offset(value) : otherwise;
}

}  // namespace acta
