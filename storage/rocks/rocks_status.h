#pragma once

#include <rocksdb/status.h>

#include <cerrno>
#include <cstring>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "proto/support/error.h"

namespace acta {

// RocksDB's status as ours. Damage is DATA_CORRUPTED wherever it is met, a full disk or quota of it
// RESOURCE_EXHAUSTED, a file of another owner PERMISSION_DENIED, a file that is not opened for want
// of memory or descriptors UNAVAILABLE; callers decide what these and the rest mean.
inline absl::Status FromRocks(const rocksdb::Status& status) {
  if (status.ok()) return absl::OkStatus();
  const std::string text = status.ToString();
  // The database has no code for it, only the words of the system behind the path.
  if (absl::EndsWith(text, std::strerror(EACCES))) return absl::PermissionDeniedError(text);
  for (const int lack : {ENOMEM, EMFILE, ENFILE}) {
    if (absl::EndsWith(text, std::strerror(lack))) return absl::UnavailableError(text);
  }
  if (absl::EndsWith(text, std::strerror(EDQUOT))) return absl::ResourceExhaustedError(text);
  if (status.IsCorruption()) {
    return Error(v1::DATA_CORRUPTED, absl::StrCat("the store is damaged: ", text));
  }
  if (status.IsNotFound()) return absl::NotFoundError(text);
  if (status.IsNoSpace()) return absl::ResourceExhaustedError(text);
  return absl::InternalError(text);
}

// What helps where it is the machine that refused, by a status of FromRocks(); empty: it was not.
inline absl::string_view HelpAgainst(const absl::Status& status) {
  if (absl::IsPermissionDenied(status)) return "correct its owner and mode";
  if (absl::IsUnavailable(status)) return "nothing is lost: raise that limit";
  const bool silent = ReasonOf(status) == v1::ERROR_REASON_UNSPECIFIED &&
                      absl::EndsWith(status.message(), std::strerror(EIO));
  return silent ? "nothing is known to be lost: look at the disk" : "";
}

}  // namespace acta
