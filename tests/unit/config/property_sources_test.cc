#include "server/config/property_sources.h"

#include <fstream>
#include <string>

#include "proto/support/error.h"
#include "server/config/command_line.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/config/sample_properties.h"

namespace acta {
namespace {

// Applies a file of this text.
absl::Status ApplyText(const std::string& text, PropertyTable* table) {
  const TempDir folder;
  const std::string path = folder.File("actad.toml");
  std::ofstream(path) << text;
  return ApplyFile(path, table);
}

TEST_CASE("a file sets properties by section and key", "[config]") {
  SampleProperties sample;
  REQUIRE_OK(
      ApplyText("[storage]\ndata = \"/var/lib/acta\"\naccept_loss = true\n"
                "disk_percent = 15\ncache = 2097152\n\n[topics]\nretention = '1d'\n"
                "partitions = 8\n[log]\ncolour = \"blue\"\n",
                &sample.table));
  CHECK(sample.data == "/var/lib/acta");
  CHECK(sample.accept_loss);
  CHECK(sample.disk_percent == 15);
  CHECK(sample.cache == 2 << 20);
  CHECK(sample.retention == absl::Hours(24));
  CHECK(sample.partitions == 8);
  CHECK(sample.colour == Colour::kBlue);
  CHECK(sample.table.Find("topics.partitions")->source == PropertySource::kFile);
}

TEST_CASE("a file does not end at a zero byte", "[config]") {
  SampleProperties sample;
  const std::string text = "[storage]\naccept_loss = true\n";
  const std::string rest("\0\n[topics]\npartitions = 8\n", 26);
  CHECK(ReasonOf(ApplyText(text + rest, &sample.table)) == v1::INVALID_ARGUMENT);
}

TEST_CASE("what is no key is refused by its line", "[config]") {
  SampleProperties sample;
  for (const char* text : {"\n[,storage]", "\n[.a]", "\n[a.,b]", "\n[[=]]", "\na.,b = 1"}) {
    INFO(text);
    CHECK(Says(ApplyText(text, &sample.table), "line 2"));
  }
}

TEST_CASE("an empty file sets nothing", "[config]") {
  SampleProperties sample;
  CHECK_OK(ApplyText("", &sample.table));
  CHECK_OK(ApplyText("# nothing\n[auth]\n", &sample.table));
}

TEST_CASE("what a file says wrongly is named with its line", "[config]") {
  SampleProperties sample;
  const auto says = [&sample](const std::string& text, absl::string_view said) {
    const absl::Status status = ApplyText(text, &sample.table);
    INFO(status.ToString());
    return ReasonOf(status) == v1::INVALID_ARGUMENT && Says(status, said);
  };
  CHECK(says("\n[topics]\npartition = 3\n", "did you mean 'topics.partitions'"));
  CHECK(says("\n[topics]\npartition = 3\n", "line 3"));
  CHECK(says("[topic]\npartitions = 3\n", "did you mean 'topics'"));
  CHECK(says("partitions = 3\n", "unknown section 'partitions'"));
  CHECK(says("topics = 3\n", "'topics' in "));
  CHECK(says("[[topics]]\npartitions = 3\n", "write [topics], and its keys below"));
  CHECK(says("[topics]\npartitions = [3]\n", "a value is a string"));
  CHECK(says("[topics]\npartitions.few = 3\n", "a value is a string"));
  CHECK(says("[topics]\npartitions = 0\n", "1 to 256"));
  CHECK(says("[topics]\nretention = 7\n", "7d"));
  CHECK(says("[topics]\npartitions = \n", "line 2"));
  CHECK(says("[topics]\npartitions = 3\npartitions = 4\n", "line 3"));
}

TEST_CASE("letters beyond ASCII belong into strings", "[config]") {
  SampleProperties sample;
  for (const std::string letter : {"\u00e9", "\u0416", "\ufb30", "\u3000", "\U0001f600"}) {
    const absl::Status status = ApplyText(letter + " = 1\n", &sample.table);
    INFO(status.ToString());
    CHECK(Says(status, "line 1"));
    const std::string folded = "[topics]\npartitions = \"\"\"\\\n" + letter + "\"\"\"\n";
    CHECK(Says(ApplyText(folded, &sample.table), "topics.partitions"));
  }
}

TEST_CASE("a file that cannot be read is an error", "[config]") {
  const TempDir folder;
  SampleProperties sample;
  CHECK(Says(ApplyFile(folder.File("none.toml"), &sample.table), "none.toml"));
  CHECK(Says(ApplyFile(folder.path(), &sample.table), folder.path()));
}

TEST_CASE("the environment sets properties", "[config]") {
  SampleProperties sample;
  REQUIRE_OK(ApplyEnvironment(
      {"HOME=/root", "ACTAD_TOPICS__PARTITIONS=12", "ACTAD_STORAGE__DATA=/a=b", "ACTA_SERVER=x"},
      &sample.table));
  CHECK(sample.partitions == 12);
  CHECK(sample.data == "/a=b");
  CHECK(sample.table.Find("storage.data")->source == PropertySource::kEnvironment);
}

TEST_CASE("an unknown variable of ours is an error with a suggestion", "[config]") {
  SampleProperties sample;
  const absl::Status status = ApplyEnvironment({"ACTAD_TOPICS__PARTITION=1"}, &sample.table);
  CHECK(Says(status, "'ACTAD_TOPICS__PARTITION'"));
  CHECK(Says(status, "did you mean 'ACTAD_TOPICS__PARTITIONS'"));
  CHECK_FALSE(ApplyEnvironment({"ACTAD_topics__partitions=1"}, &sample.table).ok());
  CHECK_FALSE(ApplyEnvironment({"ACTAD_=1"}, &sample.table).ok());
  CHECK(Says(ApplyEnvironment({"ACTAD_TOPICS__PARTITIONS=many"}, &sample.table),
             "environment ACTAD_TOPICS__PARTITIONS"));
}

TEST_CASE("flags win over the environment, which wins over the file", "[config]") {
  SampleProperties sample;
  PropertyTable& table = sample.table;
  REQUIRE_OK(
      ApplyText("[topics]\npartitions = 5\nretention = '5d'\n[storage]\ncache = '5MiB'\n", &table));
  REQUIRE_OK(
      ApplyEnvironment({"ACTAD_TOPICS__PARTITIONS=6", "ACTAD_TOPICS__RETENTION=6d"}, &table));
  const auto line = ParseCommandLine({"--topics.partitions=7"}, table);
  REQUIRE_OK(line);
  REQUIRE_OK(ApplyFlags(*line, &table));
  CHECK(sample.partitions == 7);
  CHECK(sample.retention == absl::Hours(24 * 6));
  CHECK(sample.cache == 5 << 20);
  CHECK(table.Find("topics.partitions")->source == PropertySource::kFlag);
  CHECK(table.Find("topics.retention")->source == PropertySource::kEnvironment);
  CHECK(table.Find("storage.cache")->source == PropertySource::kFile);
  CHECK(table.Find("log.colour")->source == PropertySource::kDefault);
}

}  // namespace
}  // namespace acta
