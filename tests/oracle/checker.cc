#include "tests/oracle/checker.h"

#include <algorithm>
#include <optional>
#include <tuple>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"

namespace acta::oracle {
namespace {

constexpr size_t kExamples = 5;

using Place = std::pair<int32_t, int64_t>;  // Partition and offset.

struct Extent {
  int64_t first = 0;
  int64_t end = 0;
};

std::string Text(const Value& value) { return absl::StrCat(value.process, ".", value.counter); }
std::string Text(const Place& place) { return absl::StrCat(place.first, "/", place.second); }

class Checking {
 public:
  Checking(const std::vector<Record>& history, const CheckOptions& options)
      : history_(history), options_(options) {}

  CheckReport Run() {
    Collect();
    for (const Record& record : history_) Hold(record);
    CheckKept();
    CheckExtents();
    CheckPolls();
    CheckGroups();
    return std::move(report_);
  }

 private:
  void Find(Anomaly anomaly, std::string what) {
    ++report_.counts[anomaly];
    auto& examples = report_.examples[anomaly];
    if (examples.size() < kExamples) examples.push_back(std::move(what));
  }

  // What is there in the end, and what was ever sent.
  void Collect() {
    for (const Record& record : history_) {
      const Place place(record.partition, record.offset);
      switch (record.kind) {
        case Record::Kind::kInvoke:
          sent_.insert(record.value.number());
          break;
        case Record::Kind::kFail:
          refused_.insert(record.value.number());
          break;
        case Record::Kind::kExtent:
          extents_[record.partition] = {record.offset, record.end};
          break;
        case Record::Kind::kFinal:
          kept_.emplace(place, record.value);
          if (const auto [it, first] = places_.emplace(record.value.number(), place); !first) {
            Find(Anomaly::kDuplicate,
                 absl::StrCat(Text(record.value), " at ", Text(it->second), " and ", Text(place)));
          }
          break;
        default:
          break;
      }
    }
    report_.kept = static_cast<int64_t>(kept_.size());
  }

  // Each observation of a value at a place.
  void Hold(const Record& record) {
    const Place place(record.partition, record.offset);
    switch (record.kind) {
      case Record::Kind::kOk:
        ++report_.acknowledged;
        HoldPlace(record, "acknowledged");
        if (!(options_.power_cut && record.os)) HoldKept(record, "acknowledged");
        break;
      case Record::Kind::kPoll:
        ++report_.delivered;
        HoldKnown(record);
        HoldPlace(record, "delivered");
        HoldKept(record, "delivered");
        break;
      case Record::Kind::kFinal:
        HoldKnown(record);
        HoldPlace(record, "kept");
        break;
      case Record::Kind::kAlien:
        Find(Anomaly::kAltered, absl::StrCat("at ", Text(place)));
        break;
      default:
        break;
    }
  }

  void HoldKnown(const Record& record) {
    if (!sent_.contains(record.value.number())) {
      Find(Anomaly::kAltered, absl::StrCat(Text(record.value), " was never published"));
    } else if (refused_.contains(record.value.number())) {
      Find(Anomaly::kPhantom, absl::StrCat(Text(record.value), " was refused"));
    }
  }

  void HoldPlace(const Record& record, absl::string_view how) {
    const auto key = std::make_tuple(record.partition, record.incarnation, record.offset);
    const auto [it, first] = values_.emplace(key, record.value);
    if (first || it->second == record.value) return;
    Find(Anomaly::kInconsistentOffsets,
         absl::StrCat(record.partition, "/", record.offset, " holds ", Text(it->second), ", and ",
                      Text(record.value), " was ", how, " there"));
  }

  void HoldKept(const Record& record, absl::string_view how) {
    const auto extent = extents_.find(record.partition);
    if (extent == extents_.end() || record.offset < extent->second.first) return;
    const auto it = places_.find(record.value.number());
    const Place place(record.partition, record.offset);
    if (it == places_.end()) {
      Find(Anomaly::kLostWrite,
           absl::StrCat(Text(record.value), " was ", how, " at ", Text(place)));
    } else if (it->second != place) {
      Find(Anomaly::kInconsistentOffsets,
           absl::StrCat(Text(record.value), " was ", how, " at ", Text(place), " and is at ",
                        Text(it->second)));
    }
  }

  // Retention may take more while the log is written down: what is below is no hole.
  int64_t FirstKept(int32_t partition) const {
    const auto extent = extents_.find(partition);
    return extent == extents_.end() ? 0 : extent->second.first;
  }

  // Order of each publisher, and no hole between first and end.
  void CheckKept() {
    std::vector<std::pair<Place, Value>> all(kept_.begin(), kept_.end());
    std::sort(all.begin(), all.end());
    absl::flat_hash_map<std::pair<int32_t, int32_t>, Value> newest;  // Partition, process.
    std::map<int32_t, int64_t> next;
    for (const auto& [place, value] : all) {
      const int64_t wanted = std::max(next[place.first], FirstKept(place.first));
      if (place.second > wanted) {
        Find(Anomaly::kPollSkip, absl::StrCat("nothing is kept from ", place.first, "/", wanted,
                                              " to ", place.second - 1));
      }
      next[place.first] = place.second + 1;
      Value& last = newest[{place.first, value.process}];
      if (value.counter < last.counter) {
        Find(Anomaly::kReordered,
             absl::StrCat(Text(value), " at ", Text(place), " behind ", Text(last)));
      }
      last = std::max(last, value);
    }
    for (const auto& [partition, extent] : extents_) {
      const int64_t wanted = std::max(next[partition], extent.first);
      if (wanted < extent.end) {
        Find(Anomaly::kPollSkip,
             absl::StrCat("nothing is kept from ", partition, "/", wanted, " to ", extent.end - 1));
      }
    }
  }

