#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "tools/acta/app/command.h"

namespace acta::cli {

// What may stand where the last of some words is being typed.
struct Completion {
  // What the broker or the user's files know and the table of commands does not.
  enum class Names { kNone, kTopics, kGroups, kContexts, kFiles };

  // Those that begin as the last word does, in order.
  std::vector<std::string> words;
  Names names = Names::kNone;
};

// `words` are those behind the program's name, the last one, which may be empty, not yet whole.
Completion Complete(const std::vector<Command>& commands, const std::vector<Option>& global_options,
                    const std::vector<std::string>& words);

// The script that has a shell ask `acta __complete`. Empty: of another shell than bash, zsh, fish.
std::string CompletionScript(absl::string_view shell);

}  // namespace acta::cli
