#include <fnmatch.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cpp/admin.h"
#include "storage/base/status_macros.h"
#include "tools/acta/app/command_context.h"
#include "tools/acta/commands/all_commands.h"
#include "tools/acta/commands/tables.h"
#include "tools/acta/exit_status.h"

namespace acta::cli {
namespace {

constexpr int32_t kPage = 1000;

// What all names begin with that the pattern matches.
std::string PrefixOf(const std::string& pattern) {
  return pattern.substr(0, pattern.find_first_of("*?[\\"));
}

// Those that match, and until there are `most` of them; then `next` is where to go on.
absl::StatusOr<v1::ListTopicsResponse> List(CommandContext& context, const std::string& pattern,
                                            std::optional<int64_t> most) {
  v1::ListTopicsResponse all;
  v1::ListTopicsRequest request;
  request.set_name_prefix(pattern.empty() ? context.args().Get("--prefix") : PrefixOf(pattern));
  request.set_page_token(context.args().Get("--page"));
  const auto full = [&] { return most.has_value() && all.topics_size() >= *most; };
  do {
    request.set_page_size(kPage);
    ASSIGN_OR_RETURN(v1::ListTopicsResponse page, context.admin().ListTopics(request));
    int looked_at = 0;
    for (; looked_at < page.topics_size() && !full(); ++looked_at) {
      v1::Topic& topic = *page.mutable_topics(looked_at);
      const bool matches =
          pattern.empty() || fnmatch(pattern.c_str(), topic.name().c_str(), 0) == 0;
      if (matches) *all.add_topics() = std::move(topic);
    }
    if (looked_at < page.topics_size()) {
      // Where to go on is said by a page that ends there.
      request.set_page_size(looked_at);
      ASSIGN_OR_RETURN(page, context.admin().ListTopics(request));
    }
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty() && !full());
  all.set_next_page_token(request.page_token());
  return all;
}

absl::Status Run(CommandContext& context) {
  const Args& args = context.args();
  if (args.Has("PATTERN") && args.Has("--prefix")) {
    return UsageError("--prefix and PATTERN exclude each other");
  }
  ASSIGN_OR_RETURN(const auto most, args.Integer("--max", 1));
  ASSIGN_OR_RETURN(const v1::ListTopicsResponse all, List(context, args.Get("PATTERN"), most));
  std::vector<const v1::Topic*> topics;
  for (const v1::Topic& topic : all.topics()) topics.push_back(&topic);
  RETURN_IF_ERROR(context.output().Print({&all}, TopicTable(topics)));
  if (!all.next_page_token().empty()) {
    context.terminal().Hint(absl::StrCat("there may be more: --page ", all.next_page_token()));
  } else if (topics.empty()) {
    context.terminal().Hint(args.Has("PATTERN") ? "no topic has a name like this"
                                                : "create one: acta topic create orders");
  }
  return absl::OkStatus();
}

}  // namespace

Command TopicListCommand() {
  return {
      "topic list",
      {"[PATTERN]"},
      "lists topics by name",
      "PATTERN is of names: * stands for any text, ? for one character, [a-c] for one of them.\n"
      "With --max a page; what comes behind it is named by nextPageToken in JSON, and in a hint.",
      "acta topic list 'orders-*' -o json",
      {{"--prefix", "TEXT", "only names that begin so"},
       {"--max", "N", "so many at most (all)"},
       {"--page", "TOKEN", "goes on behind an earlier page"}},
      Run};
}

}  // namespace acta::cli
