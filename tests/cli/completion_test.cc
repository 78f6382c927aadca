#include <string>
#include <vector>

#include "tests/support/status_matchers.h"
#include "tools/acta/app/command_line.h"
#include "tools/acta/app/completion.h"
#include "tools/acta/commands/queue_options.h"

namespace acta::cli {
namespace {

using Words = std::vector<std::string>;
using Names = Completion::Names;

absl::Status RunNothing(CommandContext&) { return absl::OkStatus(); }

const std::vector<Command>& SomeCommands() {
  static const auto& commands = *new std::vector<Command>{
      {"topic create",
       {"TOPIC"},
       "",
       "",
       "",
       {{"--partitions", "N", "how many"}, {"--ack", "LEVEL", "fsync or os: when (fsync)"}},
       RunNothing},
      {"topic list", {"[PATTERN]"}, "", "", "", {}, RunNothing},
      {"subscribe",
       {"TOPIC..."},
       "",
       "",
       "",
       {{"--group", "GROUP", "join it"},
        {"--format", "FORMAT", "data, json, cloudevents or csv (data)"},
        {"--until-end", "", "ends"},
        {"--file", "FILE", "lines"},
        {"--mode", "MODE", "stream or queue, of a group that is new (stream)"},
        {"--draw", "HOW", "tree, dot (Graphviz) or mermaid (tree)"},
        {"--partitioner", "HOW", "key, or explicit: the client names it (key)"},
        {"--from", "POSITION", "earliest, latest, OFFSET or TIME (latest)"},
        {"--show", "FORMAT", "of the event: data, json or csv (data)"},
        {"--app", "NAME", "for attempts that fail (acta's, or none with --mode)"},
        {"--after", "TIME", "only what died at TIME or later"}},
       RunNothing},
      {"context use", {"CONTEXT"}, "", "", "", {}, RunNothing},
      {"completion", {"SHELL"}, "", "", "", {}, RunNothing},
      {"__complete", {"[WORD...]"}, "", "", "", {}, RunNothing}};
  return commands;
}

Completion After(const Words& words) { return Complete(SomeCommands(), GlobalOptions(), words); }

TEST_CASE("commands are completed word by word, and those for programs are not told", "[cli]") {
  CHECK(After({""}).words == Words{"completion", "context", "subscribe", "topic"});
  CHECK(After({"co"}).words == Words{"completion", "context"});
  CHECK(After({"topic", ""}).words == Words{"create", "list"});
  CHECK(After({"--server", "h:1", "topic", "c"}).words == Words{"create"});
  CHECK(After({"-q", "topic", "c"}).words == Words{"create"});
  CHECK(After({"nothing", ""}).words.empty());
  CHECK(After({}).words.empty());
}

TEST_CASE("options of the command and of all commands are completed", "[cli]") {
  CHECK(After({"topic", "create", "--p"}).words == Words{"--partitions"});
  CHECK(After({"subscribe", "t", "--"}).words.size() == 11 + GlobalOptions().size() + 1);
  CHECK(After({"--se"}).words == Words{"--server"});
  CHECK(After({"topic", "create", "--h"}).words == Words{"--help"});
}

TEST_CASE("values are completed from what help names, or by names of the broker", "[cli]") {
  CHECK(After({"subscribe", "--format", ""}).words == Words{"data", "json", "cloudevents", "csv"});
  CHECK(After({"-o", ""}).words == Words{"table", "json", "csv"});
  CHECK(After({"topic", "create", "t", "--ack", "f"}).words == Words{"fsync"});
  CHECK(After({"topic", "create", "t", "--partitions", ""}).words.empty());
  CHECK(After({"subscribe", "--group", ""}).names == Names::kGroups);
  CHECK(After({"subscribe", "--file", ""}).names == Names::kFiles);
  CHECK(After({"--context", "p"}).names == Names::kContexts);
  CHECK(After({"completion", "z"}).words == Words{"zsh"});
}

TEST_CASE("values are completed whatever stands around them in a help text", "[cli]") {
  CHECK(After({"subscribe", "--mode", ""}).words == Words{"stream", "queue"});
  CHECK(After({"subscribe", "--draw", ""}).words == Words{"tree", "dot", "mermaid"});
  CHECK(After({"subscribe", "--partitioner", ""}).words == Words{"key", "explicit"});
  CHECK(After({"subscribe", "--from", ""}).words == Words{"earliest", "latest"});
  CHECK(After({"subscribe", "--show", ""}).words == Words{"data", "json", "csv"});
  CHECK(After({"subscribe", "--app", ""}).words.empty());
  CHECK(After({"subscribe", "--after", ""}).words.empty());

  const std::vector<Command> commands = {
      {"group create", {"GROUP"}, "", "", "", QueueOptions(), RunNothing}};
  const auto values = [&commands](const char* option) {
    return Complete(commands, GlobalOptions(), {"group", "create", "g", option, ""}).words;
  };
  CHECK(values("--mode") == Words{"stream", "queue"});
  CHECK(values("--order") == Words{"unordered", "key", "key-relaxed"});
  CHECK(values("--on-exhausted") == Words{"dead-letter", "hold-key"});
  CHECK(values("--backoff-jitter").empty());
}

TEST_CASE("arguments are completed by what they name, as often as they may stand", "[cli]") {
  CHECK(After({"topic", "create", "o"}).names == Names::kTopics);
  CHECK(After({"topic", "create", "orders", ""}).names == Names::kNone);
  CHECK(After({"subscribe", "a", "b", ""}).names == Names::kTopics);
  CHECK(After({"subscribe", "--until-end", ""}).names == Names::kTopics);
  CHECK(After({"context", "use", ""}).names == Names::kContexts);
  CHECK(After({"topic", "list", ""}).names == Names::kNone);
}

TEST_CASE("there is a script for each of three shells", "[cli]") {
  for (const char* const shell : {"bash", "zsh", "fish"}) {
    CHECK(CompletionScript(shell).find("__complete -- ") != std::string::npos);
  }
  CHECK(CompletionScript("csh").empty());
}

}  // namespace
}  // namespace acta::cli
