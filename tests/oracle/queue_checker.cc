#include "tests/oracle/queue_checker.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/oracle/key_checker.h"
#include "tests/oracle/queue_facts.h"
#include "tests/oracle/session_checker.h"
#include "tests/oracle/step_checker.h"

namespace acta::oracle {
namespace {

constexpr size_t kQueueExamples = 5;
// A stream that broke may be noticed by the broker so much earlier than by its worker.
constexpr int64_t kNoticedUs = 2'000'000;
// Of the group's backoff, which the load leaves as it is.
constexpr double kBackoffFactor = 2;
constexpr double kLeastJitter = 0.8;

using Kind = QueueRecord::Kind;
using Lease = QueueLease;
using Event = QueueEvent;
using GroupFacts = QueueGroupFacts;

bool MayCount(const QueueRecord& settle) { return settle.kind != Kind::kFail; }

class QueueChecking {
 public:
  QueueChecking(const std::vector<QueueRecord>& history, QueueReport report)
      : history_(history), report_(std::move(report)) {}

  QueueReport Run() {
    Collect();
    for (auto& [place, event] : events_) {
      const GroupFacts& group = groups_[place.group];
      if (group.policy == nullptr) continue;
      Arrange(*group.policy, &event);
      CheckSettled(place, event);
      CheckLetter(place, *group.policy, event);
      CheckLeases(place, group, event);
    }
    CheckEnds();
    CheckKeys(events_, groups_, &report_);
    CheckSessions(history_, events_, groups_, &report_);
    return std::move(report_);
  }

 private:
  enum class Counted : uint8_t { kMust, kMustNot, kMay };

  void Find(QueueAnomaly anomaly, const EventPlace& place, absl::string_view what) {
    QueueRecord record;
    record.group = place.group;
    record.partition = place.partition;
    record.offset = place.offset;
    report_.Add(anomaly, record, what);
  }

  void Collect() {
    for (const QueueRecord& record : history_) {
      Event* const event =
          record.kind == Kind::kGroup || record.kind == Kind::kGone || record.kind == Kind::kEnd
              ? nullptr
              : &events_[{record.group, record.partition, record.offset}];
      switch (record.kind) {
        case Kind::kGroup:
          groups_[record.group].policy = &record;
          break;
        case Kind::kGone:
          gone_[record.session] = &record;
          groups_[record.group].unsure |= record.detail == static_cast<int32_t>(SessionEnd::kOther);
          break;
        case Kind::kEnd:
          ends_.push_back(&record);
          break;
        case Kind::kLeased:
          ++report_.leased;
          event->leases.push_back({&record, 0, false, {}});
          break;
        case Kind::kHeld:
          event->holds.push_back(&record);
          break;
        case Kind::kOk:
          report_.settled += Ends(record);
          event->settles.push_back(&record);
          break;
        case Kind::kFail:
        case Kind::kInfo:
          event->settles.push_back(&record);
          break;
        case Kind::kLetter:
          ++report_.letters;
          event->letter = &record;
          break;
        case Kind::kRedriven:
        case Kind::kSkipped:
          event->decisions.push_back(&record);
          break;
        case Kind::kResult:
          break;
      }
    }
  }

  // Leases by time, each with what was said of it.
  static void Arrange(const QueueRecord& policy, Event* event) {
    for (Lease& lease : event->leases) lease.start_us = lease.leased->until_us - policy.until_us;
    std::stable_sort(event->leases.begin(), event->leases.end(),
                     [](const Lease& a, const Lease& b) { return a.start_us < b.start_us; });
    std::stable_sort(
        event->settles.begin(), event->settles.end(),
        [](const QueueRecord* a, const QueueRecord* b) { return a->time_us < b->time_us; });
    for (Lease& lease : event->leases) {
      const auto of_lease = [&](const QueueRecord* record) {
        return record->until_us == lease.leased->until_us;
      };
      std::copy_if(event->settles.begin(), event->settles.end(), std::back_inserter(lease.settles),
                   of_lease);
      lease.held = std::any_of(event->holds.begin(), event->holds.end(), of_lease);
    }
  }

  void CheckSettled(const EventPlace& place, const Event& event) {
    CheckSkipped(place, event);
    const QueueRecord* const first = FirstEnd(event.settles, Kind::kOk);
    if (first == nullptr) return;
    const auto ends = std::count_if(
        event.settles.begin(), event.settles.end(),
        [](const QueueRecord* settle) { return settle->kind == Kind::kOk && Ends(*settle); });
    if (ends > 1) Find(QueueAnomaly::kSettledTwice, place, absl::StrCat(ends, " times"));
    for (const Lease& lease : event.leases) {
      if (lease.start_us <= first->time_us + kSkewUs) continue;
      Find(QueueAnomaly::kRedeliveredAfterAck, place,
           absl::StrCat("leased to worker ", lease.leased->worker, " ",
                        lease.start_us - first->time_us, " us after it was settled by worker ",
                        first->worker));
    }
  }

