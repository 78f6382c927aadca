#include "absl/strings/str_cat.h"
#include "client/cpp/admin.h"
#include "proto/support/error.h"
#include "storage/base/status_macros.h"
#include "tools/acta/app/command_context.h"
#include "tools/acta/commands/all_commands.h"
#include "tools/acta/exit_status.h"
#include "tools/acta/output/words.h"

namespace acta::cli {
namespace {

absl::Status Show(CommandContext& context, const v1::ScrubResponse& all) {
  Table table({"TOPIC", "PARTITION", "FIRST", "LAST", "PROBLEM"});
  for (const v1::DamagedBatch& damaged : all.damaged()) {
    table.Row(damaged.topic(), damaged.partition(), damaged.first_offset(), damaged.last_offset(),
              damaged.problem());
  }
  RETURN_IF_ERROR(
      context.PrintHeading(absl::StrCat(all.batches(), " batches, ", BytesText(all.bytes()), ", ",
                                        all.damaged_size(), " damaged\n")));
  return context.output().Print({&all}, table);
}

absl::Status Run(CommandContext& context) {
  v1::ScrubResponse all;
  v1::ScrubRequest request;
  *request.mutable_budget() = ToProtoDuration(absl::Seconds(5));
  do {
    ASSIGN_OR_RETURN(const v1::ScrubResponse part, context.admin().Scrub(request));
    all.set_batches(all.batches() + part.batches());
    all.set_bytes(all.bytes() + part.bytes());
    all.mutable_damaged()->MergeFrom(part.damaged());
    request.set_token(part.next_token());
    context.terminal().Progress(
        absl::StrCat("checked ", all.batches(), " batches, ", BytesText(all.bytes())));
  } while (!request.token().empty());
  context.terminal().EndProgress();
  absl::Status verdict;
  if (all.damaged_size() > 0) {
    verdict =
        Error(v1::DATA_CORRUPTED, absl::StrCat(all.damaged_size(), " stored batches are damaged"));
  }
  return FirstError(verdict, Show(context, all));
}

}  // namespace

Command AdminScrubCommand() {
  return {"admin scrub",
          {},
          "reads all stored batches and checks their checksums",
          "Exits with 1 when something is damaged.",
          "acta admin scrub",
          {},
          Run};
}

}  // namespace acta::cli
