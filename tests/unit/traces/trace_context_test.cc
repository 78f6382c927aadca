#include "server/core/traces/trace_context.h"

#include <catch2/catch.hpp>

#include "absl/strings/str_cat.h"
#include "acta/v1/event.pb.h"

namespace acta {
namespace {

constexpr absl::string_view kSampled = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

TEST_CASE("a traceparent names a trace, a span and whether it is sampled", "[traces]") {
  const auto context = ParseTraceparent(kSampled);
  REQUIRE(context.has_value());
  CHECK(context->trace_id ==
        std::string("\x4b\xf9\x2f\x35\x77\xb3\x4d\xa6\xa3\xce\x92\x9d\x0e\x0e\x47\x36", 16));
  CHECK(context->parent_id == std::string("\x00\xf0\x67\xaa\x0b\xa9\x02\xb7", 8));
  CHECK(context->sampled);
  std::string other(kSampled);
  other.back() = '0';
  CHECK_FALSE(ParseTraceparent(other)->sampled);
  other[53] = 'f';
  other[54] = 'f';
  CHECK(ParseTraceparent(other)->sampled);
  // Of a later version there may be more.
  CHECK(ParseTraceparent(absl::StrCat("01", kSampled.substr(2), "-more")).has_value());
}

TEST_CASE("what is no traceparent is none", "[traces]") {
  CHECK_FALSE(ParseTraceparent("").has_value());
  CHECK_FALSE(ParseTraceparent(kSampled.substr(0, 54)).has_value());
  CHECK_FALSE(ParseTraceparent(absl::StrCat(kSampled, "-more")).has_value());
  CHECK_FALSE(ParseTraceparent(absl::StrCat("01", kSampled.substr(2), "more")).has_value());
  CHECK_FALSE(ParseTraceparent(absl::StrCat("ff", kSampled.substr(2))).has_value());
  for (const size_t at :
       {size_t{0}, size_t{2}, size_t{3}, size_t{35}, size_t{36}, size_t{52}, size_t{53}}) {
    std::string bad(kSampled);
    bad[at] = 'G';
    CHECK_FALSE(ParseTraceparent(bad).has_value());
  }
  CHECK_FALSE(
      ParseTraceparent("00-00000000000000000000000000000000-00f067aa0ba902b7-01").has_value());
  CHECK_FALSE(
      ParseTraceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01").has_value());
}

TEST_CASE("a traceparent is found in an encoded event, and broken bytes have none", "[traces]") {
  v1::Event event;
  event.set_id("a");
  event.set_data("data");
  CHECK(FindTraceparent(event.SerializeAsString()).empty());
  event.set_traceparent(std::string(kSampled));
  const std::string bytes = event.SerializeAsString();
  CHECK(FindTraceparent(bytes) == kSampled);
  for (size_t size = 0; size < bytes.size(); ++size) {
    CHECK(FindTraceparent(absl::string_view(bytes).substr(0, size)).empty());
  }
}

}  // namespace
}  // namespace acta