  void CheckSkipped(const EventPlace& place, const Event& event) {
    for (const QueueRecord* decision : event.decisions) {
      if (decision->kind != Kind::kSkipped || decision->detail != 0) continue;
      for (const Lease& lease : event.leases) {
        if (lease.start_us <= decision->time_us + kSkewUs) continue;
        Find(QueueAnomaly::kRedeliveredAfterAck, place,
             absl::StrCat("leased to worker ", lease.leased->worker, " after it was skipped"));
      }
    }
  }

  void CheckLetter(const EventPlace& place, const QueueRecord& policy, const Event& event) {
    const bool holds = policy.key != 0 && event.HasKey();
    bool acked = false, rejected = false, said_rejected = false, nacked = false, exhausted = false;
    for (const QueueRecord* settle : event.settles) {
      const bool ok = settle->kind == Kind::kOk;
      acked |= ok && settle->op == SettleOp::kAck;
      rejected |= ok && settle->op == SettleOp::kReject;
      said_rejected |= MayCount(*settle) && settle->op == SettleOp::kReject;
      nacked |= MayCount(*settle) && settle->op == SettleOp::kNack;
      exhausted |= ok && settle->op == SettleOp::kNack && settle->attempt >= policy.attempt;
    }
    std::string what;
    if (event.letter == nullptr) {
      if (rejected) what = "rejected, and no dead letter";
      if (exhausted && !holds) what = "its last attempt failed, and it is no dead letter";
      for (const Lease& lease : event.leases) {
        if (lease.leased->attempt > policy.attempt) what = "leased for more attempts than it has";
      }
    } else {
      const auto reason = static_cast<LetterReason>(event.letter->detail);
      if (acked) what = "a dead letter that was acknowledged";
      if (!said_rejected && !nacked) what = "a dead letter that no member failed";
      if (reason == LetterReason::kRejected && !said_rejected) {
        what = "a dead letter that nobody rejected";
      }
      if (reason == LetterReason::kExhausted && event.letter->attempt < policy.attempt) {
        what = absl::StrCat("a dead letter after ", event.letter->attempt, " attempts");
      }
      if (reason == LetterReason::kExhausted && holds) {
        what = "a dead letter that had to hold its key";
      }
      if (reason == LetterReason::kOther) what = "a dead letter that was not given back so often";
    }
    if (!what.empty()) Find(QueueAnomaly::kWrongDeadLetter, place, what);
  }

  void CheckLeases(const EventPlace& place, const GroupFacts& group, const Event& event) {
    for (size_t i = 0; i < event.leases.size(); ++i) {
      const Lease& next = event.leases[i];
      if (i == 0) {
        if (next.leased->attempt > 1 && !group.unsure) {
          Find(QueueAnomaly::kCountedRelease, place,
               absl::StrCat("attempt ", next.leased->attempt, " is the first"));
        }
        continue;
      }
      const Lease& before = event.leases[i - 1];
      CheckOverlap(place, before, next);
      if (WasRedriven(event, before, next)) continue;  // Its attempts begin anew.
      CheckAttempt(place, group, before, next);
      CheckDelay(place, *group.policy, before, next);
    }
  }

  static bool WasRedriven(const Event& event, const Lease& before, const Lease& next) {
    return std::any_of(event.decisions.begin(), event.decisions.end(), [&](const auto* one) {
      return one->kind == Kind::kRedriven && one->time_us + kSkewUs >= before.start_us &&
             one->since_us <= next.start_us + kSkewUs;
    });
  }

  // Whether the attempt of a lease that another one follows was to be counted.
  Counted HowItEnded(const Lease& lease) const {
    for (const QueueRecord* settle : lease.settles) {
      if (settle->kind == Kind::kFail || settle->op == SettleOp::kExtend) continue;
      const bool ok = settle->kind == Kind::kOk;
      if (ok && settle->op == SettleOp::kNack) return Counted::kMust;
      if (ok && settle->op == SettleOp::kRelease) return Counted::kMustNot;
      if (settle->op != SettleOp::kAck) return Counted::kMay;
    }
    const auto gone = gone_.find(lease.leased->session);
    if (lease.held || gone == gone_.end()) return Counted::kMay;
    // It may have run out before.
    if (lease.leased->until_us <= gone->second->time_us + kSkewUs) return Counted::kMay;
    const auto how = static_cast<SessionEnd>(gone->second->detail);
    return how == SessionEnd::kClean || how == SessionEnd::kLost ? Counted::kMustNot
                                                                 : Counted::kMay;
  }

  void CheckAttempt(const EventPlace& place, const GroupFacts& group, const Lease& before,
                    const Lease& next) {
    const int32_t first = before.leased->attempt, second = next.leased->attempt;
    const Counted counted = HowItEnded(before);
    const std::string what = absl::StrCat("attempt ", second, " of worker ", next.leased->worker,
                                          " follows ", first, " of worker ", before.leased->worker);
    // An end that nobody reported may be gone with the broker: of this lease, or of the one before.
    const int32_t unreported = counted == Counted::kMust && !before.held ? 0 : 1;
    if (second < first + (counted == Counted::kMust) - unreported) {
      Find(QueueAnomaly::kLostAttempt, place, what);
    }
    if (second > first + (counted != Counted::kMustNot) && !group.unsure) {
      Find(QueueAnomaly::kCountedRelease, place, what);
    }
  }

