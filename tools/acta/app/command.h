#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "tools/acta/app/args.h"

namespace acta::cli {

class CommandContext;

struct Option {
  // "--partitions".
  std::string name;
  // How help calls its value: "N"; empty for a switch.
  std::string value;
  std::string help;
  bool repeats = false;
  // "-o"; empty: none.
  std::string letter = "";
};

// A command is data plus one function.
struct Command {
  // "topic create"; one that begins with '_' is for programs, and help does not name it.
  std::string path;
  // In order: "TOPIC", "[DATA]" may be missing, "TOPIC..." one or more.
  std::vector<std::string> arguments;
  // One line, for the list of commands.
  std::string summary;
  // What else a user must know; may be empty.
  std::string details;
  // A line that works as it stands.
  std::string example;
  std::vector<Option> options;
  absl::Status (*run)(CommandContext& context);
  // False: it asks no broker, and its context has none.
  bool asks_broker = true;
};

}  // namespace acta::cli
