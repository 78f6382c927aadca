#pragma once

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace acta::cli {

// The brokers that a user has given names: a small JSON file that only its owner may open, as it is
// to hold credentials too.
//
// Threads: one. Of two programs that change it at a time one wins.
class Contexts {
 public:
  // $XDG_CONFIG_HOME/acta/contexts.json, else below $HOME/.config; empty: neither is set.
  static std::string DefaultPath();
  // One that is not there has no contexts. Errors: refused, when others than the owner may read or
  // write it, with the command that mends it; failed, when it cannot be read.
  static absl::StatusOr<Contexts> Load(const std::string& path);

  // Addresses by name.
  const std::map<std::string, std::string>& servers() const { return servers_; }
  // Empty: none is used.
  const std::string& current() const { return current_; }
  // Errors: not found, with the nearest name.
  absl::StatusOr<std::string> ServerOf(absl::string_view name) const;

  // Errors: usage: not a name; refused: it is there.
  absl::Status Add(absl::string_view name, absl::string_view server);
  absl::Status Use(absl::string_view name);
  absl::Status Remove(absl::string_view name);
  // Written beside it and renamed, mode 0600 in a folder of mode 0700.
  absl::Status Save() const;

 private:
  explicit Contexts(std::string path) : path_(std::move(path)) {}

  std::string path_;
  std::map<std::string, std::string> servers_;
  std::string current_;
};

}  // namespace acta::cli
