#include "server/app/daemon_properties.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "proto/support/error.h"
#include "server/app/reference_pages.h"
#include "tests/support/status_matchers.h"

namespace acta {
namespace {

using Catch::Contains;

// Options as a command line would make them.
struct Configured {
  DaemonOptions options;
  PropertyTable table;
  Configured() { DescribeProperties(&options, &table); }
  absl::Status Set(const std::string& name, const std::string& value) {
    return table.Set(name, value, PropertySource::kFlag, "test");
  }
  std::string Settle(std::vector<std::pair<std::string, std::string>> settings) {
    for (const auto& [name, value] : settings) REQUIRE_OK(Set(name, value));
    return std::string(SettleOptions(&options).message());
  }
};

TEST_CASE("every default is in its own range", "[app]") {
  Configured daemon;
  for (const Property& property : daemon.table.properties()) {
    INFO(property.name << " = " << property.default_value);
    CHECK_OK(property.set(property.default_value));
    CHECK(property.get() == property.default_value);
    CHECK_FALSE(property.meaning.empty());
    CHECK_FALSE(property.range.empty());
  }
}

TEST_CASE("defaults need a folder only", "[app]") {
  CHECK_THAT(Configured().Settle({}), Contains("actad --data"));
  CHECK(Configured().Settle({{"storage.data", "x"}}).empty());
}

TEST_CASE("properties reach the components", "[app]") {
  Configured daemon;
  CHECK(daemon
            .Settle({{"storage.data", "x"},
                     {"storage.slice_seconds", "2"},
                     {"storage.disk_hard_bytes", "1MiB"},
                     {"limits.max_event", "2MiB"},
                     {"limits.atomic", "2MiB"},
                     {"limits.max_frame", "3MiB"},
                     {"limits.groups", "7"},
                     {"listen.max_connections", "9"}})
            .empty());
  CHECK(daemon.options.storage.slice_age == absl::Seconds(2));
  CHECK(daemon.options.storage.watermarks.hard.bytes == 1 << 20);
  CHECK(daemon.options.topics.max_event_bytes == 2 << 20);
  CHECK(daemon.options.publish.max_frame_bytes == 3 << 20);
  CHECK(daemon.options.rpc.max_receive_bytes == 17 << 20);
  CHECK(daemon.options.groups.max_groups == 7);
  CHECK(daemon.options.rpc.connections.max_connections == 9);
}

TEST_CASE("gRPC takes larger messages than a frame may have", "[app]") {
  Configured daemon;
  CHECK(daemon.Settle({{"storage.data", "x"}}).empty());
  CHECK(daemon.options.publish.max_frame_bytes == 17 << 20);
  CHECK(daemon.options.rpc.max_receive_bytes == 18 << 20);
}

TEST_CASE("a listener beyond loopback needs the word", "[app]") {
  for (const char* property : {"listen.grpc", "listen.http"}) {
    for (const char* address : {"0.0.0.0:0", "[::]:0", "10.1.2.3:7450"}) {
      INFO(property << " " << address);
      CHECK_THAT(Configured().Settle({{"storage.data", "x"}, {property, address}}),
                 Contains(property) && Contains("--insecure"));
      CHECK(Configured()
                .Settle({{"storage.data", "x"}, {property, address}, {"listen.insecure", "true"}})
                .empty());
    }
    CHECK_THAT(Configured().Settle({{"storage.data", "x"}, {property, "nowhere"}}),
               Contains(property) && Contains("'nowhere'"));
  }
}

TEST_CASE("limits that do not fit each other are refused by name", "[app]") {
  const std::pair<const char*, const char*> wrong[] = {
      {"topics.default_partitions=8 limits.partitions_per_topic=4", "topics.default_partitions"},
      {"limits.max_event=512KiB", "topics.default_max_event"},
      {"limits.max_frame=1MiB", "limits.max_event"},
      {"storage.disk_hard_percent=50", "storage.disk_hard_percent"},
      {"storage.disk_soft_bytes=1GiB", "storage.disk_hard_bytes"},
      {"storage.disk_warn_bytes=1GiB", "storage.disk_soft_bytes"},
      {"limits.max_credit_events=10", "limits.default_credit_events"}};
  for (const auto& [settings, said] : wrong) {
    INFO(settings);
    Configured daemon;
    REQUIRE_OK(daemon.Set("storage.data", "x"));
    std::string rest = settings;
    while (!rest.empty()) {
      const std::string one = rest.substr(0, rest.find(' '));
      rest.erase(0, one.size() + 1);
      REQUIRE_OK(daemon.Set(one.substr(0, one.find('=')), one.substr(one.find('=') + 1)));
    }
    CHECK_THAT(std::string(SettleOptions(&daemon.options).message()), Contains(said));
  }
}

TEST_CASE("reference pages are made of the tables", "[app]") {
  CHECK_THAT(ReferencePage("configuration").value(), Contains("| `limits.partitions` | `10000` |"));
  CHECK_THAT(ReferencePage("metrics").value(), Contains("acta_app_ready"));
  CHECK_THAT(ReferencePage("example").value(), Contains("\n#default_partitions = 4\n"));
  CHECK_THAT(std::string(ReferencePage("nothing").status().message()), Contains("'nothing'"));
}

}  // namespace
}  // namespace acta