  void CheckOverlap(const EventPlace& place, const Lease& before, const Lease& next) {
    int64_t until_us = before.leased->until_us;
    for (const QueueRecord* settle : before.settles) {
      if (!MayCount(*settle)) continue;
      if (settle->op == SettleOp::kExtend) {
        if (settle->kind == Kind::kOk) {
          until_us = std::max(until_us, settle->since_us + settle->delay_us);
        }
      } else if (settle->since_us <= next.leased->time_us) {
        return;
      }
    }
    if (next.start_us + kSkewUs >= until_us) return;
    const auto gone = gone_.find(before.leased->session);
    if (gone != gone_.end() && gone->second->time_us <= next.leased->time_us + kNoticedUs) return;
    Find(QueueAnomaly::kDoubleLease, place,
         absl::StrCat("leased to worker ", next.leased->worker, " ", until_us - next.start_us,
                      " us before the lease of worker ", before.leased->worker, " ended"));
  }

  void CheckDelay(const EventPlace& place, const QueueRecord& policy, const Lease& before,
                  const Lease& next) {
    for (const QueueRecord* settle : before.settles) {
      if (settle->kind != Kind::kOk || settle->op != SettleOp::kNack) continue;
      const double plain = static_cast<double>(policy.delay_us) *
                           std::pow(kBackoffFactor, before.leased->attempt - 1);
      const double backoff = std::min(plain, static_cast<double>(policy.since_us)) * kLeastJitter;
      const int64_t delay_us =
          settle->delay_us >= 0 ? settle->delay_us : static_cast<int64_t>(backoff);
      const int64_t waited_us = next.start_us - settle->since_us;
      if (waited_us + kSkewUs >= delay_us) continue;
      Find(QueueAnomaly::kEarlyRetry, place,
           absl::StrCat("leased ", waited_us, " us after its nack, which asked for ", delay_us));
    }
  }

  // By a member, or as a dead letter. Of answers that never came only that to the last lease can
  // have counted.
  static bool IsSettled(const Event& event) {
    if (event.letter != nullptr || FirstEnd(event.settles, Kind::kOk) != nullptr) return true;
    if (event.MayBeSkipped()) return true;
    const bool before =
        std::any_of(event.settles.begin(), event.settles.end(), [](const QueueRecord* settle) {
          return settle->kind == Kind::kFail && settle->detail == 1;
        });
    return before ||
           (!event.leases.empty() && FirstEnd(event.leases.back().settles, Kind::kInfo) != nullptr);
  }

  void CheckEnds() {
    for (const QueueRecord* end : ends_) {
      for (int64_t offset = 0; offset < end->offset; ++offset) {
        const EventPlace place{end->group, end->partition, offset};
        const auto event = events_.find(place);
        if (event != events_.end() && IsSettled(event->second)) continue;
        Find(QueueAnomaly::kLostDelivery, place,
             event == events_.end() || event->second.leases.empty() ? "never leased"
                                                                    : "never settled");
      }
    }
  }

  const std::vector<QueueRecord>& history_;
  QueueReport report_;
  QueueGroups groups_;
  absl::flat_hash_map<int64_t, const QueueRecord*> gone_;  // By session.
  std::vector<const QueueRecord*> ends_;
  QueueEvents events_;
};

}  // namespace

std::string QueueAnomalyName(QueueAnomaly anomaly) {
  switch (anomaly) {
    case QueueAnomaly::kRedeliveredAfterAck:
      return "redelivered-after-ack";
    case QueueAnomaly::kSettledTwice:
      return "settled-twice";
    case QueueAnomaly::kLostDelivery:
      return "lost-delivery";
    case QueueAnomaly::kKeyReordered:
      return "key-reordered";
    case QueueAnomaly::kDoubleLease:
      return "double-lease";
    case QueueAnomaly::kWrongDeadLetter:
      return "wrong-dead-letter";
    case QueueAnomaly::kCountedRelease:
      return "counted-release";
    case QueueAnomaly::kLostAttempt:
      return "lost-attempt";
    case QueueAnomaly::kEarlyRetry:
      return "early-retry";
    case QueueAnomaly::kTornStep:
      return "torn-step";
    case QueueAnomaly::kPassedHold:
      return "passed-hold";
    case QueueAnomaly::kSteppedBack:
      return "stepped-back";
  }
  return "unknown";
}

void QueueReport::Add(QueueAnomaly anomaly, const QueueRecord& record, absl::string_view what) {
  ++counts[anomaly];
  std::vector<std::string>& some = examples[anomaly];
  if (some.size() >= kQueueExamples) return;
  some.push_back(
      absl::StrCat("group ", record.group, " ", record.partition, "/", record.offset, ": ", what));
}

QueueReport CheckQueues(std::vector<QueueRecord> history) {
  QueueReport report;
  CheckSteps(&history, &report);
  return QueueChecking(history, std::move(report)).Run();
}

}  // namespace acta::oracle
