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
  CHECK(rows.at("max_partitions").value() == 10000);
  CHECK(rows.at("max_partitions_per_topic").value() == 256);
  CHECK(rows.at("max_groups").value() == 10000);
  CHECK(rows.at("max_event_bytes").value() == 16 << 20);
  CHECK(rows.at("max_frame_bytes").value() == 17 << 20);
  CHECK(rows.at("max_batches").value() == 1000);
  CHECK(rows.at("max_batch_events").value() == 65536);
  CHECK(rows.at("max_key_bytes").value() == 1024);
  CHECK(rows.at("max_attributes").value() == 64);
  CHECK(rows.at("max_attribute_bytes").value() == 8192);
  CHECK(rows.at("max_atomic_events").value() == 1000);
  CHECK(rows.at("max_name_bytes").value() == 249);
  CHECK(rows.at("max_description_bytes").value() == 1024);
  CHECK(rows.at("max_connections").value() == 4096);
  CHECK(rows.at("max_streams_per_connection").value() == 128);
  CHECK(rows.at("member_timeout").value() == 15000);
  CHECK(rows.at("member_timeout").unit() == "ms");
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
  use.commit_queue_bytes = 70;
  use.waiting_fetches = 8;
  use.fetch_bytes = 90;
  const auto rows = ByName(LimitsTable(ServerLimits(), use));
  CHECK(rows.at("max_partitions").current() == 12);
  CHECK(rows.at("max_groups").current() == 3);
  CHECK(rows.at("max_connections").current() == 5);
  CHECK(rows.at("commit_queue_bytes").current() == 70);
  CHECK(rows.at("max_waiting_fetches").current() == 8);
  CHECK(rows.at("max_fetch_bytes").current() == 90);
  std::set<std::string> used;
  for (const auto& [name, row] : rows) {
    if (row.has_current()) used.insert(name);
  }
  CHECK(used.size() == 6);
}

}  // namespace
}  // namespace acta
