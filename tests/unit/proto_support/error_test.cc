#include "proto/support/error.h"

#include <string>

#include <catch2/catch.hpp>

#include "proto/support/limit_error.h"

namespace acta {
namespace {

TEST_CASE("an error about bytes that are no text keeps its reason") {
  const absl::Status status = Error(v1::INVALID_ARGUMENT, "not known: '\xF4'", {{"name", "\xF4"}});
  CHECK(ReasonOf(status) == v1::INVALID_ARGUMENT);
  CHECK(status.message() == "not known: \\'\\xf4\\'");
  CHECK(DetailsOf(status)["name"] == "\\xf4");
}

TEST_CASE("an error carries reason, code, details and the reason's delay") {
  const absl::Status status =
      Error(v1::PUBLISH_QUEUE_FULL, "the queue is full", {{"queue", "commit"}});
  CHECK(status.code() == absl::StatusCode::kResourceExhausted);
  CHECK(ReasonOf(status) == v1::PUBLISH_QUEUE_FULL);
  CHECK(DetailsOf(status).at("queue") == "commit");
  CHECK(RetryAfterOf(status) == absl::Milliseconds(100));
  CHECK(RetryAfterOf(Error(v1::INVALID_NAME, "no")) == absl::ZeroDuration());
}

TEST_CASE("a limit that is exceeded is named, and raised only where a property sets it") {
  const absl::Status set = LimitExceeded("the server would have groups:", 8, "limits.groups", 7);
  CHECK(ReasonOf(set) == v1::LIMIT_EXCEEDED);
  CHECK(set.message() ==
        "the server would have groups: 8, above limits.groups of 7; use less, or raise the "
        "property");
  CHECK(DetailsOf(set).at("limit") == "limits.groups");
  CHECK(DetailsOf(set).at("limit_value") == "7");
  CHECK(DetailsOf(set).at("value") == "8");
  const absl::Status fixed = LimitExceeded("labels:", 65, "max_labels", 64);
  CHECK(fixed.message() == "labels: 65, above max_labels of 64; use less: the limit is fixed");
}

TEST_CASE("every reason has a code of its own table") {
  const auto* reasons = v1::ErrorReason_descriptor();
  for (int i = 0; i < reasons->value_count(); ++i) {
    const auto reason = static_cast<v1::ErrorReason>(reasons->value(i)->number());
    if (reason == v1::ERROR_REASON_UNSPECIFIED) continue;
    INFO(reasons->value(i)->name());
    CHECK(RuleOf(reason).status_code() > 0);
    CHECK(RuleOf(reason).status_code() <= 16);
  }
}

TEST_CASE("an error survives its proto and its trailer") {
  const absl::Status status =
      ErrorRetryAfter(v1::DISK_FULL, "free disk", absl::Milliseconds(1500), {{"free_bytes", "7"}});
  for (const absl::Status& back :
       {FromProto(ToProto(status)),
        DecodeStatusDetails(static_cast<int>(status.code()), status.message(),
                            EncodeStatusDetails(status))}) {
    CHECK(back.code() == status.code());
    CHECK(back.message() == status.message());
    CHECK(ReasonOf(back) == v1::DISK_FULL);
    CHECK(DetailsOf(back).at("free_bytes") == "7");
    CHECK(RetryAfterOf(back) == absl::Milliseconds(1500));
  }
}

TEST_CASE("a foreign status becomes INTERNAL without its text") {
  const v1::Status proto = ToProto(absl::UnknownError("secret"));
  CHECK(proto.reason() == v1::INTERNAL);
  CHECK(proto.message().find("secret") == std::string::npos);
}

TEST_CASE("a foreign trailer gives a status without a reason") {
  const absl::Status status = DecodeStatusDetails(14, "gone", "\xff\xff not protobuf");
  CHECK(status.code() == absl::StatusCode::kUnavailable);
  CHECK(ReasonOf(status) == v1::ERROR_REASON_UNSPECIFIED);
}

}  // namespace
}  // namespace acta
