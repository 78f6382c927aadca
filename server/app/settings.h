#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "acta/v1/admin.pb.h"
#include "server/app/daemon_options.h"
#include "server/config/command_line.h"
#include "server/config/property_table.h"
#include "storage/base/mutex.h"

namespace acta {

// The properties of the daemon, and the options they are bound to.
//
// Threads: one, but for Page().
class Settings {
 public:
  Settings();
  Settings(const Settings&) = delete;
  Settings& operator=(const Settings&) = delete;

  // Reads file, environment and flags; later ones win. Errors: INVALID_ARGUMENT.
  absl::Status Read(const CommandLine& line, const std::vector<std::string>& environment);

  struct Changes {
    std::vector<std::string> taken;     // They count from now on.
    std::vector<std::string> restarts;  // They count from the next start on.
  };
  // Reads the same sources again and takes over what a reload may change; the rest
  // stays as it was. Errors: INVALID_ARGUMENT, nothing is changed.
  absl::StatusOr<Changes> Reload(const CommandLine& line,
                                 const std::vector<std::string>& environment);

  DaemonOptions& options() { return options_; }
  const PropertyTable& table() const { return table_; }
  // What GetConfig answers. Any thread.
  v1::GetConfigResponse Page() const;

 private:
  DaemonOptions options_;
  PropertyTable table_;
  mutable Mutex mu_;  // Leaf. Held while properties change and while they are shown.
};

}  // namespace acta
