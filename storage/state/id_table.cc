#include "storage/state/id_table.h"

namespace acta {

void IdTable::Insert(uint32_t hash, uint32_t number, NumberRange alive, uint32_t taken) {
  if (uint64_t{taken} + 1 > buckets_.size() * kPlaces * 3 / 4) {
    Resize(buckets_.size() + buckets_.size() / 2 + 1, alive);
  } else if (number % kMadeAnew == 0) {
    Resize(buckets_.size(), alive);
  }
  Put(hash, number, alive);
}

void IdTable::GiveBack(NumberRange alive, uint32_t taken) {
  // Made anew it is half full: half of them have to go before it is made anew once more.
  constexpr size_t kFewBuckets = 512;
  if (buckets_.size() <= kFewBuckets || taken >= buckets_.size() * kPlaces / 4) return;
  Resize(taken * 2 / kPlaces + 1, alive);
}

void IdTable::Put(uint32_t hash, uint32_t number, NumberRange alive) {
  for (size_t at = Home(hash);; at = Next(at)) {
    Bucket& bucket = buckets_[at];
    for (size_t place = 0; place < kPlaces; ++place) {
      if (bucket.Taken(place, alive)) continue;
      bucket.hashes[place] = hash;
      bucket.numbers[place] = number;
      bucket.used |= 1u << place;
      return;
    }
    // When the table grows, they come in no order.
    if (!bucket.SendsOn(alive) || number - alive.first > bucket.sent - alive.first) {
      bucket.sent = number;
      bucket.used |= kSent;
    }
  }
}

void IdTable::Erase(uint32_t hash, uint32_t number, NumberRange alive) {
  if (buckets_.empty()) return;
  for (size_t at = Home(hash);; at = Next(at)) {
    Bucket& bucket = buckets_[at];
    for (size_t place = 0; place < kPlaces; ++place) {
      if (!bucket.Taken(place, alive) || bucket.numbers[place] != number) continue;
      bucket.used &= ~(1u << place);
      return;
    }
    if (!bucket.SendsOn(alive)) return;
  }
}

void IdTable::Resize(size_t buckets, NumberRange alive) {
  std::vector<Bucket> before(buckets);
  before.swap(buckets_);
  for (const Bucket& bucket : before) {
    for (size_t place = 0; place < kPlaces; ++place) {
      if (bucket.Taken(place, alive)) Put(bucket.hashes[place], bucket.numbers[place], alive);
    }
  }
}

}  // namespace acta
