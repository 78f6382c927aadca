#include "tests/oracle/key_checker.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"

namespace acta::oracle {
namespace {

using KeyPlace = std::tuple<int32_t, int32_t, int64_t>;  // Group, partition, key.
using KeyEvents = std::vector<std::pair<int64_t, const QueueEvent*>>;

// The earliest moment at which it can have been settled.
int64_t SettledSince(const QueueEvent& event) {
  if (const QueueRecord* ok = FirstEnd(event.settles, QueueRecord::Kind::kOk)) return ok->since_us;
  if (event.letter != nullptr) return event.leases.empty() ? 0 : event.leases.back().start_us;
  if (event.leases.empty()) return kNever;
  const QueueRecord* const info = FirstEnd(event.leases.back().settles, QueueRecord::Kind::kInfo);
  return info != nullptr ? info->since_us : kNever;
}

int64_t DecidedAt(const QueueEvent& event, const QueueRecord& nack) {
  int64_t first_us = kNever;
  for (const QueueRecord* decision : event.decisions) {
    if (decision->since_us >= nack.since_us) first_us = std::min(first_us, decision->since_us);
  }
  return first_us;
}

// The events of one key.
class KeyChecking {
 public:
  KeyChecking(const KeyPlace& where, const KeyEvents& events, QueueReport& report)
      : where_(where), events_(events), report_(report) {}

  // Each begins when those before it are settled.
  void CheckOrder() {
    int64_t settled_us = 0;
    int64_t settled_offset = 0;
    for (const auto& [offset, event] : events_) {
      if (event->leases.front().start_us + kSkewUs < settled_us) {
        Find(QueueAnomaly::kKeyReordered, offset,
             absl::StrCat("leased to worker ", event->leases.front().leased->worker,
                          " before offset ", settled_offset, " of its key was settled"));
      }
      const int64_t since_us = SettledSince(*event);
      if (since_us <= settled_us) continue;
      settled_us = since_us;
      settled_offset = offset;
    }
  }

  // What was leased for a later attempt only has a first one that nobody saw.
  void CheckFirsts() {
    int64_t latest_us = 0;
    for (const auto& [offset, event] : events_) {
      const QueueLease& first = event->leases.front();
      if (first.leased->attempt > 1) continue;
      if (first.start_us + kSkewUs < latest_us) {
        Find(QueueAnomaly::kKeyReordered, offset,
             absl::StrCat("leased to worker ", first.leased->worker, " for the first time ",
                          latest_us - first.start_us, " us before an earlier one of its key"));
      }
      latest_us = std::max(latest_us, first.start_us);
    }
  }

  // From the answer to the last nack of an event to what was decided of it.
  void CheckHolds(int32_t max_attempts) {
    for (const auto& [offset, event] : events_) {
      for (const QueueRecord* nack : event->settles) {
        const bool last = nack->kind == QueueRecord::Kind::kOk && nack->op == SettleOp::kNack &&
                          nack->attempt >= max_attempts;
        if (last) CheckHold(offset, nack->time_us, DecidedAt(*event, *nack));
      }
    }
  }

 private:
  void CheckHold(int64_t held, int64_t since_us, int64_t until_us) {
    for (const auto& [offset, event] : events_) {
      for (const QueueLease& lease : event->leases) {
        if (lease.start_us <= since_us + kSkewUs || lease.start_us >= until_us - kSkewUs) continue;
        Find(QueueAnomaly::kPassedHold, offset,
             absl::StrCat("leased to worker ", lease.leased->worker, " while offset ", held,
                          " held its key"));
      }
    }
  }

  void Find(QueueAnomaly anomaly, int64_t offset, absl::string_view what) {
    QueueRecord record;
    record.group = std::get<0>(where_);
    record.partition = std::get<1>(where_);
    record.offset = offset;
    report_.Add(anomaly, record, what);
  }

  const KeyPlace where_;
  const KeyEvents& events_;
  QueueReport& report_;
};

}  // namespace

void CheckKeys(const QueueEvents& events, const QueueGroups& groups, QueueReport* report) {
  absl::flat_hash_map<KeyPlace, KeyEvents> keys;
  for (const auto& [place, event] : events) {
    const auto group = groups.find(place.group);
    if (group == groups.end() || group->second.policy == nullptr || !event.HasKey()) continue;
    const int64_t key = event.leases.front().leased->key;
    keys[{place.group, place.partition, key}].emplace_back(place.offset, &event);
  }
  for (auto& [where, of_key] : keys) {
    std::sort(of_key.begin(), of_key.end());
    const QueueGroupFacts& group = groups.at(std::get<0>(where));
    const auto order = static_cast<QueueOrderWord>(group.policy->detail);
    KeyChecking checking(where, of_key, *report);
    if (order == QueueOrderWord::kKey) checking.CheckOrder();
    if (order == QueueOrderWord::kKeyRelaxed && !group.unsure) checking.CheckFirsts();
    if (group.policy->key != 0) checking.CheckHolds(group.policy->attempt);
  }
}

}  // namespace acta::oracle
