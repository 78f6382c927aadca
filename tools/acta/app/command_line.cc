#include "tools/acta/app/command_line.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "proto/support/wire.h"
#include "storage/base/status_macros.h"
#include "tools/acta/app/help.h"
#include "tools/acta/app/synonyms.h"
#include "tools/acta/exit_status.h"

namespace acta::cli {
namespace {

using Words = std::vector<std::string>;

bool IsOption(absl::string_view word) { return word.size() > 1 && word[0] == '-'; }
bool AsksForHelp(absl::string_view word) { return word == "--help" || word == "-h"; }

// What goes nowhere as text: data and keys, and what the system is given.
bool MayBeBytes(absl::string_view name) {
  return name == "DATA" || name == "--key" || name == "--file" || name == "--exec";
}

// Other bytes would not arrive: protobuf takes UTF-8.
absl::Status CheckText(absl::string_view name, absl::string_view value) {
  if (MayBeBytes(name) || IsUtf8(value)) return absl::OkStatus();
  return UsageError(absl::StrCat(name, ": '", absl::CHexEscape(value), "' is not UTF-8"));
}

// As of a variable that is not set: a command would do it with all topics, or ask another broker.
absl::Status CheckNamed(const Option& option, absl::string_view value) {
  const bool is_name = option.value == "TOPIC" || option.value == "GROUP" ||
                       option.value == "CONTEXT" || option.name == "--fingerprint";
  if (!is_name || !value.empty()) return absl::OkStatus();
  return UsageError(absl::StrCat(option.name, ": it is empty"));
}

const Option* FindOption(const std::vector<Option>& options, absl::string_view name) {
  for (const Option& option : options) {
    if (option.name == name || (!option.letter.empty() && option.letter == name)) return &option;
  }
  return nullptr;
}

struct ArgumentParts {
  absl::string_view name;
  bool optional = false;
  bool repeats = false;
};

ArgumentParts NamedArgument(absl::string_view text) {
  ArgumentParts parts;
  parts.optional = absl::ConsumePrefix(&text, "[") && absl::ConsumeSuffix(&text, "]");
  parts.repeats = absl::ConsumeSuffix(&text, "...");
  parts.name = text;
  return parts;
}

// Reads options and collects the rest; commands come from the rest, so that options may stand
// anywhere.
class Reader {
 public:
  Reader(const std::vector<Command>& commands, const Words& words)
      : commands_(commands), words_(words) {}

  absl::StatusOr<CommandLine> Run() {
    FindCommand();
    RETURN_IF_ERROR(ReadWords());
    const bool known = command_ != nullptr || plain_.empty() || !Prefix().empty();
    if (help_ && known) {
      line_.help = command_ != nullptr ? CommandHelp(*command_, GlobalOptions())
                                       : CommandList(commands_, Prefix(), GlobalOptions());
      return std::move(line_);
    }
    if (command_ == nullptr) return NoCommand();
    RETURN_IF_ERROR(BindArguments());
    line_.command = command_;
    return std::move(line_);
  }

 private:
  // The longest path among the first plain words. Values of global options are skipped.
  void FindCommand() {
    Words plain;
    for (size_t i = 0; i < words_.size() && words_[i] != "--"; ++i) {
      if (!IsOption(words_[i])) {
        plain.push_back(words_[i]);
        continue;
      }
      if (AsksForHelp(words_[i])) continue;
      const size_t equals = words_[i].find('=');
      const Option* global = FindOption(GlobalOptions(), words_[i].substr(0, equals));
      if (global == nullptr) break;
      if (!global->value.empty() && equals == std::string::npos) ++i;
    }
    for (size_t size = std::min<size_t>(plain.size(), 2); size > 0; --size) {
      const std::string path =
          absl::StrJoin(plain.begin(), plain.begin() + static_cast<ptrdiff_t>(size), " ");
      for (const Command& command : commands_) {
        if (command.path != path) continue;
        command_ = &command;
        path_words_ = size;
        return;
      }
    }
  }

  absl::Status ReadWords() {
    bool options_end = false;
    for (size_t i = 0; i < words_.size(); ++i) {
      const std::string& word = words_[i];
      if (options_end || !IsOption(word)) {
        plain_.push_back(word);
      } else if (word == "--") {
        options_end = true;
      } else if (AsksForHelp(word)) {
        help_ = true;
      } else {
        RETURN_IF_ERROR(ReadOption(&i));
      }
    }
    return absl::OkStatus();
  }

  absl::Status ReadOption(size_t* at) {
    std::string name = words_[*at];
    std::optional<std::string> value;
    if (const size_t equals = name.find('='); equals != std::string::npos) {
      value = name.substr(equals + 1);
      name.resize(equals);
    }
    const Option* option = FindOption(GlobalOptions(), name);
    if (option == nullptr && command_ != nullptr) option = FindOption(command_->options, name);
    if (option == nullptr) return UnknownOption(name);
    if (option->value.empty()) {
      if (value) return UsageError(absl::StrCat(name, " takes no value"));
      line_.args.Add(option->name, "");
      return absl::OkStatus();
    }
    if (!value) {
      if (*at + 1 >= words_.size()) {
        return UsageError(absl::StrCat(name, " needs a value: ", name, " ", option->value));
      }
      value = words_[++*at];
    }
    if (line_.args.Has(option->name) && !option->repeats) {
      return UsageError(absl::StrCat(name, " is given twice"));
    }
    RETURN_IF_ERROR(CheckText(option->name, *value));
    RETURN_IF_ERROR(CheckNamed(*option, *value));
    line_.args.Add(option->name, *value);
    return absl::OkStatus();
  }

