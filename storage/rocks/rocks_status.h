#pragma once

#include <rocksdb/status.h>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "proto/support/error.h"

namespace acta {

// RocksDB's status as ours. Damage is DATA_CORRUPTED wherever it is met; of the rest callers decide
// what it means.
inline absl::Status FromRocks(const rocksdb::Status& status) {
  if (status.ok()) return absl::OkStatus();
  const std::string text = status.ToString();
  if (status.IsCorruption()) {
    return Error(v1::DATA_CORRUPTED, absl::StrCat("the store is damaged: ", text));
  }
  if (status.IsNotFound()) return absl::NotFoundError(text);
  if (status.IsNoSpace()) return absl::ResourceExhaustedError(text);
  return absl::InternalError(text);
}

}  // namespace acta
