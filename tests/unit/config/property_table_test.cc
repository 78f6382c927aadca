#include "server/config/property_table.h"

#include <map>
#include <string>

#include "proto/support/error.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/config/sample_properties.h"

namespace acta {
namespace {

TEST_CASE("the value of a field when it is described is the default", "[config]") {
  const SampleProperties sample;
  std::map<std::string, std::string> defaults;
  for (const Property& row : sample.table.properties()) defaults[row.name] = row.default_value;
  CHECK(defaults == std::map<std::string, std::string>{{"storage.data", ""},
                                                       {"storage.accept_loss", "false"},
                                                       {"storage.disk_percent", "20"},
                                                       {"storage.cache", "128MiB"},
                                                       {"topics.partitions", "4"},
                                                       {"topics.retention", "7d"},
                                                       {"log.colour", "red"}});
}

TEST_CASE("setting a property sets the field and remembers the source", "[config]") {
  SampleProperties sample;
  PropertyTable& table = sample.table;
  CHECK_OK(table.Set("storage.data", "/tmp/x", PropertySource::kFlag, "flag"));
  CHECK_OK(table.Set("storage.accept_loss", "true", PropertySource::kFlag, "flag"));
  CHECK_OK(table.Set("storage.disk_percent", "12.5", PropertySource::kFlag, "flag"));
  CHECK_OK(table.Set("storage.cache", "1GiB", PropertySource::kFlag, "flag"));
  CHECK_OK(table.Set("topics.partitions", "16", PropertySource::kFlag, "flag"));
  CHECK_OK(table.Set("topics.retention", "30d", PropertySource::kFlag, "flag"));
  CHECK_OK(table.Set("log.colour", "blue", PropertySource::kFlag, "flag"));
  CHECK(sample.data == "/tmp/x");
  CHECK(sample.accept_loss);
  CHECK(sample.disk_percent == 12.5);
  CHECK(sample.cache == int64_t{1} << 30);
  CHECK(sample.partitions == 16);
  CHECK(sample.retention == absl::Hours(24 * 30));
  CHECK(sample.colour == Colour::kBlue);
  CHECK(table.Find("log.colour")->get() == "blue");
  CHECK(table.Find("log.colour")->default_value == "red");
  CHECK(table.Find("log.colour")->source == PropertySource::kFlag);
}

TEST_CASE("a value out of range names property, value, range and place", "[config]") {
  SampleProperties sample;
  const absl::Status status = sample.table.Set("topics.partitions", "257", PropertySource::kFlag,
                                               "flag --topics.partitions");
  CHECK(ReasonOf(status) == v1::INVALID_ARGUMENT);
  for (const char* said : {"topics.partitions", "257", "1 to 256", "flag --topics.partitions"}) {
    INFO(said);
    CHECK(Says(status, said));
  }
  CHECK(sample.partitions == 4);
  CHECK(sample.table.Find("topics.partitions")->source == PropertySource::kDefault);
}

TEST_CASE("a value of the wrong kind changes nothing", "[config]") {
  SampleProperties sample;
  const std::pair<const char*, const char*> wrong[] = {
      {"storage.accept_loss", "maybe"}, {"storage.disk_percent", "100.5"},
      {"storage.disk_percent", "nan"},  {"storage.cache", "1KiB"},
      {"storage.cache", "much"},        {"topics.partitions", "0"},
      {"topics.partitions", "4.0"},     {"topics.partitions", "99999999999999999999"},
      {"topics.retention", "0"},        {"topics.retention", "7"},
      {"log.colour", "green"}};
  for (const auto& [name, text] : wrong) {
    INFO(name << " = " << text);
    CHECK_FALSE(sample.table.Set(name, text, PropertySource::kFile, "file").ok());
    CHECK(sample.table.Find(name)->get() == sample.table.Find(name)->default_value);
  }
}

TEST_CASE("an unknown name gets the nearest one", "[config]") {
  SampleProperties sample;
  const auto set = [&sample](absl::string_view name) {
    return sample.table.Set(name, "1", PropertySource::kFile, "file");
  };
  CHECK(Says(set("topics.partition"), "did you mean 'topics.partitions'"));
  CHECK(Says(set("storage.cahce"), "did you mean 'storage.cache'"));
  CHECK_FALSE(Says(set("weather.forecast_for_tomorrow"), "did you mean"));
  CHECK_FALSE(Says(set(std::string(5000, 'x')), "did you mean"));
}

}  // namespace
}  // namespace acta
