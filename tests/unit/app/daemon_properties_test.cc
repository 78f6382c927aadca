#include "server/app/daemon_properties.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "server/app/reference_pages.h"
#include "storage/base/status_macros.h"
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

// As the table of limits counts: milliseconds, bytes, or a number.
absl::StatusOr<int64_t> CountOf(const Property& property) {
  if (property.type == PropertyType::kBytes) return ParseBytes(property.get());
  if (property.type != PropertyType::kDuration) return ParseInteger(property.get());
  ASSIGN_OR_RETURN(const absl::Duration duration, ParseDurationText(property.get()));
  return absl::ToInt64Milliseconds(duration);
}

// Makes values differ that are the same by default. What is out of range then stays.
void TellApart(PropertyTable& table) {
  int64_t less = 0;
  for (const Property& property : table.properties()) {
    const auto count = CountOf(property);
    if (!count.ok()) continue;
    const std::string value = absl::StrCat(*count - ++less);
    (void)property.set(property.type == PropertyType::kDuration ? value + "ms" : value);
  }
}

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

TEST_CASE("every property is taken at the bounds of its range, and not beyond them", "[app]") {
  Configured daemon;
  int found = 0;
  for (const Property& property : daemon.table.properties()) {
    const bool duration = property.type == PropertyType::kDuration;
    const bool whole =
        property.type == PropertyType::kInteger || property.type == PropertyType::kBytes;
    if (!duration && !whole && property.type != PropertyType::kNumber) continue;
    INFO(property.name << ": " << property.range);
    const size_t to = property.range.find(" to ");
    REQUIRE(to != std::string::npos);
    const std::string bounds[] = {property.range.substr(0, to), property.range.substr(to + 4)};
    for (const int side : {0, 1}) {
      REQUIRE_OK(property.set(bounds[side]));
      const int64_t beyond = CountOf(property).value() + (side == 0 ? -1 : 1);
      CHECK_FALSE(property.set(absl::StrCat(beyond, duration ? "ms" : "")).ok());
      CHECK(property.get() == bounds[side]);
    }
    ++found;
  }
  CHECK(found > 60);
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
      {"limits.max_frame=1MiB",
       "limits.max_event (16MiB) must not be above limits.max_frame (1MiB)"},
      {"storage.disk_hard_percent=50", "storage.disk_hard_percent"},
      {"storage.disk_soft_bytes=1GiB", "storage.disk_hard_bytes"},
      {"storage.disk_warn_bytes=1GiB", "storage.disk_soft_bytes"},
      {"limits.max_credit_events=10", "limits.default_credit_events (1000) must"}};
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

// Goal: whoever reads a limit can change it. Method: rows are compared with the properties by name
// and value.
TEST_CASE("a limit that a property sets has the name and the value of the property", "[app]") {
  Configured daemon;
  TellApart(daemon.table);
  LimitUse use;
  use.disk_total_bytes = int64_t{1} << 50;  // A share of it is more than the bytes.
  std::set<std::string> rows;
  for (const v1::Limit& row : LimitsTable(LimitsOf(daemon.options), use)) {
    rows.insert(row.name());
    if (!absl::StrContains(row.name(), '.')) continue;
    INFO(row.name());
    const Property* property = daemon.table.Find(row.name());
    REQUIRE(property != nullptr);
    CHECK(CountOf(*property).value() == row.value());
  }
  for (const Property& property : daemon.table.properties()) {
    INFO(property.name);
    if (property.section() == "limits") CHECK(rows.count(property.name) == 1);
  }
}

// What the sources say as the first group of a pattern, with the file that does.
std::vector<std::pair<std::string, std::string>> SaidInSources(const std::regex& pattern) {
  std::vector<std::pair<std::string, std::string>> said;
  for (const char* folder : {"server/core", "server/rpc", "server/http", "storage"}) {
    const std::string root = absl::StrCat(ACTA_SOURCE_DIR, "/", folder);
    for (const auto& file : std::filesystem::recursive_directory_iterator(root)) {
      if (file.path().extension() != ".cc") continue;
      std::ifstream stream(file.path());
      const std::string text{std::istreambuf_iterator<char>(stream), {}};
      for (std::sregex_iterator it(text.begin(), text.end(), pattern), end; it != end; ++it) {
        said.emplace_back((*it)[1].str(), file.path().string());
      }
    }
  }
  return said;
}

// Goal: an error that names a limit names the property. Method: the sources are searched for what
// begins a text like a property, or is to be raised.
TEST_CASE("every property that the sources name is one", "[app]") {
  const Configured daemon;
  const std::regex name(
      "(?:\"|raise )((?:listen|storage|topics|limits|telemetry)\\.[a-z_]*[a-z])\\b");
  const auto said = SaidInSources(name);
  for (const auto& [property, file] : said) {
    INFO(file << ": " << property);
    CHECK(daemon.table.Find(property) != nullptr);
  }
  CHECK(said.size() > 40);
}

// Goal: who is told the name of a fixed limit finds it in `acta limits`. Method: all that the
// sources call so, but for fields of requests, whose errors tell their bounds.
TEST_CASE("every fixed limit that the sources name is a row", "[app]") {
  const Configured daemon;
  std::set<std::string> known = {"max_attempts",    "max_bytes",  "max_dead_letters",
                                 "max_event_bytes", "max_events", "max_frame_bytes",
                                 "max_redrives"};
  for (const v1::Limit& row : LimitsTable(LimitsOf(daemon.options), LimitUse())) {
    known.insert(row.name());
  }
  for (const auto& [limit, file] : SaidInSources(std::regex("\"(max_[a-z_]+)\""))) {
    INFO(file << ": " << limit);
    CHECK(known.count(limit) == 1);
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
