#pragma once

#include <catch2/catch.hpp>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace acta {

inline const absl::Status& StatusOf(const absl::Status& status) { return status; }
template <typename T>
const absl::Status& StatusOf(const absl::StatusOr<T>& value) {
  return value.status();
}

}  // namespace acta

#define REQUIRE_OK(expr)                                                  \
  do {                                                                    \
    const auto& acta_value = (expr);                                      \
    INFO(::acta::StatusOf(acta_value).ToString());                        \
    REQUIRE(::acta::StatusOf(acta_value).ok());                           \
  } while (false)
#define CHECK_OK(expr)                                                    \
  do {                                                                    \
    const auto& acta_value = (expr);                                      \
    INFO(::acta::StatusOf(acta_value).ToString());                        \
    CHECK(::acta::StatusOf(acta_value).ok());                             \
  } while (false)
