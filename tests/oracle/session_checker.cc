#include "tests/oracle/session_checker.h"

#include <algorithm>
#include <tuple>

#include "absl/strings/str_cat.h"

namespace acta::oracle {
namespace {

using SessionPlace = std::tuple<int64_t, int32_t, int64_t>;  // Session, partition, offset.
using SessionKey = std::tuple<int64_t, int32_t, int64_t>;    // Session, partition, key.

// The newest delivery of an event to a session.
struct GivenEvent {
  int64_t until_us = 0;
  int32_t redrives = 0;
  bool settled = false;  // The session was told so, while its lease was in force.
};

class SessionChecking {
 public:
  SessionChecking(const QueueEvents& events, const QueueGroups& groups, QueueReport& report)
      : events_(events), groups_(groups), report_(report) {}

  void Take(const QueueRecord& record) {
    // A lease that is over when its event comes may have been followed by others on the way.
    if (record.kind == QueueRecord::Kind::kLeased && record.time_us < record.until_us) {
      CheckEvent(record);
      CheckKey(record);
    }
    if (record.kind == QueueRecord::Kind::kOk && Ends(record)) NoteSettled(record);
  }

 private:
  void CheckEvent(const QueueRecord& lease) {
    GivenEvent& before = given_[{lease.session, lease.partition, lease.offset}];
    const bool later = lease.until_us > before.until_us && lease.redrives == before.redrives;
    if (lease.until_us == before.until_us) {
      Find(lease, "was given the same lease again");
    } else if (before.settled && later) {
      Find(lease, "was given again what it had been told was settled");
    }
    before = {lease.until_us, lease.redrives, false};
  }

  // As long as the lease was in force nobody, nor the session, can have been leased the event
  // again: whatever comes was leased behind it. When it had run out, a late answer may cross the
  // next lease.
  void NoteSettled(const QueueRecord& settle) {
    const auto given = given_.find({settle.session, settle.partition, settle.offset});
    if (given == given_.end() || given->second.until_us != settle.until_us) return;
    given->second.settled = settle.time_us + kSkewUs < settle.until_us;
  }

  // First attempts of a key come in order, also where the clock cannot tell which was first.
  void CheckKey(const QueueRecord& lease) {
    const auto group = groups_.find(lease.group);
    if (group == groups_.end() || group->second.policy == nullptr) return;
    const auto order = static_cast<QueueOrderWord>(group->second.policy->detail);
    if (order == QueueOrderWord::kUnordered || lease.key == 0 || lease.attempt > 1) return;
    if (order == QueueOrderWord::kKeyRelaxed && group->second.unsure) return;
    const QueueEvent& event = events_.at({lease.group, lease.partition, lease.offset});
    if (event.leases.front().leased != &lease) return;
    int64_t& newest =
        newest_.try_emplace({lease.session, lease.partition, lease.key}, -1).first->second;
    if (lease.offset < newest) {
      Find(lease,
           absl::StrCat("was given it for the first time behind offset ", newest, " of its key"));
    }
    newest = std::max(newest, lease.offset);
  }

  void Find(const QueueRecord& lease, absl::string_view what) {
    report_.Add(QueueAnomaly::kSteppedBack, lease,
                absl::StrCat("session ", lease.session, " of worker ", lease.worker, " ", what));
  }

  const QueueEvents& events_;
  const QueueGroups& groups_;
  QueueReport& report_;
  absl::flat_hash_map<SessionPlace, GivenEvent> given_;
  absl::flat_hash_map<SessionKey, int64_t> newest_;
};

}  // namespace

void CheckSessions(const std::vector<QueueRecord>& history, const QueueEvents& events,
                   const QueueGroups& groups, QueueReport* report) {
  SessionChecking checking(events, groups, *report);
  for (const QueueRecord& record : history) checking.Take(record);
}

}  // namespace acta::oracle
