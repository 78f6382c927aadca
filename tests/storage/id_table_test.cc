#include "storage/state/id_table.h"

#include <catch2/catch.hpp>
#include <cstdint>
#include <deque>
#include <random>
#include <utility>

namespace acta {
namespace {

// What is alive, as pairs of number and hash, the oldest first.
using Alive = std::deque<std::pair<uint32_t, uint32_t>>;

bool Finds(const IdTable& table, NumberRange alive, uint32_t number, uint32_t hash) {
  const auto found =
      table.Find(hash, alive, [number](uint32_t candidate) { return candidate == number; });
  return found.has_value();
}

TEST_CASE("a table finds the numbers that are alive, through full buckets and when numbers wrap") {
  const uint32_t first = GENERATE(0u, 0xFFFFF000u);
  // So few that most of them want the same bucket, or so many that hardly any do.
  const uint32_t hashes = GENERATE(3u, 200u, 1u << 30);
  std::mt19937 random(7);
  IdTable table;
  NumberRange range{first, first};
  Alive alive;
  for (int step = 0; step < 8'000; ++step) {
    const uint32_t hash = random() % hashes * (0xFFFFFFFFu / hashes);
    table.Insert(hash, range.end, range, static_cast<uint32_t>(alive.size()));
    alive.emplace_back(range.end++, hash);
    if (random() % 10 == 0) {
      const auto erased = alive.begin() + random() % alive.size();
      table.Erase(erased->second, erased->first, range);
      CHECK_FALSE(Finds(table, range, erased->first, erased->second));
      alive.erase(erased);
    }
    // Of a batch that is given up; the next one has its number.
    if (random() % 4 == 0 && !alive.empty() && alive.back().first + 1 == range.end) {
      table.Erase(alive.back().second, alive.back().first, range);
      alive.pop_back();
      --range.end;
    }
    const uint32_t most = step % 2'000 < 1'000 ? 500 : 40;
    while (range.size() > most) {
      if (!alive.empty() && alive.front().first == range.first) alive.pop_front();
      ++range.first;
    }
    if (step % 7 != 0) continue;
    for (const auto& [number, of] : alive) REQUIRE(Finds(table, range, number, of));
  }
}

TEST_CASE("a search has an end when half of all numbers have passed since every bucket was full") {
  constexpr uint32_t kFirstHash = 0, kLastHash = 0xFFFFFFFFu;
  IdTable table;
  NumberRange alive;
  // More than a bucket has places for, first of the one, then of the other of two.
  for (const uint32_t hash : {kFirstHash, kLastHash}) {
    alive.first = alive.end;
    for (; alive.size() < 8; ++alive.end) table.Insert(hash, alive.end, alive, alive.size());
  }
  for (uint32_t quarter = 1; quarter < 4; ++quarter) {
    const uint32_t number = quarter << 30;
    table.Insert(kFirstHash, number, {number, number}, 0);
    int asked = 0;
    const auto found = table.Find(kFirstHash, {number, number + 1}, [&](uint32_t candidate) {
      CHECK(candidate == number);
      return ++asked == 3;  // Or it would have no end.
    });
    CHECK_FALSE(found.has_value());
    CHECK(asked == 1);
  }
}

TEST_CASE("a number that comes round is not found by the hash of the one it was before") {
  constexpr uint32_t kBefore = 1, kNow = 2;
  IdTable table;
  for (uint32_t number = 0; number < 4; ++number) {
    table.Insert(kBefore, number, {0, number}, number);
  }
  // Each of these forgets all before it.
  const auto insert = [&table](uint32_t number) {
    table.Insert(kNow, number, {number, number}, 0);
  };
  for (uint32_t quarter = 1; quarter < 4; ++quarter) insert(quarter << 30);
  for (uint32_t number = 0; number < 4; ++number) {
    insert(number);
    CHECK_FALSE(Finds(table, {number, number + 1}, number, kBefore));
    CHECK(Finds(table, {number, number + 1}, number, kNow));
  }
}

TEST_CASE("a table has nothing of numbers behind those that are alive") {
  IdTable table;
  CHECK_FALSE(Finds(table, {}, 0, 0));
  for (uint32_t number = 0; number < 100; ++number) {
    table.Insert(number << 24, number, {0, number}, number);
  }
  for (uint32_t number = 0; number < 100; ++number) {
    CHECK(Finds(table, {60, 100}, number, number << 24) == (number >= 60));
  }
}

TEST_CASE("a lookup ends also where each bucket has sent on what is alive") {
  // Of two buckets the second one.
  constexpr uint32_t kSecond = 1u << 31;
  IdTable table;
  for (uint32_t number = 0; number < 8; ++number) table.Insert(0, number, {0, number}, number);
  for (uint32_t number = 8; number < 15; ++number) {
    table.Insert(kSecond, number, {7, number}, number - 7);
  }
  const NumberRange alive{7, 15};
  int asked = 0;
  const auto found = table.Find(0, alive, [&asked](uint32_t) {
    REQUIRE(++asked < 100);
    return false;
  });
  CHECK_FALSE(found.has_value());
  for (uint32_t number = 7; number < 15; ++number) {
    CHECK(Finds(table, alive, number, number == 7 ? 0 : kSecond));
  }
}

}  // namespace
}  // namespace acta
