#pragma once

#include <compare>
#include <cstdint>
#include <utility>

namespace acta {

// An integer that only mixes with its own kind. `Tag` is never defined.
template <typename Tag, typename Rep>
class StrongInt {
 public:
  using Representation = Rep;

  constexpr StrongInt() = default;
  constexpr explicit StrongInt(Rep value) : value_(value) {}
  constexpr Rep value() const { return value_; }
  friend constexpr auto operator<=>(StrongInt, StrongInt) = default;
  template <typename H>
  friend H AbslHashValue(H hash, StrongInt id) {
    return H::combine(std::move(hash), id.value_);
  }

 private:
  Rep value_{};
};

// Position of one event in one partition, from 0. "End" offsets are one past the newest.
using Offset = StrongInt<struct OffsetTag, int64_t>;
// The life of the log a position belongs to.
using Incarnation = StrongInt<struct IncarnationTag, uint32_t>;
// A backup that was restored goes on so many lives later, at least.
inline constexpr uint32_t kLivesLeftOut = 65'536;
// u48, from one counter, never used again.
using TopicId = StrongInt<struct TopicIdTag, uint64_t>;
using GroupId = StrongInt<struct GroupIdTag, uint64_t>;
// One write of the daemon: every commit group has the number after the one before it.
using GroupNumber = StrongInt<struct GroupNumberTag, uint64_t>;

constexpr Offset operator+(Offset offset, int64_t count) { return Offset(offset.value() + count); }

// Events the group has still to process. `committed` is the next offset to read and `end` is one
// past the newest event, so a group that has read everything has lag 0.
constexpr int64_t Lag(Offset committed, Offset end) { return end.value() - committed.value(); }

// A partition of a topic, daemon-wide: topic id (u48) << 16 | partition number.
class PartitionId {
 public:
  constexpr PartitionId() = default;
  constexpr explicit PartitionId(uint64_t value) : value_(value) {}
  constexpr PartitionId(TopicId topic, int32_t partition)
      : value_(topic.value() << 16 | static_cast<uint16_t>(partition)) {}
  constexpr uint64_t value() const { return value_; }
  constexpr TopicId topic() const { return TopicId(value_ >> 16); }
  constexpr int32_t partition() const { return static_cast<int32_t>(value_ & 0xffff); }
  friend constexpr auto operator<=>(PartitionId, PartitionId) = default;
  template <typename H>
  friend H AbslHashValue(H hash, PartitionId id) {
    return H::combine(std::move(hash), id.value_);
  }

 private:
  uint64_t value_ = 0;
};

}  // namespace acta
