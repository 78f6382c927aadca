#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "client/cpp/admin.h"
#include "storage/base/status_macros.h"
#include "tools/acta/app/command_context.h"
#include "tools/acta/commands/all_commands.h"
#include "tools/acta/exit_status.h"
#include "tools/acta/output/words.h"

namespace acta::cli {
namespace {

constexpr absl::string_view kPrefix = "LOG_LEVEL_";

std::string WordOf(v1::LogLevel level) {
  absl::string_view name = v1::LogLevel_Name(level);
  // One that this program does not know has no name.
  if (!absl::ConsumePrefix(&name, kPrefix)) return absl::StrCat(static_cast<int>(level));
  return absl::AsciiStrToLower(name);
}

absl::Status Run(CommandContext& context) {
  v1::SetLogLevelRequest request;
  if (context.args().Has("LEVEL")) {
    const std::string word = context.args().Get("LEVEL");
    v1::LogLevel level = v1::LOG_LEVEL_UNSPECIFIED;
    v1::LogLevel_Parse(absl::StrCat(kPrefix, absl::AsciiStrToUpper(word)), &level);
    if (level == v1::LOG_LEVEL_UNSPECIFIED) {
      return UsageError(absl::StrCat("LEVEL '", word, "' is not one of debug, info, warn, error"));
    }
    request.set_level(level);
  }
  ASSIGN_OR_RETURN(const v1::SetLogLevelResponse response, context.admin().SetLogLevel(request));
  Table table({"LEVEL", "PREVIOUS"});
  table.Row(WordOf(response.level()), WordOf(response.previous()));
  return context.output().Print({&response}, table);
}

}  // namespace

Command AdminLogLevelCommand() {
  return {"admin log-level",
          {"[LEVEL]"},
          "shows or changes the least level of the broker's log lines",
          "LEVEL is debug, info, warn or error. Until it is changed again or the broker ends; the "
          "next start has `log.level` again.",
          "acta admin log-level debug",
          {},
          Run};
}

}  // namespace acta::cli