  absl::Status UnknownOption(const std::string& name) const {
    if (command_ == nullptr && !plain_.empty()) return NoCommand();
    Words names = {"--help"};
    for (const Option& option : GlobalOptions()) names.push_back(option.name);
    if (command_ != nullptr) {
      for (const Option& option : command_->options) names.push_back(option.name);
    }
    std::string hint = DidYouMean(OptionMeantBy(name, names));
    if (hint.empty()) hint = ArgumentHint(name);
    if (hint.empty()) hint = DidYouMean(Nearest(name, names));
    return UsageError(absl::StrCat("unknown option '", name, "'", hint));
  }

  // What others name by an option is an argument here; data may look like one.
  std::string ArgumentHint(absl::string_view name) const {
    if (command_ == nullptr || command_->arguments.empty()) return "";
    if (name.size() > 1 && absl::ascii_isdigit(static_cast<unsigned char>(name[1]))) {
      return "; an argument that begins with '-' goes behind '--'";
    }
    for (const std::string& argument : command_->arguments) {
      const std::string option =
          absl::StrCat("--", absl::AsciiStrToLower(NamedArgument(argument).name));
      if (name != option && (name != "-t" || option != "--topic")) continue;
      return absl::StrCat("; it stands without one: acta ", command_->path, " ",
                          absl::StrJoin(command_->arguments, " "));
    }
    return "";
  }

  absl::Status NoCommand() const {
    if (plain_.empty() || !Prefix().empty()) {
      return UsageError(absl::StrCat("a command is missing; see `acta ", Prefix(),
                                     Prefix().empty() ? "" : " ", "--help`"));
    }
    Words paths;
    for (const Command& command : commands_) {
      if (command.path[0] != '_') paths.push_back(command.path);
    }
    const std::string typed = absl::StrJoin(
        plain_.begin(), plain_.begin() + std::min<ptrdiff_t>(2, std::ssize(plain_)), " ");
    std::string hint = DidYouMean(CommandMeantBy(plain_, paths));
    if (hint.empty()) hint = DidYouMean(Nearest(typed, paths));
    const std::string first = Nearest(plain_[0], FirstWords());
    if (hint.empty() && first == plain_[0]) hint = absl::StrCat("; see `acta ", first, " --help`");
    if (hint.empty()) hint = DidYouMean(first);
    return UsageError(
        absl::StrCat("unknown command '", typed, "'", hint.empty() ? "; see `acta --help`" : hint));
  }

  // The first typed word when commands begin with it and none is complete: "topic".
  std::string Prefix() const {
    const Words first = FirstWords();
    if (plain_.size() != 1) return "";
    return std::find(first.begin(), first.end(), plain_[0]) == first.end() ? "" : plain_[0];
  }

  Words FirstWords() const {
    Words words;
    for (const Command& command : commands_) {
      words.push_back(command.path.substr(0, command.path.find(' ')));
    }
    return words;
  }

  static std::string DidYouMean(absl::string_view word) {
    return word.empty() ? "" : absl::StrCat("; did you mean '", word, "'?");
  }

  absl::Status BindArguments() {
    size_t at = path_words_;
    for (const std::string& argument : command_->arguments) {
      const auto [name, optional, repeats] = NamedArgument(argument);
      if (at == plain_.size() && !optional) {
        return UsageError(
            absl::StrCat(name, " is missing; see `acta ", command_->path, " --help`"));
      }
      while (at < plain_.size()) {
        RETURN_IF_ERROR(CheckText(name, plain_[at]));
        line_.args.Add(name, plain_[at++]);
        if (!repeats) break;
      }
    }
    if (at < plain_.size()) {
      return UsageError(absl::StrCat("'", plain_[at], "' is one argument too many; see `acta ",
                                     command_->path, " --help`"));
    }
    return absl::OkStatus();
  }

  const std::vector<Command>& commands_;
  const Words& words_;
  const Command* command_ = nullptr;
  size_t path_words_ = 0;
  Words plain_;
  bool help_ = false;
  CommandLine line_;
};

}  // namespace

const std::vector<Option>& GlobalOptions() {
  static const auto& options = *new std::vector<Option>{
      {"--server", "ADDR", "the broker; also ACTA_SERVER (127.0.0.1:7450)"},
      {"--context", "CONTEXT", "the broker of this name; also ACTA_CONTEXT"},
      {"--output", "FORMAT", "table, json or csv (table)", false, "-o"},
      {"--timeout", "TIME", "give a call up after this long (30s)"},
      {"--no-color", "", "no colours on a terminal"},
      {"--quiet", "", "no progress, no hints", false, "-q"},
      {"--verbose", "", "details of errors", false, "-v"},
  };
  return options;
}

absl::StatusOr<CommandLine> ParseCommandLine(const std::vector<Command>& commands,
                                             const std::vector<std::string>& words) {
  if (words.empty() || (words.size() == 1 && words[0] == "help")) {
    CommandLine line;
    line.help = CommandList(commands, "", GlobalOptions());
    return line;
  }
  if (words[0] == "help") {  // "help topic create" as "topic create --help".
    Words asked(words.begin() + 1, words.end());
    asked.emplace_back("--help");
    return Reader(commands, asked).Run();
  }
  return Reader(commands, words).Run();
}

}  // namespace acta::cli
