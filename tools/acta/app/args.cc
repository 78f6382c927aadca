#include "tools/acta/app/args.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "storage/base/status_macros.h"
#include "tools/acta/exit_status.h"
#include "tools/acta/syntax/quantities.h"

namespace acta::cli {
namespace {

absl::Status Named(absl::string_view name, const absl::Status& status) {
  return UsageError(absl::StrCat(name, ": ", status.message()));
}

}  // namespace

const std::string& Args::Get(absl::string_view name) const {
  static const auto& none = *new std::string;
  const auto found = values_.find(std::string(name));
  return found == values_.end() ? none : found->second.back();
}

std::string Args::GetOr(absl::string_view name, absl::string_view fallback) const {
  return Has(name) ? Get(name) : std::string(fallback);
}

const std::vector<std::string>& Args::All(absl::string_view name) const {
  static const auto& none = *new std::vector<std::string>;
  const auto found = values_.find(std::string(name));
  return found == values_.end() ? none : found->second;
}

absl::StatusOr<std::optional<int64_t>> Args::Integer(absl::string_view name, int64_t least,
                                                     int64_t most) const {
  if (!Has(name)) return std::nullopt;
  int64_t value = 0;
  if (!absl::SimpleAtoi(Get(name), &value) || value < least || value > most) {
    const std::string range = most == std::numeric_limits<int64_t>::max()
                                  ? absl::StrCat("at least ", least)
                                  : absl::StrCat("from ", least, " to ", most);
    return UsageError(absl::StrCat(name, ": '", Get(name), "' is not a number ", range));
  }
  return value;
}

absl::StatusOr<std::optional<absl::Duration>> Args::Duration(absl::string_view name) const {
  if (!Has(name)) return std::nullopt;
  const absl::StatusOr<absl::Duration> value = ParseDuration(Get(name));
  if (!value.ok()) return Named(name, value.status());
  return *value;
}

absl::StatusOr<std::optional<absl::Time>> Args::Time(absl::string_view name, absl::Time now) const {
  if (!Has(name)) return std::nullopt;
  const absl::StatusOr<absl::Time> value = ParseTime(Get(name), now);
  if (!value.ok()) return Named(name, value.status());
  return *value;
}

absl::StatusOr<std::optional<int64_t>> Args::Size(absl::string_view name) const {
  if (!Has(name)) return std::nullopt;
  const absl::StatusOr<int64_t> value = ParseSize(Get(name));
  if (!value.ok()) return Named(name, value.status());
  return *value;
}

}  // namespace acta::cli
