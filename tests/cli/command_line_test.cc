#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/support/status_matchers.h"
#include "tools/acta/app/command_line.h"
#include "tools/acta/app/help.h"
#include "tools/acta/exit_status.h"

namespace acta::cli {
namespace {

using Words = std::vector<std::string>;

absl::Status Nothing(CommandContext&) { return absl::OkStatus(); }

const std::vector<Command>& Commands() {
  static const auto& commands = *new std::vector<Command>{
      {"topic create",
       {"TOPIC"},
       "creates a topic",
       "",
       "acta topic create orders",
       {{"--partitions", "N", "how many"}, {"--label", "NAME=VALUE", "a note", true}},
       Nothing},
      {"topic delete", {"TOPIC"}, "deletes a topic", "", "acta topic delete orders", {}, Nothing},
      {"publish",
       {"TOPIC", "[DATA]"},
       "publishes",
       "Line by line.",
       "acta publish orders hello",
       {{"--dry-run", "", "sends nothing"}},
       Nothing},
      {"subscribe",
       {"TOPIC..."},
       "reads",
       "",
       "acta subscribe orders",
       {{"--from", "POSITION", "where"},
        {"--topic", "TOPIC", "only this one"},
        {"--group", "GROUP", "as a member"},
        {"--fingerprint", "F", "only those"},
        {"--max", "N", "so many"},
        {"--member", "NAME", "whose place is kept"}},
       Nothing}};
  return commands;
}

absl::StatusOr<CommandLine> Parse(const Words& words) {
  return ParseCommandLine(Commands(), words);
}

std::string Refused(const Words& words) {
  const absl::Status status = Parse(words).status();
  CHECK(ExitStatusOf(status) == kExitUsage);
  return std::string(status.message());
}

TEST_CASE("options stand anywhere and global ones before the command", "[cli]") {
  const CommandLine line =
      *Parse({"--server", "h:1", "topic", "create", "--partitions=3", "orders", "-o", "json"});
  REQUIRE(line.command != nullptr);
  CHECK(line.command->path == "topic create");
  CHECK(line.args.Get("TOPIC") == "orders");
  CHECK(line.args.Get("--server") == "h:1");
  CHECK(line.args.Get("--output") == "json");
  CHECK(**line.args.Integer("--partitions") == 3);
}

TEST_CASE("a value behind an equals sign may stand before the command, too", "[cli]") {
  const auto line = Parse({"--server=h:1", "-o=json", "--quiet", "topic", "create", "orders"});
  REQUIRE_OK(line);
  REQUIRE(line->command != nullptr);
  CHECK(line->command->path == "topic create");
  CHECK(line->args.Get("TOPIC") == "orders");
  CHECK(line->args.Get("--server") == "h:1");
  CHECK(line->args.Get("--output") == "json");
}

TEST_CASE("an option's value may begin with a dash", "[cli]") {
  CHECK(Parse({"subscribe", "a", "b", "--from", "-15m"})->args.Get("--from") == "-15m");
  CHECK(Parse({"subscribe", "a", "b"})->args.All("TOPIC") == Words{"a", "b"});
  CHECK(Parse({"publish", "t", "--", "--dry-run"})->args.Get("DATA") == "--dry-run");
}

TEST_CASE("what repeats is kept and what does not is refused twice", "[cli]") {
  CHECK(Parse({"topic", "create", "t", "--label", "a=1", "--label", "b=2"})->args.All("--label") ==
        Words{"a=1", "b=2"});
  CHECK(Refused({"topic", "create", "t", "--partitions", "1", "--partitions", "2"}) ==
        "--partitions is given twice");
}

TEST_CASE("slips get a suggestion", "[cli]") {
  CHECK(Refused({"pubish", "t"}) == "unknown command 'pubish t'; did you mean 'publish'?");
  CHECK(Refused({"topic", "craete", "t"}) ==
        "unknown command 'topic craete'; did you mean 'topic create'?");
  CHECK(Refused({"topic", "create", "t", "--partition", "1"}) ==
        "unknown option '--partition'; did you mean '--partitions'?");
  CHECK(Refused({"frobnicate"}) == "unknown command 'frobnicate'; see `acta --help`");
}

TEST_CASE("options that other tools have get a suggestion", "[cli]") {
  for (const char* theirs : {"--count", "-n", "-c", "--limit"}) {
    CHECK(Refused({"subscribe", "t", theirs, "1"}) ==
          absl::StrCat("unknown option '", theirs, "'; did you mean '--max'?"));
  }
  CHECK(Refused({"subscribe", "t", "--from-beginning"}) ==
        "unknown option '--from-beginning'; did you mean '--from earliest'?");
  CHECK(Refused({"-b", "h:1", "subscribe", "t"}) ==
        "unknown option '-b'; did you mean '--server'?");
  CHECK(Refused({"publish", "t", "--count", "1"}) == "unknown option '--count'");
  CHECK(Refused({"publish", "t", "-=1"}) == "unknown option '-'");
}

TEST_CASE("what is an argument, and no option, is said to be one", "[cli]") {
  for (const char* theirs : {"--topic", "-t"}) {
    CHECK(Refused({"publish", theirs, "t"}) ==
          absl::StrCat("unknown option '", theirs,
                       "'; it stands without one: acta publish TOPIC [DATA]"));
  }
  CHECK(Refused({"publish", "t", "-5"}) ==
        "unknown option '-5'; an argument that begins with '-' goes behind '--'");
}

TEST_CASE("commands of other tools get a suggestion", "[cli]") {
  CHECK(Refused({"consume", "t"}) == "unknown command 'consume t'; did you mean 'subscribe'?");
  CHECK(Refused({"pub", "t", "x"}) == "unknown command 'pub t'; did you mean 'publish'?");
  CHECK(Refused({"topic", "rm", "t"}) ==
        "unknown command 'topic rm'; did you mean 'topic delete'?");
  CHECK(Refused({"topics", "new"}) == "unknown command 'topics new'; did you mean 'topic create'?");
  CHECK(Refused({"topic", "xyz"}) == "unknown command 'topic xyz'; see `acta topic --help`");
}

TEST_CASE("what is missing or too much is named", "[cli]") {
  CHECK(Refused({"topic"}) == "a command is missing; see `acta topic --help`");
  CHECK(Refused({"topic", "create"}) == "TOPIC is missing; see `acta topic create --help`");
  CHECK(Refused({"publish", "t", "x", "y"}) ==
        "'y' is one argument too many; see `acta publish --help`");
  CHECK(Refused({"publish", "t", "--dry-run=1"}) == "--dry-run takes no value");
  CHECK(Refused({"subscribe", "t", "--from"}) == "--from needs a value: --from POSITION");
}

TEST_CASE("what is no text is refused by its name, but for data", "[cli]") {
  CHECK(Refused({"topic", "create", "a\xff"}) == "TOPIC: 'a\\xff' is not UTF-8");
  CHECK(Refused({"topic", "create", "t", "--label", "a=\xc3"}) ==
        "--label: 'a=\\xc3' is not UTF-8");
  CHECK(Parse({"topic", "create", "t", "--label", "a=gr\xc3\xbc\xc3\x9f"})->args.Get("--label") ==
        "a=gr\xc3\xbc\xc3\x9f");
  CHECK(Parse({"publish", "t", "\xff"})->args.Get("DATA") == "\xff");
}

TEST_CASE("a name that is empty is not taken for one that is not given", "[cli]") {
  for (const char* option : {"--topic", "--group", "--fingerprint", "--context"}) {
    CHECK(Refused({"subscribe", "t", option, ""}) == absl::StrCat(option, ": it is empty"));
    CHECK(Refused({"subscribe", "t", absl::StrCat(option, "=")}) ==
          absl::StrCat(option, ": it is empty"));
    CHECK_OK(Parse({"subscribe", "t", option, "x"}));
  }
  CHECK_OK(Parse({"subscribe", "t", "--member", ""}));
}

TEST_CASE("numbers are checked where they are read", "[cli]") {
  const CommandLine line = *Parse({"topic", "create", "t", "--partitions", "257"});
  CHECK(line.args.Integer("--partitions", 1, 256).status().message() ==
        "--partitions: '257' is not a number from 1 to 256");
}

TEST_CASE("help of a command", "[cli]") {
  CHECK(Parse({"publish", "--help"})->help ==
        "publishes\n\nUsage: acta publish TOPIC [DATA] [OPTIONS]\n\nLine by line.\n\n"
        "Options:\n  --dry-run  sends nothing\n\n"
        "Every command:\n"
        "  --server ADDR        the broker; also ACTA_SERVER (127.0.0.1:7450)\n"
        "  --context CONTEXT    the broker of this name; also ACTA_CONTEXT\n"
        "  -o, --output FORMAT  table, json or csv (table)\n"
        "  --timeout TIME       give a call up after this long (30s)\n"
        "  --no-color           no colours on a terminal\n"
        "  -q, --quiet          no progress, no hints\n"
        "  -v, --verbose        details of errors\n\n"
        "Example:\n  acta publish orders hello\n");
}

TEST_CASE("help of the program and of a part of it lists commands", "[cli]") {
  const std::string all = Parse({})->help;
  CHECK(all.find("  topic create TOPIC    creates a topic\n") != std::string::npos);
  CHECK(all.find("Exit codes: 0 done") != std::string::npos);
  const std::string topic = Parse({"topic", "--help"})->help;
  CHECK(topic.find("topic create TOPIC") != std::string::npos);
  CHECK(topic.find("publish TOPIC") == std::string::npos);
}

TEST_CASE("help is asked for as a command, too", "[cli]") {
  CHECK(Parse({"help"})->help == Parse({})->help);
  CHECK(Parse({"help", "topic"})->help == Parse({"topic", "--help"})->help);
  CHECK(Parse({"help", "topic", "create"})->help == Parse({"topic", "create", "--help"})->help);
  CHECK(Parse({"help", "publish"})->command == nullptr);
}

TEST_CASE("help may be asked for in front of the command", "[cli]") {
  for (const Words& words : {Words{"--help", "publish"}, Words{"-o", "json", "-h", "publish"}}) {
    const auto line = Parse(words);
    REQUIRE_OK(line);
    CHECK(line->help == Parse({"publish", "--help"})->help);
  }
  const auto line = Parse({"-h", "topic", "create"});
  REQUIRE_OK(line);
  CHECK(line->help == Parse({"topic", "create", "--help"})->help);
  CHECK(Parse({"--help", "topic"})->help == Parse({"topic", "--help"})->help);
}

TEST_CASE("help of what is no command is refused", "[cli]") {
  CHECK(Refused({"help", "pubish"}) == "unknown command 'pubish'; did you mean 'publish'?");
  CHECK(Refused({"topic", "craete", "--help"}) ==
        "unknown command 'topic craete'; did you mean 'topic create'?");
}

}  // namespace
}  // namespace acta::cli
