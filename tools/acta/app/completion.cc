#include "tools/acta/app/completion.h"

#include <algorithm>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace acta::cli {
namespace {

using Names = Completion::Names;
using Words = std::vector<std::string>;

// clang-format off
constexpr char kBash[] = R"sh(# source <(acta completion bash)
_acta() {
  # COMP_WORDS are split at ':' and '=', which addresses and times have.
  local typed=${COMP_LINE:0:COMP_POINT} words line
  read -ra words <<<"$typed"
  [[ $typed == *' ' ]] && words+=('')
  COMPREPLY=()
  while IFS= read -r line; do
    if [[ $line == :files ]]; then
      compopt -o filenames 2>/dev/null
      mapfile -t COMPREPLY < <(compgen -f -- "${words[-1]}")
    else
      COMPREPLY+=("$line")
    fi
  done < <("${words[0]}" __complete -- "${words[@]:1}" 2>/dev/null)
}
complete -F _acta acta
)sh";

constexpr char kZsh[] = R"sh(#compdef acta
# source <(acta completion zsh), or this as the file _acta in a folder of $fpath
_acta() {
  local -a found
  local line
  for line in ${(f)"$(${words[1]} __complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)"}; do
    if [[ $line == :files ]]; then
      _files
    else
      found+=("$line")
    fi
  done
  compadd -a found
}
if [[ ${funcstack[1]} == _acta ]]; then
  _acta "$@"
else
  compdef _acta acta
fi
)sh";

constexpr char kFish[] = R"sh(# acta completion fish | source
function __acta_complete
    set -l words (commandline -opc) (commandline -ct)
    for line in (command $words[1] __complete -- $words[2..-1] 2>/dev/null)
        if test "$line" = ":files"
            __fish_complete_path (commandline -ct)
        else
            echo $line
        end
    end
end
complete -c acta -f -a '(__acta_complete)'
)sh";
// clang-format on

const Option* OptionOf(const std::vector<Option>& options, absl::string_view name) {
  for (const Option& option : options) {
    if (option.name == name || (!option.letter.empty() && option.letter == name)) return &option;
  }
  return nullptr;
}

// What has been typed before the last word.
struct Typed {
  Words plain;
  const Command* command = nullptr;
  size_t path_words = 0;
  const Option* wants_value = nullptr;  // The last word is its value.
};

const Option* FindTyped(const Typed& typed, const std::vector<Option>& global,
                        absl::string_view word) {
  const Option* const option = OptionOf(global, word);
  if (option != nullptr || typed.command == nullptr) return option;
  return OptionOf(typed.command->options, word);
}

Typed Read(const std::vector<Command>& commands, const std::vector<Option>& global,
           const Words& words) {
  Typed typed;
  for (size_t i = 0; i + 1 < words.size(); ++i) {
    if (words[i].size() > 1 && words[i][0] == '-') {
      const Option* const option = FindTyped(typed, global, words[i]);
      if (option == nullptr || option->value.empty()) continue;
      if (++i + 1 == words.size()) typed.wants_value = option;
      continue;
    }
    typed.plain.push_back(words[i]);
    if (typed.command != nullptr || typed.plain.size() > 2) continue;
    const std::string path = typed.plain.size() == 2
                                 ? absl::StrCat(typed.plain[0], " ", typed.plain[1])
                                 : typed.plain[0];
    for (const Command& command : commands) {
      if (command.path != path) continue;
      typed.command = &command;
      typed.path_words = typed.plain.size();
    }
  }
  return typed;
}

std::string WithoutBrackets(absl::string_view text) {
  std::string out;
  int depth = 0;
  for (const char c : text) {
    if (c == '(') ++depth;
    if (depth == 0) out += c;
    if (c == ')' && depth > 0) --depth;
  }
  return out;
}

// The words of "data, json or csv, ..."; none when it begins otherwise. What stands for something
// else, as OFFSET, is left out.
Words ListAt(absl::string_view clause) {
  const size_t last = clause.find(" or ");
  if (last == absl::string_view::npos) return {};
  Words words = absl::StrSplit(clause.substr(0, last), ',');
  const absl::string_view behind = clause.substr(last + 4);
  words.emplace_back(behind.substr(0, behind.find(',')));
  for (std::string& word : words) {
    absl::StripAsciiWhitespace(&word);
    if (absl::StrContains(word, ' ')) return {};
  }
  std::erase_if(words, [](const std::string& word) {
    return word.empty() || std::any_of(word.begin(), word.end(), absl::ascii_isupper);
  });
  return words;
}

// The alternatives that a help text names: "data, json or cloudevents (data)", also behind what
// they are of, "queue: key or key-relaxed".
Words Alternatives(absl::string_view help) {
  const std::string text = WithoutBrackets(help);
  for (const absl::string_view clause : absl::StrSplit(text, absl::ByString(": "))) {
    const Words words = ListAt(clause);
    if (!words.empty()) return words;
  }
  return {};
}

Names NamesOf(absl::string_view value) {
  if (absl::StartsWith(value, "TOPIC")) return Names::kTopics;
  if (absl::StartsWith(value, "GROUP")) return Names::kGroups;
  if (value == "CONTEXT") return Names::kContexts;
  if (value == "FILE" || value == "DIR") return Names::kFiles;
  return Names::kNone;
}

void AddCommands(const std::vector<Command>& commands, const Typed& typed, Completion* out) {
  std::set<std::string> next;
  for (const Command& command : commands) {
    if (command.path[0] == '_') continue;
    const Words path = absl::StrSplit(command.path, ' ');
    if (path.size() <= typed.plain.size()) continue;
    if (std::equal(typed.plain.begin(), typed.plain.end(), path.begin())) {
      next.insert(path[typed.plain.size()]);
    }
  }
  out->words.assign(next.begin(), next.end());
}

void AddOptions(const std::vector<Option>& options, Completion* out) {
  for (const Option& option : options) out->words.push_back(option.name);
}

// The argument that the last word is.
std::string ArgumentAt(const Typed& typed) {
  const auto& arguments = typed.command->arguments;
  const size_t at = typed.plain.size() - typed.path_words;
  if (arguments.empty()) return "";
  if (at >= arguments.size()) {
    return absl::StrContains(arguments.back(), "...") ? arguments.back() : "";
  }
  return arguments[at];
}

}  // namespace

Completion Complete(const std::vector<Command>& commands, const std::vector<Option>& global_options,
                    const Words& words) {
  Completion found;
  if (words.empty()) return found;
  const Typed typed = Read(commands, global_options, words);
  const std::string& last = words.back();
  if (typed.wants_value != nullptr) {
    found.names = NamesOf(typed.wants_value->value);
    found.words = Alternatives(typed.wants_value->help);
  } else if (absl::StartsWith(last, "-")) {
    if (typed.command != nullptr) AddOptions(typed.command->options, &found);
    AddOptions(global_options, &found);
    found.words.emplace_back("--help");
  } else if (typed.command == nullptr) {
    AddCommands(commands, typed, &found);
  } else {
    const std::string argument = ArgumentAt(typed);
    found.names = NamesOf(absl::string_view(argument).substr(absl::StartsWith(argument, "[")));
    if (argument == "SHELL") found.words = {"bash", "fish", "zsh"};
  }
  std::erase_if(found.words,
                [&](const std::string& word) { return !absl::StartsWith(word, last); });
  return found;
}

std::string CompletionScript(absl::string_view shell) {
  if (shell == "bash") return kBash;
  if (shell == "zsh") return kZsh;
  if (shell == "fish") return kFish;
  return "";
}

}  // namespace acta::cli
