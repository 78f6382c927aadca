#include <catch2/catch.hpp>
#include <deque>
#include <memory>
#include <optional>
#include <random>
#include <string>

#include "storage/state/id_window.h"
#include "storage/state/siphash.h"
#include "tests/support/heap_bytes.h"

namespace acta {
namespace {

constexpr absl::Duration kWindow = absl::Milliseconds(1);

EventIdHash IdOf(uint64_t number) {
  const auto hash = SipHash128({}, {std::to_string(number)});
  return {hash.low, hash.high};
}

// What a window is to know, looked for from the newest on.
class NaiveWindow {
 public:
  explicit NaiveWindow(int64_t max_ids) : max_ids_(max_ids) {}

  std::optional<IdPosition> Find(int32_t partition, uint64_t id, int64_t now_us) const {
    for (auto at = known_.rbegin(); at != known_.rend(); ++at) {
      if (at->partition == partition && at->id == id && at->position.time_us >= Oldest(now_us)) {
        return at->position;
      }
    }
    return std::nullopt;
  }
  void Insert(int32_t partition, uint64_t id, const IdPosition& position) {
    Remove(partition, id);
    known_.push_back({partition, id, position});
  }
  void Remove(int32_t partition, uint64_t id) {
    std::erase_if(
        known_, [&](const Known& known) { return known.partition == partition && known.id == id; });
  }
  void Trim(int64_t now_us) {
    while (!known_.empty() && known_.front().position.time_us < Oldest(now_us)) {
      known_.pop_front();
    }
    Evict(static_cast<int64_t>(known_.size()) - max_ids_);
  }
  void Evict(int64_t count) {
    for (; count > 0 && !known_.empty(); --count) known_.pop_front();
  }
  size_t size() const { return known_.size(); }

 private:
  struct Known {
    int32_t partition;
    uint64_t id;
    IdPosition position;
  };
  static int64_t Oldest(int64_t now_us) { return now_us - absl::ToInt64Microseconds(kWindow); }

  const int64_t max_ids_;
  std::deque<Known> known_;
};

bool Same(const std::optional<IdPosition>& a, const std::optional<IdPosition>& b) {
  if (!a.has_value() || !b.has_value()) return a.has_value() == b.has_value();
  return a->offset == b->offset && a->incarnation == b->incarnation && a->time_us == b->time_us;
}

TEST_CASE("a window of ids knows what a naive one knows") {
  const auto seed = GENERATE(range(1, 9));
  const int64_t max_ids = seed % 2 == 0 ? 300 : 10'000;
  std::mt19937 random(static_cast<uint32_t>(seed));
  const auto below = [&random](uint32_t count) { return random() % count; };
  IdWindow window(kWindow, max_ids);
  NaiveWindow naive(max_ids);
  int64_t now_us = 1'000'000;
  for (int64_t step = 0; step < 20'000; ++step) {
    const auto partition = static_cast<int32_t>(below(3));
    const uint64_t id = below(400);
    const IdPosition position{Offset(step), Incarnation(1 + below(2)), now_us};
    switch (below(8)) {
      case 0:
        now_us += below(100);
        window.Trim(now_us);
        naive.Trim(now_us);
        REQUIRE(static_cast<size_t>(window.size()) == naive.size());
        break;
      case 1:
        if (below(20) == 0) {
          window.Evict(5);
          naive.Evict(5);
        }
        break;
      case 2: {  // Of a batch that is given up.
        if (window.FindOrInsert(partition, IdOf(id), position).has_value()) break;
        window.Remove(partition, IdOf(id));
        naive.Remove(partition, id);
        break;
      }
      default: {
        const auto expected = naive.Find(partition, id, now_us);
        REQUIRE(Same(window.Find(partition, IdOf(id), now_us), expected));
        REQUIRE(Same(window.FindOrInsert(partition, IdOf(id), position), expected));
        if (!expected.has_value()) naive.Insert(partition, id, position);
      }
    }
  }
}

TEST_CASE("ids that are removed behind others leave the others known") {
  IdWindow window(kWindow, 1000);
  for (int i = 0; i < 200; ++i) window.Insert(0, IdOf(i), {Offset(i), Incarnation(1), i});
  for (int i = 50; i < 200; i += 2) window.Remove(0, IdOf(i));
  window.Remove(0, IdOf(199));  // The newest, and with it what was removed before it.
  CHECK(window.size() == 124);
  for (int i = 0; i < 200; ++i) {
    const bool removed = i >= 50 && (i % 2 == 0 || i == 199);
    CHECK(window.Find(0, IdOf(i), 0).has_value() == !removed);
  }
  window.Evict(100);
  CHECK_FALSE(window.Find(0, IdOf(51), 0).has_value());
  CHECK(window.Find(0, IdOf(101), 0)->offset == Offset(101));
}

TEST_CASE("topics share what there is, and those that need less leave the rest to the others") {
  CHECK(LargestShare({}, 100, 1) == 100);
  CHECK(LargestShare({100}, 100, 1) == 50);
  CHECK(LargestShare({10, 20}, 100, 1) == 70);
  CHECK(LargestShare({80, 10, 90}, 100, 0) == 45);
  CHECK(LargestShare({80, 10, 90}, 100, 1) == 30);
  CHECK(LargestShare({40, 40, 40}, 100, 0) == 33);
  CHECK(LargestShare({50, 50}, 100, 0) >= 50);
  CHECK(LargestShare({1, 1, 1}, 2, 0) == 0);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(ACTA_THREAD_SANITIZER)
TEST_CASE("an id costs no more memory than is counted for it") {
  // Just after its table has grown it has most room to spare.
  const int64_t count = GENERATE(484'000, 726'000, 1'000'000);
  const int64_t before = HeapBytes();
  IdWindow window(absl::Hours(1), count);
  for (int64_t i = 0; i < count; ++i) {
    window.Insert(0, IdOf(static_cast<uint64_t>(i)), {Offset(i), Incarnation(1), i});
  }
  CHECK(HeapBytes() - before <= count * IdWindow::kBytesPerId);
  CHECK(HeapBytes() - before > count * IdWindow::kBytesPerId * 4 / 5);
  window.Evict(count);
  CHECK(HeapBytes() - before < count * IdWindow::kBytesPerId / 2);
}

TEST_CASE("ids that were forgotten leave no memory behind, however many they were") {
  constexpr int64_t kMany = 300'000;
  constexpr int64_t kFew = 10'000;
  const bool by_time = GENERATE(false, true);
  const int64_t before = HeapBytes();
  IdWindow window(absl::Microseconds(kMany), 2 * kMany);
  for (int64_t i = 0; i < kMany; ++i) {
    window.Insert(0, IdOf(static_cast<uint64_t>(i)), {Offset(i), Incarnation(1), i});
  }
  by_time ? window.Trim(2 * kMany - kFew) : window.Evict(kMany - kFew);
  REQUIRE(window.size() == kFew);
  CHECK(HeapBytes() - before <= kFew * IdWindow::kBytesPerId);
  for (int64_t i = kMany - kFew; i < kMany; ++i) {
    const auto known = window.Find(0, IdOf(static_cast<uint64_t>(i)), kMany);
    REQUIRE(known.has_value());
    REQUIRE(known->offset == Offset(i));
  }
  by_time ? window.Trim(3 * kMany) : window.Evict(kFew);
  REQUIRE(window.size() == 0);
  CHECK(HeapBytes() - before < 64 << 10);
}
#endif

}  // namespace
}  // namespace acta
