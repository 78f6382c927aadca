#pragma once

#include <rocksdb/status.h>

#include "absl/status/status.h"

namespace acta {

// RocksDB's status as ours, without a reason: callers decide what a failure means.
inline absl::Status FromRocks(const rocksdb::Status& status) {
  if (status.ok()) return absl::OkStatus();
  const std::string text = status.ToString();
  if (status.IsCorruption()) return absl::DataLossError(text);
  if (status.IsNotFound()) return absl::NotFoundError(text);
  if (status.IsNoSpace()) return absl::ResourceExhaustedError(text);
  return absl::InternalError(text);
}

}  // namespace acta
