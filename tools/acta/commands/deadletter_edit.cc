#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "client/cpp/admin.h"
#include "storage/base/status_macros.h"
#include "tools/acta/app/command_context.h"
#include "tools/acta/commands/all_commands.h"
#include "tools/acta/commands/dead_letter_options.h"
#include "tools/acta/exit_status.h"

namespace acta::cli {
namespace {

absl::StatusOr<std::string> ReadData(const Args& args) {
  if (args.Has("DATA") == args.Has("--file")) {
    return UsageError("say what the event shall be: DATA or --file");
  }
  if (args.Has("DATA")) return args.Get("DATA");
  const std::string& path = args.Get("--file");
  std::ifstream file(path, std::ios::binary);
  std::ostringstream data;
  // Through the stream, which keeps a failure; of an empty file nothing is copied.
  const bool empty = file.peek() == std::ifstream::traits_type::eof();
  if (!empty) data << file.rdbuf();
  if (!file.is_open() || file.bad() || !data.good()) {
    return UsageError(absl::StrCat("--file: ", path, " cannot be read"));
  }
  return data.str();
}

absl::Status Run(CommandContext& context) {
  const Args& args = context.args();
  ASSIGN_OR_RETURN(std::string data, ReadData(args));
  v1::GetDeadLetterRequest get;
  get.set_group(args.Get("GROUP"));
  ASSIGN_OR_RETURN(*get.mutable_ref(), ParseDeadLetterRef(args.Get("DEAD_LETTER")));
  ASSIGN_OR_RETURN(const v1::GetDeadLetterResponse got, context.admin().GetDeadLetter(get));
  v1::EditDeadLetterRequest request;
  request.set_group(get.group());
  *request.mutable_ref() = get.ref();
  *request.mutable_event() = got.dead_letter().event();
  request.mutable_event()->set_data(std::move(data));
  // Under the id of the original it would be a duplicate.
  request.mutable_event()->set_id(args.Get("--id"));
  request.mutable_event()->clear_expires_at_us();
  ASSIGN_OR_RETURN(const v1::EditDeadLetterResponse response,
                   context.admin().EditDeadLetter(request));
  std::string place = "nothing: an event of this id was published before";
  for (const v1::PublishedPart& part : response.batch().parts()) {
    place = absl::StrCat(get.ref().topic(), "/", part.partition(), "/", part.base_offset());
  }
  return context.PrintDone(
      {&response}, absl::StrCat("replaced dead letter ", RefText(get.ref()), " by ", place));
}

}  // namespace

Command DeadletterEditCommand() {
  return {
      "deadletter edit",
      {"GROUP", "DEAD_LETTER", "[DATA]"},
      "publishes a corrected event in place of a dead letter",
      "All of the event but its data, id and expiry stays. The new one comes at the end of the\n"
      "topic, to every group, and says what caused it; the dead letter is forgotten with it.",
      R"(acta deadletter edit billing orders/0/0 '{"n": 7}')",
      {{"--file", "FILE", "the data is in this file"}, {"--id", "ID", "the new event's id (none)"}},
      Run};
}

}  // namespace acta::cli
