#include <catch2/catch.hpp>

#include "proto/support/error.h"
#include "server/core/subscribe/settlements.h"

namespace acta {
namespace {

v1::DeliveryFrame TakeAll(Outbox* outbox) {
  v1::DeliveryFrame frame;
  outbox->Take(1 << 20, &frame);
  return frame;
}

TEST_CASE("a frame counts as settled when all before it are", "[settlements]") {
  Outbox outbox;
  Settlements settlements(outbox);
  for (uint64_t id : {3, 5, 9}) settlements.Begin(id, false);
  settlements.Settle(5, Error(v1::FENCED, "no"));
  CHECK(outbox.empty());
  settlements.Settle(3, absl::OkStatus());
  const v1::DeliveryFrame frame = TakeAll(&outbox);
  CHECK(frame.acked_through() == 5);
  REQUIRE(frame.errors_size() == 1);
  CHECK(frame.errors(0).frame_id() == 5);
  CHECK(frame.errors(0).status().reason() == v1::FENCED);
  settlements.Settle(9, absl::OkStatus());
  CHECK(TakeAll(&outbox).acked_through() == 9);
  CHECK(settlements.empty());
}

TEST_CASE("parts that failed are told with their frame, and counted until then", "[settlements]") {
  Outbox outbox;
  Settlements settlements(outbox);
  for (uint64_t id : {3, 5}) settlements.Begin(id, false);
  settlements.Fail(5, std::vector<v1::ControlError>(2));
  settlements.Settle(5, absl::OkStatus());
  CHECK(outbox.empty());
  CHECK(settlements.failed_parts() == 2);
  settlements.Settle(3, absl::OkStatus());
  const v1::DeliveryFrame frame = TakeAll(&outbox);
  CHECK(frame.acked_through() == 5);
  REQUIRE(frame.errors_size() == 2);
  CHECK(frame.errors(0).frame_id() == 5);
  CHECK(settlements.failed_parts() == 0);
}

TEST_CASE("a quiet frame waits for company, its failure does not", "[settlements]") {
  Outbox outbox;
  Settlements settlements(outbox);
  settlements.Begin(1, true);
  settlements.Settle(1, absl::OkStatus());
  CHECK(outbox.empty());
  CHECK(TakeAll(&outbox).acked_through() == 1);
  settlements.Begin(2, true);
  settlements.Settle(2, Error(v1::INVALID_ARGUMENT, "no"));
  CHECK_FALSE(outbox.empty());
  CHECK(outbox.answers() == 1);
  CHECK(TakeAll(&outbox).errors_size() == 1);
  CHECK(outbox.answers() == 0);
}

TEST_CASE("many answers that only count are one number", "[settlements]") {
  Outbox outbox;
  Settlements settlements(outbox);
  for (uint64_t id = 1; id <= 100; ++id) settlements.Begin(id, false);
  for (uint64_t id = 1; id <= 100; ++id) settlements.Settle(id, absl::OkStatus());
  CHECK(outbox.answers() == 0);
  CHECK(TakeAll(&outbox).ByteSizeLong() == 2);  // One number.
}

TEST_CASE("how far frames are settled does not overtake an error in a later frame",
          "[settlements]") {
  Outbox outbox;
  Settlements settlements(outbox);
  const std::string text(1000, 'x');
  for (uint64_t id : {1, 2, 3}) settlements.Begin(id, true);
  settlements.Settle(1, Error(v1::FENCED, text));
  settlements.Settle(2, Error(v1::FENCED, text));
  settlements.Settle(3, absl::OkStatus());
  v1::DeliveryFrame first;
  outbox.Take(1500, &first);
  CHECK(first.errors_size() == 1);
  CHECK(first.acked_through() == 1);
  v1::DeliveryFrame second;
  outbox.Take(1500, &second);
  CHECK(second.errors_size() == 1);
  CHECK(second.acked_through() == 3);
  CHECK(outbox.empty());
}

}  // namespace
}  // namespace acta