  // Retention takes from the front and an end only grows, whatever happens to the broker.
  void CheckExtents() {
    std::vector<const Record*> told;
    for (const Record& record : history_) {
      const bool extent =
          record.kind == Record::Kind::kSpan || record.kind == Record::Kind::kExtent;
      if (extent) told.push_back(&record);
    }
    std::stable_sort(told.begin(), told.end(),
                     [](const Record* a, const Record* b) { return a->time_ns < b->time_ns; });
    std::map<int32_t, Extent> last;
    for (const Record* record : told) {
      Extent& before = last[record->partition];
      if (record->offset < before.first || record->end < before.end) {
        Find(Anomaly::kMovedBack,
             absl::StrCat("partition ", record->partition, " was told to go from ", before.first,
                          " to ", before.end, ", and then from ", record->offset, " to ",
                          record->end));
      }
      before = {record->offset, record->end};
    }
  }

  // Within a session, and as long as a group's member (session 0) has a partition, positions rise
  // by one.
  void CheckPolls() {
    struct Position {
      int64_t offset = -1;
      bool read = false;  // Else it is the one before where it starts.
    };
    std::map<std::tuple<int32_t, int32_t, int32_t>, Position> last;
    for (const Record& record : history_) {
      Position& before = last[{record.reader, record.session, record.partition}];
      if (record.kind == Record::Kind::kAssigned) before = {record.offset - 1, false};
      if (record.kind != Record::Kind::kPoll && record.kind != Record::Kind::kAlien) continue;
      const std::string at = absl::StrCat("reader ", record.reader, " at ", record.partition, "/",
                                          record.offset, " behind ", before.offset);
      if (record.offset <= before.offset) Find(Anomaly::kNonmonotonicPoll, at);
      if (before.read && record.offset > before.offset + 1) Find(Anomaly::kPollSkip, at);
      before = {record.offset, true};
    }
  }

  void CheckGroups() {
    std::vector<const Record*> moves;
    absl::flat_hash_set<Place> seen;
    for (const Record& record : history_) {
      if (record.kind == Record::Kind::kAssigned || record.kind == Record::Kind::kCommitted) {
        moves.push_back(&record);
      } else if (record.session == 0 &&
                 (record.kind == Record::Kind::kPoll || record.kind == Record::Kind::kAlien)) {
        seen.emplace(record.partition, record.offset);
      }
    }
    std::stable_sort(moves.begin(), moves.end(),
                     [](const Record* a, const Record* b) { return a->time_ns < b->time_ns; });
    std::map<int32_t, int64_t> committed;
    for (const Record* move : moves) {
      int64_t& position = committed[move->partition];
      if (move->kind == Record::Kind::kCommitted) {
        position = std::max(position, move->offset);
      } else if (move->offset < position) {
        Find(Anomaly::kLostCommit,
             absl::StrCat("a member starts at ", move->partition, "/", move->offset, ", and ",
                          position, " was confirmed"));
      }
    }
    for (const auto& [place, value] : kept_) {
      const auto position = committed.find(place.first);
      if (position == committed.end() || place.second >= position->second) continue;
      if (!seen.contains(place)) {
        Find(Anomaly::kUnseen, absl::StrCat(Text(value), " at ", Text(place)));
      }
    }
  }

  const std::vector<Record>& history_;
  const CheckOptions options_;
  CheckReport report_;
  absl::flat_hash_set<uint64_t> sent_;
  absl::flat_hash_set<uint64_t> refused_;
  std::map<int32_t, Extent> extents_;
  absl::flat_hash_map<Place, Value> kept_;
  absl::flat_hash_map<uint64_t, Place> places_;
  absl::flat_hash_map<std::tuple<int32_t, int64_t, int64_t>, Value> values_;
};

}  // namespace

std::string AnomalyName(Anomaly anomaly) {
  switch (anomaly) {
    case Anomaly::kLostWrite:
      return "lost-write";
    case Anomaly::kDuplicate:
      return "duplicate";
    case Anomaly::kInconsistentOffsets:
      return "inconsistent-offsets";
    case Anomaly::kNonmonotonicPoll:
      return "nonmonotonic-poll";
    case Anomaly::kPollSkip:
      return "poll-skip";
    case Anomaly::kUnseen:
      return "unseen";
    case Anomaly::kReordered:
      return "reordered";
    case Anomaly::kAltered:
      return "altered";
    case Anomaly::kPhantom:
      return "phantom";
    case Anomaly::kLostCommit:
      return "lost-commit";
    case Anomaly::kMovedBack:
      return "moved-back";
  }
  return "unknown";
}

CheckReport Check(const std::vector<Record>& history, const CheckOptions& options) {
  return Checking(history, options).Run();
}

}  // namespace acta::oracle
