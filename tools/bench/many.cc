#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cpp/admin.h"
#include "storage/base/status_macros.h"
#include "tools/bench/latencies.h"
#include "tools/bench/measure.h"

namespace acta::bench {
namespace {

constexpr int32_t kPartitions = 4;

double SecondsSince(int64_t begin) { return static_cast<double>(NowNanos() - begin) / 1e9; }

// Topics and groups, each group of one topic; what they cost when nothing happens.
absl::StatusOr<Outcome> RunMany(Bed& bed) {
  client::Admin admin(bed.NewChannel());
  const int32_t many = bed.durations().many;
  int64_t begin = NowNanos();
  for (int32_t i = 0; i < many; ++i) {
    v1::CreateTopicRequest request;
    request.mutable_topic()->set_name(absl::StrCat("many-", i));
    request.mutable_topic()->set_partitions(kPartitions);
    RETURN_IF_ERROR(admin.CreateTopic(request).status());
  }
  const double topics_s = SecondsSince(begin);
  begin = NowNanos();
  for (int32_t i = 0; i < many; ++i) {
    v1::CreateGroupRequest request;
    request.mutable_group()->set_name(absl::StrCat("many-", i));
    request.mutable_group()->add_topics(absl::StrCat("many-", i));
    request.mutable_group()->set_mode(v1::GROUP_MODE_STREAM);
    request.mutable_start()->set_earliest(true);
    RETURN_IF_ERROR(admin.CreateGroup(request).status());
  }
  const double groups_s = SecondsSince(begin);
  ASSIGN_OR_RETURN(const double restart_s, bed.Restart(false));
  const std::optional<ProcessUse> use = bed.BrokerUse();
  ASSIGN_OR_RETURN(const double idle_percent, IdleCpuPercent(bed));
  Outcome outcome;
  outcome.values = {topics_s, groups_s, restart_s, use ? std::optional(use->rss_mib) : std::nullopt,
                    idle_percent};
  return outcome;
}

}  // namespace

void AddManyMeasures(std::vector<Measure>* measures) {
  Measure many;
  many.name = "many";
  many.help =
      "1,000 topics of 4 partitions and 1,000 groups: what they take while nobody uses them";
  many.figures = {{".create_topics", "s", true},
                  {".create_groups", "s", true},
                  {".restart", "s", true},
                  {".rss", "MiB", true},
                  {".idle_cpu", "% of a core", true}};
  many.needs_own_broker = true;
  many.run = RunMany;
  measures->push_back(std::move(many));
}

}  // namespace acta::bench
