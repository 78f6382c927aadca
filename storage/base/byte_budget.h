#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

namespace acta {

// Bytes that many may hold together. Shared with the leases, which may outlive whoever made it.
//
// Threads: any; a lease by one at a time.
class ByteBudget : public std::enable_shared_from_this<ByteBudget> {
 public:
  // Some of the bytes, until it goes.
  class Lease {
   public:
    Lease() = default;
    Lease(std::shared_ptr<ByteBudget> budget, int64_t bytes)
        : budget_(std::move(budget)), bytes_(bytes) {}
    ~Lease() { Resize(0); }
    Lease(Lease&& other) noexcept
        : budget_(std::move(other.budget_)), bytes_(std::exchange(other.bytes_, 0)) {}
    Lease& operator=(Lease&& other) noexcept {
      Resize(0);
      budget_ = std::move(other.budget_);
      bytes_ = std::exchange(other.bytes_, 0);
      return *this;
    }

    int64_t bytes() const { return bytes_; }
    // False: so many more are not left. Of a lease that was taken.
    bool Grow(int64_t more) {
      if (!budget_->TakeBytes(more)) return false;
      bytes_ += more;
      return true;
    }
    // What is held after all: the budget is overdrawn rather than wrong. Of a lease that was taken.
    void Resize(int64_t bytes) {
      if (bytes == bytes_) return;
      budget_->used_.fetch_add(bytes - bytes_, std::memory_order_relaxed);
      bytes_ = bytes;
    }

   private:
    std::shared_ptr<ByteBudget> budget_;
    int64_t bytes_ = 0;
  };

  explicit ByteBudget(int64_t limit) : limit_(limit) {}

  // nullopt: so many are not left.
  std::optional<Lease> Take(int64_t bytes) {
    if (!TakeBytes(bytes)) return std::nullopt;
    return Lease(shared_from_this(), bytes);
  }

  int64_t limit() const { return limit_; }
  int64_t used() const { return used_.load(std::memory_order_relaxed); }

 private:
  bool TakeBytes(int64_t bytes) {
    if (used_.fetch_add(bytes, std::memory_order_relaxed) + bytes <= limit_) return true;
    used_.fetch_sub(bytes, std::memory_order_relaxed);
    return false;
  }

  const int64_t limit_;
  std::atomic<int64_t> used_{0};
};

}  // namespace acta
