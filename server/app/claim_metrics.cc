#include "server/app/claim_metrics.h"

#include <array>
#include <cstddef>

namespace acta {
namespace {

// By ClaimOutcome.
constexpr std::array<const char*, kClaimOutcomes> kClaimOutcomeNames = {
    "first", "completed", "released", "duplicate", "in_progress", "lost"};

}  // namespace

void CollectClaims(const ClaimRegistry& claims, MetricWriter& writer) {
  writer.Add(Metric::kClaimsLimit, static_cast<double>(claims.max_claims_per_group()));
  for (const ClaimRegistry::Figures& group : claims.Measure()) {
    if (group.counts.claims.has_value()) {
      writer.Add(Metric::kClaimsClaims, group.group, static_cast<double>(*group.counts.claims));
    }
    for (size_t i = 0; i < kClaimOutcomes; ++i) {
      writer.Add(Metric::kClaimsCalls, {group.group, kClaimOutcomeNames[i]},
                 static_cast<double>(group.counts.outcomes[i]));
    }
  }
}

}  // namespace acta
