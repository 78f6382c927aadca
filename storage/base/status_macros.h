#pragma once

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#define ACTA_CONCAT_INNER(a, b) a##b
#define ACTA_CONCAT(a, b) ACTA_CONCAT_INNER(a, b)

// Returns from the function when `expr` is not OK.
#define RETURN_IF_ERROR(expr)                                   \
  do {                                                          \
    if (absl::Status acta_status = (expr); !acta_status.ok()) { \
      return acta_status;                                       \
    }                                                           \
  } while (false)

// Declares or assigns `lhs` from a StatusOr, or returns its error.
#define ASSIGN_OR_RETURN(lhs, expr) \
  ASSIGN_OR_RETURN_INNER(ACTA_CONCAT(acta_statusor_, __LINE__), lhs, expr)
#define ASSIGN_OR_RETURN_INNER(statusor, lhs, expr) \
  auto statusor = (expr);                           \
  if (!statusor.ok()) return statusor.status();     \
  lhs = std::move(statusor).value()
