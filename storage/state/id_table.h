#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/base/attributes.h"

namespace acta {

// Numbers first to end - 1, those that are alive. They wrap; there are fewer than half of all.
struct NumberRange {
  uint32_t first = 0;
  uint32_t end = 0;

  bool Has(uint32_t number) const { return number - first < size(); }
  // It may also be one that was given out and taken back.
  bool HasOrWillHave(uint32_t number) const { return static_cast<int32_t>(number - first) >= 0; }
  uint32_t size() const { return end - first; }
};

// Finds numbers by a hash of 32 bits that is no less random in its upper bits than in others.
//
// A number has to be taken out by nobody: once it is behind the range of those that are alive, its
// place is free. So what is forgotten costs nothing, and a lookup or an insertion is one miss of
// the CPU's cache: a bucket is one line of it, seven numbers with their hashes. A bucket that is
// full sends what comes to the next one, and remembers the newest it sent: as long as that is
// alive, a lookup has to go there too (Knuth, "Sorting and Searching", 6.4, on buckets; forgetting
// by age is ours). It grows by half when three of four places are taken: 13 to 19 bytes a number.
//
// Threads: one.
class IdTable {
 public:
  // A lookup that follows some others later finds its memory in the CPU's cache. Inlined always:
  // GCC takes a function that does nothing else for one without effect, and leaves its calls out.
  ABSL_ATTRIBUTE_ALWAYS_INLINE void Prefetch(uint32_t hash) const {
    if (!buckets_.empty()) __builtin_prefetch(&buckets_[Home(hash)], 1);
  }

  // The number alive with this hash that `is` the wanted one.
  template <typename Is>
  std::optional<uint32_t> Find(uint32_t hash, NumberRange alive, const Is& is) const {
    if (buckets_.empty()) return std::nullopt;
    const size_t home = Home(hash);
    size_t at = home;
    do {
      const Bucket& bucket = buckets_[at];
      for (size_t place = 0; place < kPlaces; ++place) {
        if (bucket.hashes[place] != hash) continue;
        const uint32_t number = bucket.numbers[place];
        if (bucket.Taken(place, alive) && is(number)) return number;
      }
      if (!bucket.SendsOn(alive)) return std::nullopt;
      at = Next(at);
    } while (at != home);  // Each bucket of a small table may have sent one on.
    return std::nullopt;
  }

  // The number is the newest of those alive, and `taken` places are taken without it at most.
  void Insert(uint32_t hash, uint32_t number, NumberRange alive, uint32_t taken);
  // Gives memory back when hardly any of what it has is used.
  void GiveBack(NumberRange alive, uint32_t taken);
  // Frees the place of a number alive.
  void Erase(uint32_t hash, uint32_t number, NumberRange alive);

 private:
  static constexpr size_t kPlaces = 7;
  // After so many numbers at the latest the table is made anew. A place keeps a number that is
  // forgotten, and a bucket `sent`, until another one comes there; when numbers have come round to
  // them they would count again: `sent` when half of all have passed, and where every bucket has
  // such a one each search goes through the whole table.
  static constexpr uint32_t kMadeAnew = 1u << 30;

  struct alignas(64) Bucket {
    std::array<uint32_t, kPlaces> hashes;
    uint32_t used;  // A bit for each place that ever had a number; kSent: so has `sent`.
    std::array<uint32_t, kPlaces> numbers;
    uint32_t sent;  // The newest number for which there was no place.

    bool Taken(size_t place, NumberRange alive) const {
      return (used >> place & 1) != 0 && alive.Has(numbers[place]);
    }
    bool SendsOn(NumberRange alive) const {
      return (used & kSent) != 0 && alive.HasOrWillHave(sent);
    }
  };
  static constexpr uint32_t kSent = 1u << kPlaces;
  static_assert(sizeof(Bucket) == 64);

  size_t Home(uint32_t hash) const { return uint64_t{hash} * buckets_.size() >> 32; }
  size_t Next(size_t at) const { return at + 1 == buckets_.size() ? 0 : at + 1; }
  void Put(uint32_t hash, uint32_t number, NumberRange alive);
  void Resize(size_t buckets, NumberRange alive);

  std::vector<Bucket> buckets_;
};

}  // namespace acta
