#include <algorithm>
#include <cstdio>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "proto/support/error.h"
#include "storage/base/log.h"
#include "storage/base/standard_streams.h"
#include "tools/inspect/commands.h"
#include "tools/inspect/data_folder.h"

namespace acta::inspect {
namespace {

constexpr char kHead[] =
    "Looks into the data folder of a stopped broker, or a backup. Nothing in it changes; while it\n"
    "is looked at a broker cannot start on it.\n"
    "\n";

struct CommandHelp {
  absl::string_view name;
  absl::string_view text;
};

constexpr CommandHelp kCommands[] = {
    {"list",
     "  acta-inspect list --data DIR [-o json]\n"
     "      The store, topics with partitions, groups with positions.\n"},
    {"ledger",
     "  acta-inspect ledger --data DIR [--from N] [--to N] [-o json]\n"
     "      What groups did with events, by offset of the ledger; with -o json as JSON lines.\n"},
    {"dump",
     "  acta-inspect dump --data DIR TOPIC[/PARTITION] [--tenant NAME] [--from N] [--to N]\n"
     "      Events as JSON lines; --to is exclusive.\n"},
    {"verify",
     "  acta-inspect verify --data DIR [-o json]\n"
     "      Checks checksums, offsets, slices, positions and the witness; every file of a "
     "backup.\n"},
    {"restore",
     "  acta-inspect restore --backup DIR --data NEW\n"
     "      Makes a data folder of a backup, which stays as it is. NEW has to be empty, or not to\n"
     "      be there. Every file is checked on the way.\n"}};

constexpr char kTail[] =
    "\n"
    "  --wal-dir DIR   where the write-ahead log is, when it is not in the data folder\n"
    "  --version, --help\n"
    "\n"
    "Exit status: 0 sound, 1 damaged, not to be opened or not written out, 2 wrong usage.\n";

bool IsCommand(absl::string_view word) {
  return std::any_of(std::begin(kCommands), std::end(kCommands),
                     [word](const CommandHelp& command) { return command.name == word; });
}

// Of one command, or of all of them.
std::string Usage(absl::string_view name = "") {
  std::string text = name.empty() ? kHead : "";
  for (const CommandHelp& command : kCommands) {
    if (name.empty() || command.name == name) absl::StrAppend(&text, command.text);
  }
  return absl::StrCat(text, kTail);
}

bool IsHelp(absl::string_view word) { return word == "--help" || word == "-h"; }

enum ExitStatus { kSound = 0, kDamaged = 1, kUsageError = 2 };

struct Arguments {
  std::string command;
  bool help = false;  // Nothing else counts.
  std::string data;
  std::string wal_folder;
  std::string backup;
  Format format = Format::kText;
  DumpRange range;
};

bool ParseTopic(absl::string_view word, DumpRange* range) {
  const std::vector<std::string> parts = absl::StrSplit(word, '/');
  range->topic = parts[0];
  if (parts.size() == 1) return !range->topic.empty();
  int32_t number = 0;
  if (parts.size() != 2 || !absl::SimpleAtoi(parts[1], &number) || number < 0) return false;
  range->partition = number;
  return true;
}

bool ParseOffset(absl::string_view word, Offset* offset) {
  int64_t number = 0;
  if (!absl::SimpleAtoi(word, &number) || number < 0) return false;
  *offset = Offset(number);
  return true;
}

bool ParseOption(const std::string& name, const std::string& value, Arguments* out) {
  if (name == "--data") {
    out->data = value;
  } else if (name == "--wal-dir") {
    out->wal_folder = value;
  } else if (name == "-o" || name == "--output") {
    out->format = value == "json" ? Format::kJson : Format::kText;
    return value == "json" || value == "text";
  } else if (out->command == "restore" && name == "--backup") {
    out->backup = value;
  } else if (out->command != "dump" && out->command != "ledger") {
    return false;
  } else if (name == "--from") {
    return ParseOffset(value, &out->range.offsets.from);
  } else if (name == "--to") {
    return ParseOffset(value, &out->range.offsets.to.emplace());
  } else if (out->command == "dump" && name == "--tenant") {
    out->range.tenant = value;
  } else {
    return false;
  }
  return true;
}

// Empty: understood; else what is wrong.
std::string Parse(const std::vector<std::string>& words, Arguments* out) {
  if (words.empty()) return "no command";
  out->command = words[0];
  if (!IsCommand(out->command)) {
    return absl::StrCat("unknown command '", out->command, "'");
  }
  for (size_t i = 1; i < words.size(); ++i) {
    std::string name = words[i];
    if (IsHelp(name)) {
      out->help = true;
      return "";
    }
    if (name[0] != '-') {
      if (out->command == "dump" && out->range.topic.empty() && ParseTopic(name, &out->range)) {
        continue;
      }
      return absl::StrCat("unexpected '", name, "'");
    }
    std::string value;
    if (const size_t equals = name.find('='); equals != std::string::npos) {
      value = name.substr(equals + 1);
      name = name.substr(0, equals);
    } else if (++i < words.size()) {
      value = words[i];
    }
    if (value.empty() || !ParseOption(name, value, out)) {
      return absl::StrCat("'", name, "' is unknown or its value is missing or wrong");
    }
  }
  if (out->data.empty()) return "--data DIR is missing";
  if (out->command == "restore" && out->backup.empty()) return "--backup DIR is missing";
  if (out->command == "dump" && out->range.topic.empty()) return "the topic is missing";
  return "";
}

ExitStatus Fail(const absl::Status& status) {
  std::fprintf(stderr, "acta-inspect: %s [%s]\n", std::string(status.message()).c_str(),
               v1::ErrorReason_Name(ReasonOf(status)).c_str());
  return kDamaged;
}

ExitStatus Run(const Arguments& arguments) {
  if (arguments.command == "restore") {
    const absl::Status restored = Restore(arguments.backup, arguments.data, arguments.wal_folder,
                                          arguments.format, std::cout);
    return restored.ok() ? kSound : Fail(restored);
  }
  if (arguments.command == "verify" && IsBackup(arguments.data)) {
    const auto whole = VerifyFiles(arguments.data, arguments.format, std::cout);
    if (!whole.ok()) return Fail(whole.status());
    if (!*whole) return kDamaged;
  }
  const auto folder = OpenDataFolder(arguments.data, arguments.wal_folder);
  if (!folder.ok()) return Fail(folder.status());
  bool sound = false;
  if (arguments.command == "list") {
    sound = List(*folder, arguments.format, std::cout);
  } else if (arguments.command == "verify") {
    sound = Verify(*folder, arguments.format, std::cout);
  } else if (arguments.command == "ledger") {
    sound = ListLedger(*folder, arguments.range.offsets, arguments.format, std::cout);
  } else {
    const auto dumped = Dump(*folder, arguments.range, std::cout);
    if (!dumped.ok()) return Fail(dumped.status());
    sound = *dumped;
  }
  if (!sound && arguments.command != "verify") {
    std::fputs("acta-inspect: the folder is damaged; `acta-inspect verify` says how\n", stderr);
  }
  return sound ? kSound : kDamaged;
}

// Whoever reads half of it must not take it for all there is.
ExitStatus AllWritten(ExitStatus status) {
  if (std::cout.flush() && std::ferror(stdout) == 0) return status;
  std::fputs("acta-inspect: the output cannot be written: part of it is missing\n", stderr);
  return kDamaged;
}

ExitStatus Main(std::vector<std::string> words) {
  const std::string first = words.empty() ? "" : words[0];
  if (IsHelp(first) || first == "help") {
    if (words.size() == 1) {
      std::cout << Usage();
      return AllWritten(kSound);
    }
    // As if it stood behind the command.
    words[0] = words[1];
    words[1] = "--help";
  }
  if (first == "--version") {
    std::cout << "acta-inspect " << ACTA_VERSION << "\n";
    return AllWritten(kSound);
  }
  Arguments arguments;
  const std::string wrong = Parse(words, &arguments);
  if (!wrong.empty()) {
    std::fprintf(stderr, "acta-inspect: %s\n\n%s", wrong.c_str(), Usage().c_str());
    return kUsageError;
  }
  if (arguments.help) {
    std::cout << Usage(arguments.command);
    return AllWritten(kSound);
  }
  SetLogLevel(LogLevel::kError);
  return AllWritten(Run(arguments));
}

}  // namespace
}  // namespace acta::inspect

int main(int argc, char** argv) {
  acta::OccupyStandardStreams();
  return acta::inspect::Main(std::vector<std::string>(argv + 1, argv + argc));
}
