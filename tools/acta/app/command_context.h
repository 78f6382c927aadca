#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "client/cpp/admin.h"
#include "client/cpp/channel.h"
#include "tools/acta/app/args.h"
#include "tools/acta/app/terminal.h"
#include "tools/acta/output/output.h"

namespace acta::cli {

// A broker, and who says that it is the one: "--server", "ACTA_SERVER", "context prod", "default".
struct ServerChoice {
  std::string address;
  std::string from;
};
// By --server, --context, ACTA_SERVER, ACTA_CONTEXT, the context in use, or the default. Errors:
// usage; not found; those of Contexts::Load().
absl::StatusOr<ServerChoice> FindServer(const Args& args);
// What the global options say of the terminal.
Terminal::Settings TerminalSettings(const Args& args);

// What a command works with: its arguments, the broker, and where its results go.
//
// Threads: one.
class CommandContext {
 public:
  // Errors: usage, in the global options; those of FindServer().
  static absl::StatusOr<std::unique_ptr<CommandContext>> Make(Args args, bool asks_broker = true);

  const Args& args() const { return args_; }
  // Only of a command that asks the broker.
  const std::shared_ptr<client::Channel>& channel() { return channel_; }
  client::Admin& admin() { return *admin_; }
  const ServerChoice& server() const { return server_; }
  Output& output() { return *output_; }
  Terminal& terminal() { return terminal_; }
  absl::Time now() const { return now_; }
  absl::string_view output_format() const { return output_format_; }

  // Sentences above a table, in lines as wide as the terminal; programs do not get them.
  absl::Status PrintHeading(absl::string_view text);
  // What stands beside a table as it is, such as an event; programs do not get it.
  absl::Status PrintText(absl::string_view text);
  // The result of a command that has nothing to show but that it is done.
  absl::Status PrintDone(const std::vector<const google::protobuf::Message*>& messages,
                         absl::string_view text);
  // Of a terminal; a file or program gets the next table below the one before.
  absl::Status ClearScreen();
  // Asks unless --yes is given. Errors: refused, when the answer is no or there is nobody to ask.
  absl::Status ConfirmDeletion(absl::string_view question);

 private:
  explicit CommandContext(Args args);

  const Args args_;
  Terminal terminal_;
  const absl::Time now_;
  std::string output_format_;
  std::unique_ptr<Output> output_;
  ServerChoice server_;
  std::shared_ptr<client::Channel> channel_;
  std::unique_ptr<client::Admin> admin_;
};

}  // namespace acta::cli
