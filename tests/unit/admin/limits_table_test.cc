#include "server/core/admin/limits_table.h"

#include <map>
#include <set>
#include <string>

#include "tests/support/status_matchers.h"

namespace acta {
namespace {

std::map<std::string, v1::Limit> ByName(const std::vector<v1::Limit>& rows) {
  std::map<std::string, v1::Limit> named;
  for (const v1::Limit& row : rows) named[row.name()] = row;
  CHECK(named.size() == rows.size());
  return named;
}

TEST_CASE("limits of the product are rows with value, unit and meaning", "[admin]") {
  const auto rows = ByName(LimitsTable(ServerLimits(), LimitUse()));
  CHECK(rows.at("limits.partitions").value() == 10000);
  CHECK(rows.at("limits.partitions_per_topic").value() == 256);
  CHECK(rows.at("limits.groups").value() == 10000);
  CHECK(rows.at("limits.max_event").value() == 16 << 20);
  CHECK(rows.at("limits.max_frame").value() == 17 << 20);
  CHECK(rows.at("limits.batches_per_frame").value() == 1000);
  CHECK(rows.at("limits.events_per_batch").value() == 65536);
  CHECK(rows.at("limits.events_per_frame").value() == 131072);
  CHECK(rows.at("limits.key").value() == 1024);
  CHECK(rows.at("max_event_text_bytes").value() == 4096);
  CHECK(rows.at("max_frame_context_bytes").value() == 16 << 20);
  CHECK(rows.at("limits.attributes_per_event").value() == 64);
  CHECK(rows.at("limits.attributes").value() == 8192);
  CHECK(rows.at("limits.affected_per_event").value() == 64);
  CHECK(rows.at("limits.events_per_atomic").value() == 1000);
  CHECK(rows.at("limits.scheduled_events").value() == 1'000'000);
  CHECK(rows.at("max_scheduled_per_frame").value() == 1000);
  CHECK(rows.at("max_schedule_ahead").value() == int64_t{400} * 24 * 3600 * 1000);
  CHECK(rows.at("max_step_events").value() == 10'000);
  CHECK(rows.at("max_lease_hours").value() == 12);
  CHECK(rows.at("max_journey_batch_bytes").value() == 128 << 20);
  CHECK(rows.at("max_causation_depth").value() == 64);
  CHECK(rows.at("max_name_bytes").value() == 249);
  CHECK(rows.at("max_description_bytes").value() == 1024);
  CHECK(rows.at("max_reset_rows").value() == 2'000'000);
  CHECK(rows.at("listen.max_connections").value() == 4096);
  CHECK(rows.at("limits.streams_per_connection").value() == 128);
  CHECK(rows.at("limits.member_timeout").value() == 15000);
  CHECK(rows.at("limits.member_timeout").unit() == "ms");
  CHECK(rows.at("limits.claims_per_group").value() == 1'000'000);
  CHECK(rows.at("max_claim_key_bytes").value() == 1024);
  CHECK(rows.at("max_claim_result_bytes").value() == 64 << 10);
  CHECK(rows.at("max_claim_owner_bytes").value() == 256);
  CHECK(rows.at("max_claim_lease").value() == 12 * 3600 * 1000);
  CHECK(rows.at("max_claim_ttl").value() == int64_t{400} * 24 * 3600 * 1000);
  for (const auto& [name, row] : rows) {
    INFO(name);
    CHECK_FALSE(row.unit().empty());
    CHECK_FALSE(row.meaning().empty());
  }
}

TEST_CASE("only limits of the whole server have a current use", "[admin]") {
  LimitUse use;
  use.partitions = 12;
  use.groups = 3;
  use.connections = 5;
  use.http_connections = 4;
  use.open_files = 44;
  use.waiting_fetches = 6;
  use.fetch_bytes = 95;
  use.in_flight_bytes = 70;
  use.tail_cache_bytes = 80;
  use.dedupe_bytes = 90;
  use.slices = 11;
  const auto rows = ByName(LimitsTable(ServerLimits(), use));
  CHECK(rows.at("limits.partitions").current() == 12);
  CHECK(rows.at("limits.groups").current() == 3);
  CHECK(rows.at("listen.max_connections").current() == 5);
  CHECK(rows.at("storage.in_flight").current() == 70);
  std::set<std::string> used;
  for (const auto& [name, row] : rows) {
    if (row.has_current()) used.insert(name);
  }
  CHECK(rows.at("listen.max_http_connections").current() == 4);
  CHECK(rows.at("max_open_files").current() == 44);
  CHECK(rows.at("limits.waiting_fetches").current() == 6);
  CHECK(rows.at("limits.fetch_bytes").current() == 95);
  CHECK(rows.at("storage.tail_cache").current() == 80);
  CHECK(rows.at("storage.dedupe_memory").current() == 90);
  CHECK(rows.at("storage.max_slices").current() == 11);
  // The three watermarks too.
  CHECK(used.size() == 15);
}

TEST_CASE("a watermark is the smaller of a share of the disk and a number of bytes", "[admin]") {
  ServerLimits limits;
  limits.storage.watermarks.warn = {10, 500};
  LimitUse use;
  use.disk_total_bytes = 1000;
  use.disk_free_bytes = 700;
  const v1::Limit small = ByName(LimitsTable(limits, use)).at("storage.disk_warn_bytes");
  CHECK(small.value() == 100);
  CHECK(small.current() == 700);
  use.disk_total_bytes = 100'000;
  CHECK(ByName(LimitsTable(limits, use)).at("storage.disk_warn_bytes").value() == 500);
}

}  // namespace
}  // namespace acta
