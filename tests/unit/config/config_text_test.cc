#include "server/config/config_text.h"

#include <fstream>
#include <string>

#include "absl/strings/str_replace.h"
#include "server/config/property_sources.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/config/sample_properties.h"

namespace acta {
namespace {

TEST_CASE("the table has name, value, source and meaning", "[config]") {
  SampleProperties sample;
  REQUIRE_OK(sample.table.Set("topics.partitions", "9", PropertySource::kFlag, "flag"));
  const std::string text = ConfigAsTable(sample.table);
  CHECK_THAT(text, Catch::Contains("topics.partitions     9       flag     of a new topic\n"));
  CHECK_THAT(text, Catch::Contains("storage.data          -       default  where\n"));
}

TEST_CASE("JSON escapes what values hold", "[config]") {
  SampleProperties sample;
  REQUIRE_OK(sample.table.Set("storage.data", "a\"b\\c\n", PropertySource::kFlag, "flag"));
  CHECK_THAT(ConfigAsJson(sample.table),
             Catch::Contains("\"name\": \"storage.data\", \"value\": \"a\\\"b\\\\c\\u000a\""));
}

TEST_CASE("the message has every property", "[config]") {
  const SampleProperties sample;
  const v1::GetConfigResponse config = ConfigAsProto(sample.table);
  REQUIRE(config.properties_size() == static_cast<int>(sample.table.properties().size()));
  const v1::Property& row = config.properties(4);
  CHECK(row.name() == "topics.partitions");
  CHECK(row.value() == "4");
  CHECK(row.default_value() == "4");
  CHECK(row.source() == "default");
  CHECK(row.range() == "1 to 256");
  CHECK(row.meaning() == "of a new topic");
}

TEST_CASE("the reference page has a table for each section in use", "[config]") {
  const SampleProperties sample;
  const std::string page = ConfigAsMarkdown(sample.table);
  CHECK_THAT(page, Catch::Contains("\n## storage\n") && Catch::Contains("\n## log\n") &&
                       !Catch::Contains("\n## auth\n"));
  CHECK_THAT(page, Catch::Contains(
                       "| `topics.retention` | `7d` | duration | 1s to 36500d | kept so long |"));
}

TEST_CASE("the example file is right as it stands, and with its lines switched on", "[config]") {
  SampleProperties sample;
  const TempDir folder;
  const std::string path = folder.File("example.toml");
  const std::string text = ConfigAsExample(sample.table);
  std::ofstream(path) << text;
  CHECK_OK(ApplyFile(path, &sample.table));
  CHECK(sample.table.Find("topics.partitions")->source == PropertySource::kDefault);
  // A property's line has no blank behind its sign.
  std::string on = text;
  for (const Property& row : sample.table.properties()) {
    on = absl::StrReplaceAll(
        on, {{"\n#" + std::string(row.key()) + " =", "\n" + std::string(row.key()) + " ="}});
  }
  std::ofstream(path) << on;
  CHECK_OK(ApplyFile(path, &sample.table));
  for (const Property& row : sample.table.properties()) {
    INFO(row.name);
    CHECK(row.source == PropertySource::kFile);
    CHECK(row.get() == row.default_value);
  }
}

}  // namespace
}  // namespace acta
