#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "client/cpp/admin.h"
#include "client/cpp/steady_time.h"
#include "storage/base/status_macros.h"
#include "tools/acta/app/command_context.h"
#include "tools/acta/app/command_line.h"
#include "tools/acta/app/completion.h"
#include "tools/acta/app/contexts.h"
#include "tools/acta/commands/all_commands.h"

namespace acta::cli {
namespace {

// Nobody waits longer for a name.
constexpr absl::Duration kPatience = absl::Seconds(1);
constexpr int32_t kMostNames = 1'000;

// The broker of the words that are typed, or the one that is used without.
absl::StatusOr<std::unique_ptr<client::Admin>> Broker(const std::vector<std::string>& words) {
  Args args;
  for (size_t i = 0; i + 1 < words.size(); ++i) {
    const size_t equals = words[i].find('=');
    const std::string name = words[i].substr(0, equals);
    if (name != "--server" && name != "--context") continue;
    if (equals != std::string::npos) {
      args.Add(name, words[i].substr(equals + 1));
    } else if (i + 2 < words.size()) {
      args.Add(name, words[i + 1]);
    }
  }
  ASSIGN_OR_RETURN(const ServerChoice server, FindServer(args));
  client::ChannelOptions options;
  options.deadline = kPatience;
  return std::make_unique<client::Admin>(
      std::make_shared<client::Channel>(server.address, options));
}

// None where nobody answers.
std::vector<std::string> NamesAtBroker(const std::vector<std::string>& words,
                                       Completion::Names names) {
  std::vector<std::string> found;
  const auto admin = Broker(words);
  if (!admin.ok()) return found;
  if (names == Completion::Names::kTopics) {
    v1::ListTopicsRequest request;
    request.set_page_size(kMostNames);
    request.set_name_prefix(words.back());
    const auto topics = (*admin)->ListTopics(request);
    if (!topics.ok()) return found;
    for (const v1::Topic& topic : topics->topics()) found.push_back(topic.name());
  } else {
    // Page by page: they cannot be asked for by how they begin.
    const absl::Time end = client::SteadyNow() + kPatience;
    v1::ListGroupsRequest request;
    request.set_page_size(kMostNames);
    do {
      const auto groups = (*admin)->ListGroups(request);
      if (!groups.ok()) return found;
      for (const v1::Group& group : groups->groups()) found.push_back(group.name());
      request.set_page_token(groups->next_page_token());
    } while (!request.page_token().empty() && client::SteadyNow() < end);
  }
  return found;
}

absl::Status Run(CommandContext& context) {
  const std::vector<std::string>& words = context.args().All("WORD");
  if (words.empty()) return absl::OkStatus();
  const Completion completion = Complete(AllCommands(), GlobalOptions(), words);
  std::vector<std::string> found = completion.words;
  if (completion.names == Completion::Names::kContexts) {
    const absl::StatusOr<Contexts> contexts = Contexts::Load(Contexts::DefaultPath());
    if (contexts.ok()) {
      for (const auto& [name, server] : contexts->servers()) found.push_back(name);
    }
  } else if (completion.names == Completion::Names::kFiles) {
    found.emplace_back(":files");
  } else if (completion.names != Completion::Names::kNone) {
    found = NamesAtBroker(words, completion.names);
  }
  std::string text;
  for (const std::string& word : found) {
    if (word[0] == ':' || absl::StartsWith(word, words.back())) absl::StrAppend(&text, word, "\n");
  }
  return WriteAll(stdout, text);
}

}  // namespace

Command CompleteCommand() {
  return {"__complete",
          {"[WORD...]"},
          "what may stand in place of the last word, one a line; ':files': a file",
          "",
          "acta __complete -- topic cr",
          {},
          Run,
          false};
}

}  // namespace acta::cli
