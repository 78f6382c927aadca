#include "server/rpc/waiting_publishes.h"

namespace acta {

std::optional<WaitingPublishes::Lease> WaitingPublishes::Take(int64_t bytes) {
  MutexLock lock(mu_);
  if (!waiters_.empty() || !HasRoom(bytes)) return std::nullopt;
  used_ += bytes;
  return Lease(shared_from_this(), bytes);
}

void WaitingPublishes::Await(const void* who, int64_t bytes, Turn turn) {
  {
    MutexLock lock(mu_);
    if (!waiters_.empty() || !HasRoom(bytes)) {
      by_who_[who] = waiters_.insert(waiters_.end(), Waiter{who, bytes, std::move(turn)});
      return;
    }
    used_ += bytes;
  }
  turn(Lease(shared_from_this(), bytes));
}

void WaitingPublishes::Forget(const void* who) {
  std::list<Waiter> dropped;  // Destroyed after the lock.
  MutexLock lock(mu_);
  const auto found = by_who_.find(who);
  if (found == by_who_.end()) return;
  dropped.splice(dropped.end(), waiters_, found->second);
  by_who_.erase(found);
}

void WaitingPublishes::Give(int64_t bytes) {
  std::list<Waiter> next;
  {
    MutexLock lock(mu_);
    used_ -= bytes;
    while (!waiters_.empty() && HasRoom(waiters_.front().bytes)) {
      used_ += waiters_.front().bytes;
      by_who_.erase(waiters_.front().who);
      next.splice(next.end(), waiters_, waiters_.begin());
    }
  }
  for (Waiter& waiter : next) waiter.turn(Lease(shared_from_this(), waiter.bytes));
}

}  // namespace acta
