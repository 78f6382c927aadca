#include "server/config/command_line.h"

#include <string>
#include <vector>

#include "tests/support/status_matchers.h"
#include "tests/unit/config/sample_properties.h"

namespace acta {
namespace {

using Mode = CommandLine::Mode;

absl::StatusOr<CommandLine> Parse(const std::vector<std::string>& words) {
  const SampleProperties sample;
  return ParseCommandLine(words, sample.table);
}

TEST_CASE("flags take their value behind a sign or as the next word", "[config]") {
  const auto line = Parse(
      {"--data", "/a", "--topics.partitions=3", "--config", "f.toml", "--topics.retention", "1d"});
  REQUIRE_OK(line);
  CHECK(line->mode == Mode::kRun);
  CHECK(line->config == "f.toml");
  REQUIRE(line->settings.size() == 3);
  CHECK(line->settings[0].property == "storage.data");
  CHECK(line->settings[0].value == "/a");
  CHECK(line->settings[0].flag == "--data");
  CHECK(line->settings[1].value == "3");
  CHECK(line->settings[2].property == "topics.retention");
  CHECK(line->settings[2].value == "1d");
}

TEST_CASE("a switch needs no value", "[config]") {
  const auto line = Parse({"--accept-loss", "--data=x", "--storage.accept_loss=false"});
  REQUIRE_OK(line);
  CHECK(line->settings[0].value == "true");
  CHECK(line->settings[2].value == "false");
}

TEST_CASE("what prints and ends is a mode", "[config]") {
  CHECK(Parse({})->mode == Mode::kRun);
  CHECK(Parse({"-h"})->mode == Mode::kHelp);
  CHECK(Parse({"--help", "--version"})->mode == Mode::kHelp);
  CHECK(Parse({"--version"})->mode == Mode::kVersion);
  CHECK(Parse({"--print-config"})->mode == Mode::kPrintConfig);
  CHECK(Parse({"--print-config=table"})->mode == Mode::kPrintConfig);
  CHECK(Parse({"--print-config=json", "--data", "x"})->mode == Mode::kPrintConfigJson);
  CHECK(Parse({"--generate-reference", "metrics"})->reference == "metrics");
}

TEST_CASE("unknown words are refused with what was probably meant", "[config]") {
  const auto said = [](const std::vector<std::string>& words) {
    return std::string(Parse(words).status().message());
  };
  CHECK_THAT(said({"--dta", "x"}), Catch::Contains("'--dta'") && Catch::Contains("'--data'"));
  CHECK_THAT(said({"--topics.partition=1"}), Catch::Contains("'--topics.partitions'"));
  CHECK_THAT(said({"--versoin"}), Catch::Contains("'--version'"));
  CHECK_THAT(said({"-x"}), Catch::Contains("unknown flag '-x'"));
  CHECK_THAT(said({"folder"}), Catch::Contains("unexpected argument 'folder'"));
  CHECK_THAT(said({"--data"}), Catch::Contains("'--data' needs a value"));
  CHECK_THAT(said({"--version=2"}), Catch::Contains("does not take '2'"));
  CHECK_THAT(said({"--print-config=xml"}), Catch::Contains("does not take 'xml'"));
}

TEST_CASE("the help names every short flag", "[config]") {
  for (const char* flag : {"--data", "--grpc", "--http", "--config", "--ready-file", "--insecure",
                           "--accept-loss", "--print-config", "--version", "--help"}) {
    CHECK_THAT(HelpText(), Catch::Contains(flag));
  }
}

}  // namespace
}  // namespace acta
