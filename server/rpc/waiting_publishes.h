#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "storage/base/mutex.h"

namespace acta {

// Bytes of publishes that wait for the pool to look for their cause: so many of all calls together,
// unless one alone is larger. Who is not to be refused waits for its turn; while somebody waits
// nobody else gets any, so that a large one comes to its turn too.
//
// Threads:   any; a lease by one at a time.
// Ownership: leases keep it.
class WaitingPublishes : public std::enable_shared_from_this<WaitingPublishes> {
 public:
  // Some of the bytes, until it goes.
  class Lease {
   public:
    Lease(std::shared_ptr<WaitingPublishes> of, int64_t bytes)
        : of_(std::move(of)), bytes_(bytes) {}
    ~Lease() { End(); }
    Lease(Lease&& other) noexcept : of_(std::move(other.of_)), bytes_(other.bytes_) {}
    Lease& operator=(Lease&&) = delete;

    void End() {
      if (const auto of = std::exchange(of_, nullptr); of != nullptr) of->Give(bytes_);
    }

   private:
    std::shared_ptr<WaitingPublishes> of_;  // Null: it has ended.
    const int64_t bytes_;
  };
  using Turn = absl::AnyInvocable<void(Lease)>;

  explicit WaitingPublishes(int64_t limit) : limit_(limit) {}

  // nullopt: so many are not left, or others wait.
  std::optional<Lease> Take(int64_t bytes);
  // Calls `turn` once with so many, perhaps at once; outside of locks. Unless Forget(who) comes
  // first. One at a time for each `who`.
  void Await(const void* who, int64_t bytes, Turn turn);
  void Forget(const void* who);

 private:
  struct Waiter {
    const void* who;
    int64_t bytes;
    Turn turn;
  };

  void Give(int64_t bytes);
  bool HasRoom(int64_t bytes) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return used_ == 0 || used_ + bytes <= limit_;
  }

  const int64_t limit_;
  Mutex mu_;  // Leaf.
  int64_t used_ ABSL_GUARDED_BY(mu_) = 0;
  // While there are any some bytes are used: who gives those back lets the next ones in.
  std::list<Waiter> waiters_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<const void*, std::list<Waiter>::iterator> by_who_ ABSL_GUARDED_BY(mu_);
};

}  // namespace acta
