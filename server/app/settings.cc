#include "server/app/settings.h"

#include "server/app/daemon_properties.h"
#include "server/config/config_text.h"
#include "server/config/property_sources.h"
#include "storage/base/status_macros.h"

namespace acta {

Settings::Settings() { DescribeProperties(&options_, &table_); }

absl::Status Settings::Read(const CommandLine& line, const std::vector<std::string>& environment) {
  if (!line.config.empty()) RETURN_IF_ERROR(ApplyFile(line.config, &table_));
  RETURN_IF_ERROR(ApplyEnvironment(environment, &table_));
  return ApplyFlags(line, &table_);
}

absl::StatusOr<Settings::Changes> Settings::Reload(const CommandLine& line,
                                                   const std::vector<std::string>& environment) {
  Settings fresh;
  RETURN_IF_ERROR(fresh.Read(line, environment));
  RETURN_IF_ERROR(SettleOptions(&fresh.options_));
  Changes changes;
  MutexLock lock(mu_);
  for (const Property& now : fresh.table_.properties()) {
    const std::string value = now.get();
    if (value == table_.Find(now.name)->get()) continue;
    if (!now.reloaded) {
      changes.restarts.push_back(now.name);
      continue;
    }
    RETURN_IF_ERROR(table_.Set(now.name, value, now.source, "configuration"));
    changes.taken.push_back(now.name);
  }
  return changes;
}

v1::GetConfigResponse Settings::Page() const {
  MutexLock lock(mu_);
  return ConfigAsProto(table_);
}

}  // namespace acta
