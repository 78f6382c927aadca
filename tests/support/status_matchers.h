#pragma once

#include <catch2/catch.hpp>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace acta {

// By value: the expression may be part of a temporary.
inline absl::Status StatusOf(const absl::Status& status) { return status; }
template <typename T>
absl::Status StatusOf(const absl::StatusOr<T>& value) {
  return value.status();
}

}  // namespace acta

#define REQUIRE_OK(expr)                             \
  do {                                               \
    const auto acta_status = ::acta::StatusOf(expr); \
    INFO(acta_status.ToString());                    \
    REQUIRE(acta_status.ok());                       \
  } while (false)
#define CHECK_OK(expr)                               \
  do {                                               \
    const auto acta_status = ::acta::StatusOf(expr); \
    INFO(acta_status.ToString());                    \
    CHECK(acta_status.ok());                         \
  } while (false)
