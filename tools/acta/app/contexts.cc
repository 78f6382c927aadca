#include "tools/acta/app/contexts.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "storage/base/status_macros.h"
#include "tools/acta/app/help.h"
#include "tools/acta/exit_status.h"
#include "tools/acta/output/whole_file.h"
#include "tools/acta/syntax/address.h"

namespace acta::cli {
namespace {

using nlohmann::json;

constexpr size_t kMaxNameBytes = 249;
constexpr mode_t kOwnerOnly = 0600;

absl::Status FileError(absl::string_view what, const std::string& path) {
  return absl::UnknownError(absl::StrCat(what, " ", path, ": ", std::strerror(errno)));
}

bool IsName(absl::string_view name) {
  return !name.empty() && name.size() <= kMaxNameBytes &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' ||
                  c == '-';
         });
}

// Also where the home of an account is no folder, as /dev/null.
bool IsMissing(int error) { return error == ENOENT || error == ENOTDIR; }

// Nothing is told of a file that is not there.
absl::Status CheckMode(const std::string& path) {
  struct stat file {};
  if (stat(path.c_str(), &file) != 0) {
    return IsMissing(errno) ? absl::OkStatus() : FileError("cannot look at", path);
  }
  if ((file.st_mode & 077) == 0) return absl::OkStatus();
  return RefusedError(absl::StrCat("others than you may open ", path,
                                   ", where credentials belong: chmod 600 '", path, "'"));
}

}  // namespace

std::string Contexts::DefaultPath() {
  const auto set = [](const char* name) {
    const char* const value = std::getenv(name);
    return std::string(value == nullptr ? "" : value);
  };
  if (const std::string config = set("XDG_CONFIG_HOME"); !config.empty()) {
    return config + "/acta/contexts.json";
  }
  const std::string home = set("HOME");
  return home.empty() ? "" : home + "/.config/acta/contexts.json";
}

absl::StatusOr<Contexts> Contexts::Load(const std::string& path) {
  Contexts contexts(path);
  if (path.empty()) return contexts;
  RETURN_IF_ERROR(CheckMode(path));
  errno = 0;
  std::ifstream file(path);
  if (!file && IsMissing(errno)) return contexts;
  if (!file) return FileError("cannot read", path);
  std::stringstream text;
  text << file.rdbuf();
  const json parsed = json::parse(text.str(), nullptr, false);
  const auto broken = [&path] {
    return absl::UnknownError(absl::StrCat(
        path, " is not what `acta context add` writes: mend it, or delete it and add them again"));
  };
  if (!parsed.is_object() || !parsed.value("contexts", json()).is_object()) return broken();
  for (const auto& [name, context] : parsed["contexts"].items()) {
    const json server = context.is_object() ? context.value("server", json()) : json();
    if (!IsName(name) || !server.is_string()) return broken();
    contexts.servers_[name] = server.get<std::string>();
  }
  const json current = parsed.value("current", json(""));
  if (!current.is_string()) return broken();
  contexts.current_ = current.get<std::string>();
  const bool known = contexts.current_.empty() || contexts.servers_.contains(contexts.current_);
  if (!known) return broken();
  return contexts;
}

absl::StatusOr<std::string> Contexts::ServerOf(absl::string_view name) const {
  const auto at = servers_.find(std::string(name));
  if (at != servers_.end()) return at->second;
  std::vector<std::string> names;
  for (const auto& [known, server] : servers_) names.push_back(known);
  const std::string nearest = Nearest(name, names);
  return absl::NotFoundError(absl::StrCat("there is no context '", name, "'",
                                          nearest.empty()
                                              ? "; see `acta context list`"
                                              : absl::StrCat("; did you mean '", nearest, "'?")));
}

absl::Status Contexts::Add(absl::string_view name, absl::string_view server) {
  if (!IsName(name)) {
    return UsageError(absl::StrCat("'", name, "' is not a name: 1 to ", kMaxNameBytes,
                                   " of letters, digits, '.', '_' and '-'"));
  }
  if (server.empty()) return UsageError("--server: the address of the broker, HOST:PORT");
  RETURN_IF_ERROR(CheckAddress(server));
  const auto [at, added] = servers_.try_emplace(std::string(name), server);
  if (added) return absl::OkStatus();
  return RefusedError(absl::StrCat("context '", name, "' is there, for ", at->second,
                                   "; first: acta context remove ", name));
}

absl::Status Contexts::Use(absl::string_view name) {
  RETURN_IF_ERROR(ServerOf(name).status());
  current_ = std::string(name);
  return absl::OkStatus();
}

absl::Status Contexts::Remove(absl::string_view name) {
  RETURN_IF_ERROR(ServerOf(name).status());
  servers_.erase(std::string(name));
  if (current_ == name) current_.clear();
  return absl::OkStatus();
}

absl::Status Contexts::Save() const {
  if (path_.empty()) {
    return absl::UnknownError("there is no place for contexts: set HOME or XDG_CONFIG_HOME");
  }
  json contexts = json::object();
  for (const auto& [name, server] : servers_) contexts[name] = {{"server", server}};
  const json all = {{"current", current_}, {"contexts", contexts}};
  const std::filesystem::path folder = std::filesystem::path(path_).parent_path();
  std::error_code error;
  if (std::filesystem::create_directories(folder, error)) chmod(folder.c_str(), 0700);
  if (error) {
    return absl::UnknownError(absl::StrCat("cannot make ", folder.string(), ": ", error.message()));
  }
  ASSIGN_OR_RETURN(const std::unique_ptr<WholeFile> file, WholeFile::Open(path_, kOwnerOnly));
  const std::string bytes = all.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
  if (std::fwrite(bytes.data(), 1, bytes.size(), file->file()) != bytes.size()) {
    return FileError("cannot write", path_);
  }
  return file->Commit();
}

}  // namespace acta::cli
