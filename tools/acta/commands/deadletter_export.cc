#include <cstdio>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "client/cpp/admin.h"
#include "proto/support/error.h"
#include "storage/base/status_macros.h"
#include "tools/acta/app/command_context.h"
#include "tools/acta/app/interrupt.h"
#include "tools/acta/commands/all_commands.h"
#include "tools/acta/commands/dead_letter_options.h"
#include "tools/acta/exit_status.h"
#include "tools/acta/output/output.h"
#include "tools/acta/output/whole_file.h"
#include "tools/acta/output/words.h"

namespace acta::cli {
namespace {

constexpr int32_t kPageLetters = 1000;

// Adds the letters of one page to `count`; one that was redriven or discarded meanwhile is left
// out.
absl::Status ExportPage(CommandContext& context, const v1::ListDeadLettersResponse& page, FILE* out,
                        int64_t* count) {
  v1::GetDeadLetterRequest get;
  get.set_group(context.args().Get("GROUP"));
  for (const v1::DeadLetter& letter : page.dead_letters()) {
    if (Interrupted()) return absl::UnknownError("interrupted; the file is what it was");
    *get.mutable_ref() = letter.ref();
    const auto response = context.admin().GetDeadLetter(get);
    if (ReasonOf(response.status()) == v1::DEAD_LETTER_NOT_FOUND) continue;
    RETURN_IF_ERROR(response.status());
    ASSIGN_OR_RETURN(const std::string line, DeadLetterLine(response->dead_letter()));
    RETURN_IF_ERROR(WriteAll(out, line));
    ++*count;
    context.terminal().Progress(absl::StrCat("exported ", CountText(*count, "dead letter")));
  }
  return absl::OkStatus();
}

absl::Status Export(CommandContext& context, const v1::DeadLetterSelection& selection, FILE* out,
                    int64_t* count) {
  v1::ListDeadLettersRequest request;
  request.set_group(context.args().Get("GROUP"));
  request.set_page_size(kPageLetters);
  if (ChoosesAny(selection)) *request.mutable_selection() = selection;
  do {
    ASSIGN_OR_RETURN(const v1::ListDeadLettersResponse page,
                     context.admin().ListDeadLetters(request));
    RETURN_IF_ERROR(ExportPage(context, page, out, count));
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  return absl::OkStatus();
}

absl::Status ExportToOutput(CommandContext& context, const v1::DeadLetterSelection& selection) {
  int64_t count = 0;
  absl::Status status = Export(context, selection, stdout, &count);
  context.terminal().EndProgress();
  // That nobody reads on is no error, however much was written.
  if (ExitStatusOf(status) == kExitDone || count == 0) return status;
  return PartlyDoneError(absl::StrCat("exported ", CountText(count, "dead letter"),
                                      ", then: ", DescribeError(status)));
}

// What was exported there before stays until this export is whole.
absl::Status ExportToFile(CommandContext& context, const v1::DeadLetterSelection& selection,
                          const std::string& path) {
  StopOnSignals();  // What may stand beside the file goes away with it.
  ASSIGN_OR_RETURN(const std::unique_ptr<WholeFile> file, WholeFile::Open(path));
  int64_t count = 0;
  const absl::Status status = Export(context, selection, file->file(), &count);
  context.terminal().EndProgress();
  RETURN_IF_ERROR(status);
  RETURN_IF_ERROR(file->Commit());
  return context.PrintDone(
      {}, absl::StrCat("exported ", CountText(count, "dead letter"), " to ", path));
}

absl::Status Run(CommandContext& context) {
  const Args& args = context.args();
  if (const std::string format = args.GetOr("--format", "jsonl"); format != "jsonl") {
    return UsageError(absl::StrCat("--format: '", format, "' is not jsonl"));
  }
  ASSIGN_OR_RETURN(const v1::DeadLetterSelection selection,
                   ReadDeadLetterSelection(args, context.now()));
  return args.Has("--file") ? ExportToFile(context, selection, args.Get("--file"))
                            : ExportToOutput(context, selection);
}

}  // namespace

Command DeadletterExportCommand() {
  std::vector<Option> options = DeadLetterFilters();
  options.push_back({"--format", "FORMAT", "jsonl: one JSON object a line (jsonl)"});
  options.push_back({"--file", "FILE", "write there, all or nothing (standard output)"});
  return {"deadletter export",
          {"GROUP", "[REF...]"},
          "writes dead letters with their history and their events",
          "All of them, and what is HELD, unless something is selected. REF is\n"
          "TOPIC/PARTITION/OFFSET.",
          "acta deadletter export billing --topic orders",
          options,
          Run};
}

}  // namespace acta::cli
