#include "tests/oracle/moments.h"

#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace acta::oracle {
namespace {

absl::string_view KindOf(absl::string_view path) {
  const absl::string_view name = path.substr(path.rfind('/') + 1);
  if (absl::EndsWith(name, ".log")) return "wal";
  if (absl::EndsWith(name, ".sst")) return "sst";
  if (absl::StartsWith(name, "MANIFEST-")) return "manifest";
  if (absl::StartsWith(name, "CURRENT")) return "current";
  if (absl::StartsWith(name, "OPTIONS-")) return "options";
  if (absl::StartsWith(name, "witness")) return "witness";
  return "other";
}

std::string NameOf(absl::string_view when, absl::string_view path, absl::string_view done) {
  return absl::StrCat(when, "-", KindOf(path), "-", done);
}

}  // namespace

std::optional<Moment> ParseMoment(absl::string_view text) {
  Moment moment;
  const size_t colon = text.find(':');
  moment.name = std::string(text.substr(0, colon));
  if (colon != absl::string_view::npos &&
      (!absl::SimpleAtoi(text.substr(colon + 1), &moment.count) || moment.count < 1)) {
    return std::nullopt;
  }
  return moment;
}

Moments::Moments(Moment kill, Moment stall, absl::Duration pause)
    : kill_(std::move(kill)), stall_(std::move(stall)), pause_(pause) {}

void Moments::Die() {
  kill(getpid(), SIGKILL);
  for (;;) pause();
}

void Moments::Reached(absl::string_view when, absl::string_view path, absl::string_view done) {
  const std::string name = NameOf(when, path, done);
  bool stalls = false;
  {
    MutexLock lock(mu_);
    if (name == kill_.name && --kill_.count == 0) Die();
    stalls = name == stall_.name && --stall_.count == 0;
  }
  if (!stalls) return;
  std::fprintf(stderr, "actad-oracle: stall begins\n");
  absl::SleepFor(pause_);  // A disk that answers late, not a wait for anything.
  std::fprintf(stderr, "actad-oracle: stall ends\n");
}

bool Moments::Tears(absl::string_view path) {
  const std::string name = NameOf("torn", path, "write");
  MutexLock lock(mu_);
  return name == kill_.name && --kill_.count == 0;
}

}  // namespace acta::oracle
