#include "tools/acta/app/command_context.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "storage/base/status_macros.h"
#include "tools/acta/app/contexts.h"
#include "tools/acta/exit_status.h"
#include "tools/acta/output/table_text.h"
#include "tools/acta/syntax/address.h"

namespace acta::cli {
namespace {

constexpr absl::string_view kDefaultServer = "127.0.0.1:7450";

std::string Environment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

absl::StatusOr<ServerChoice> Checked(absl::string_view address, absl::string_view from) {
  const absl::Status status = CheckAddress(address);
  if (!status.ok()) return UsageError(absl::StrCat(from, ": ", status.message()));
  return ServerChoice{std::string(address), std::string(from)};
}

}  // namespace

absl::StatusOr<ServerChoice> FindServer(const Args& args) {
  if (args.Has("--server") && args.Has("--context")) {
    return UsageError("--server and --context exclude each other");
  }
  if (args.Has("--server")) return Checked(args.Get("--server"), "--server");
  std::string name = args.Get("--context");
  const std::string server = Environment("ACTA_SERVER");
  if (name.empty() && !server.empty()) return Checked(server, "ACTA_SERVER");
  if (name.empty()) name = Environment("ACTA_CONTEXT");
  ASSIGN_OR_RETURN(const Contexts contexts, Contexts::Load(Contexts::DefaultPath()));
  if (name.empty()) name = contexts.current();
  if (name.empty()) return ServerChoice{std::string(kDefaultServer), "default"};
  ASSIGN_OR_RETURN(const std::string address, contexts.ServerOf(name));
  return Checked(address, absl::StrCat("context ", name));
}

Terminal::Settings TerminalSettings(const Args& args) {
  return {args.Has("--quiet"), !args.Has("--no-color")};
}

CommandContext::CommandContext(Args args)
    : args_(std::move(args)), terminal_(TerminalSettings(args_)), now_(absl::Now()) {}

absl::StatusOr<std::unique_ptr<CommandContext>> CommandContext::Make(Args args, bool asks_broker) {
  std::unique_ptr<CommandContext> context(new CommandContext(std::move(args)));
  context->output_format_ = context->args_.GetOr("--output", "table");
  ASSIGN_OR_RETURN(context->output_, MakeOutput(context->output_format_, stdout));
  if (!asks_broker) return context;
  ASSIGN_OR_RETURN(context->server_, FindServer(context->args_));
  client::ChannelOptions options;
  ASSIGN_OR_RETURN(const auto timeout, context->args_.Duration("--timeout"));
  options.deadline = timeout.value_or(options.deadline);
  context->channel_ = std::make_shared<client::Channel>(context->server_.address, options);
  context->admin_ = std::make_unique<client::Admin>(context->channel_);
  return context;
}

absl::Status CommandContext::PrintHeading(absl::string_view text) {
  return PrintText(WrappedText(text, TerminalWidth(stdout)));
}

absl::Status CommandContext::PrintText(absl::string_view text) {
  if (output_format_ != "table") return absl::OkStatus();
  return WriteAll(stdout, text);
}

absl::Status CommandContext::PrintDone(
    const std::vector<const google::protobuf::Message*>& messages, absl::string_view text) {
  if (output_format_ == "json") {
    ASSIGN_OR_RETURN(const std::string json, MergedJson(messages));
    return WriteAll(stdout, json + "\n");
  }
  if (output_format_ == "csv" || args_.Has("--quiet")) return absl::OkStatus();
  return WriteAll(stdout, absl::StrCat(text, "\n"));
}

absl::Status CommandContext::ClearScreen() {
  return isatty(STDOUT_FILENO) == 1 ? PrintText("\x1b[H\x1b[2J") : absl::OkStatus();
}

absl::Status CommandContext::ConfirmDeletion(absl::string_view question) {
  if (args_.Has("--yes") || terminal_.Confirm(question)) return absl::OkStatus();
  return RefusedError(terminal_.CanAsk() ? "nothing was deleted"
                                         : "there is nobody to ask; say --yes to delete");
}

}  // namespace acta::cli
