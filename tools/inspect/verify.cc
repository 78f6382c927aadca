#include <algorithm>

#include "absl/strings/str_cat.h"
#include "storage/log/folder.h"
#include "tools/inspect/commands.h"
#include "tools/inspect/log_scan.h"

namespace acta::inspect {
namespace {

class Verification {
 public:
  explicit Verification(const DataFolder& folder)
      : folder_(folder), scan_(ScanLog(folder, true)), findings_(std::move(scan_.findings)) {
    for (const std::string& damage : folder.damage) Find("rows", damage);
    CheckWitness();
    CheckSlices();
    for (const auto& [partition, pieces] : scan_.pieces) CheckPartition(partition, pieces);
    for (const Position& position : folder.positions) CheckPosition(position);
  }

  const LogScan& scan() const { return scan_; }
  const std::vector<Finding>& findings() const { return findings_; }

 private:
  void Find(std::string where, std::string problem) {
    findings_.push_back({std::move(where), std::nullopt, std::nullopt, std::move(problem)});
  }

  // What a start would look at, and would refuse.
  void CheckWitness() {
    const RecoveredStore& recovered = folder_.rocks->recovered();
    CheckHole();
    if (recovered.first_replayed.has_value() &&
        recovered.first_replayed->value() > recovered.max_in_tables.value() + 1) {
      Find("write-ahead log",
           absl::StrCat("begins with group ", recovered.first_replayed->value(),
                        ", but table files end with group ", recovered.max_in_tables.value()));
    }
    if (recovered.last_replayed.has_value() && recovered.max_in_tables > *recovered.last_replayed) {
      Find("write-ahead log",
           absl::StrCat("ends with group ", recovered.last_replayed->value(),
                        ", but table files reach group ", recovered.max_in_tables.value()));
    }
    for (const uint64_t number : folder_.missing_wals) {
      Find("write-ahead log", absl::StrCat("file ", number, " is missing"));
    }
    if (!folder_.witness.has_value()) {
      Find("witness", "the file is missing, or neither of its records can be read");
      return;
    }
    if (folder_.witness->store_id != folder_.store.store_id()) {
      Find("witness", "the file belongs to another store");
    }
    if (recovered.last() < folder_.witness->synced_group) {
      Find("witness",
           absl::StrCat("group ", folder_.witness->synced_group.value(),
                        " was synced, but the log ends with group ", recovered.last().value()));
    }
  }

  void CheckHole() {
    if (PowerWasCut()) return;
    std::string hole = folder_.rocks->recovered().hole;
    if (hole.empty() && folder_.witness.has_value() && !folder_.witness->clean) {
      const auto unreached = folder_.rocks->FindUnreached(Incarnation(folder_.store.incarnation()));
      hole = unreached.ok() ? *unreached : std::string(unreached.status().message());
    }
    if (!hole.empty()) Find("write-ahead log", hole);
  }

  // Then the unsynced end of an older log file may be gone and a newer one be there.
  bool PowerWasCut() const {
    return folder_.witness.has_value() && !folder_.witness->clean &&
           MayBeAnotherBoot(folder_.witness->boot_id, KernelBootId());
  }

  // A closed slice holds what its record says.
  void CheckSlices() {
    for (const SliceFamily& slice : folder_.slices) {
      if (!slice.record.has_value()) continue;
      for (const storage::v1::SlicePartition& said : slice.record->partitions()) {
        const PartitionId partition(said.partition_id());
        Offset next(said.first_offset());
        if (const auto at = scan_.pieces.find(partition); at != scan_.pieces.end()) {
          for (const Piece& piece : at->second) {
            if (piece.slice == slice.id && piece.first == next) next = piece.last + 1;
          }
        }
        if (next == Offset(said.last_offset()) + 1) continue;
        findings_.push_back({folder_.NameOf(partition), next, Offset(said.last_offset()),
                             absl::StrCat("slice ", slice.id, " does not hold them")});
      }
    }
  }

  // From the first offset on every event is there once.
  void CheckPartition(PartitionId partition, const std::vector<Piece>& pieces) {
    // What is left of a deleted topic goes with its slices.
    if (!folder_.topics.contains(partition.topic())) return;
    Offset next;
    if (const auto record = folder_.partitions.find(partition);
        record != folder_.partitions.end()) {
      next = Offset(record->second.first_offset());
    }
    const Piece* before = nullptr;
    for (const Piece& piece : pieces) {
      if (before != nullptr && piece.first <= before->last) {
        findings_.push_back({folder_.NameOf(partition), piece.first, before->last, "stored twice"});
      } else if (piece.first > next) {
        findings_.push_back(
            {folder_.NameOf(partition), next, piece.first + -1, "events are missing"});
      } else if (before != nullptr && piece.first == before->last + 1 &&
                 piece.begin_bytes != before->end_bytes) {
        findings_.push_back({folder_.NameOf(partition), piece.first, piece.last,
                             "payload bytes do not follow those of the slice before"});
      }
      next = std::max(next, piece.last + 1);
      before = &piece;
    }
  }

  Offset EndOf(PartitionId partition) const {
    Offset end;
    if (const auto record = folder_.partitions.find(partition);
        record != folder_.partitions.end()) {
      end = Offset(record->second.first_offset());
    }
    if (const auto pieces = scan_.pieces.find(partition); pieces != scan_.pieces.end()) {
      for (const Piece& piece : pieces->second) end = std::max(end, piece.last + 1);
    }
    return end;
  }

  void CheckPosition(const Position& position) {
    const auto group = folder_.groups.find(position.group);
    // Rows of what was deleted stay without harm.
    if (group == folder_.groups.end() || !folder_.topics.contains(position.partition.topic())) {
      return;
    }
    const Offset offset(position.record.offset());
    const Offset end = EndOf(position.partition);
    // Of an earlier life of the log it may lie in a tail that was lost: its reader is told.
    const bool current = position.record.incarnation() == folder_.store.incarnation();
    if (offset >= Offset(0) && (offset <= end || !current)) return;
    Find(absl::StrCat("group ", group->second.tenant, "/", group->second.name),
         absl::StrCat("position ", offset.value(), " of ", folder_.NameOf(position.partition),
                      ", which ends at ", end.value()));
  }

  const DataFolder& folder_;
  LogScan scan_;
  std::vector<Finding> findings_;
};

Json FindingJson(const Finding& finding) {
  Json json;
  json["where"] = finding.where;
  if (finding.first.has_value()) json["first_offset"] = finding.first->value();
  if (finding.last.has_value()) json["last_offset"] = finding.last->value();
  json["problem"] = finding.problem;
  return json;
}

std::string FindingText(const Finding& finding) {
  std::string offsets;
  if (finding.first.has_value()) {
    offsets = absl::StrCat(" events ", finding.first->value(), "-", finding.last->value());
  }
  return absl::StrCat(finding.where, offsets, ": ", finding.problem);
}

}  // namespace

bool Verify(const DataFolder& folder, Format format, std::ostream& out) {
  const Verification verification(folder);
  const LogScan& scan = verification.scan();
  if (format == Format::kJson) {
    Json json;
    json["batches"] = scan.batches;
    json["payload_bytes"] = scan.payload_bytes;
    json["slices"] = folder.slices.size();
    json["positions"] = folder.positions.size();
    json["findings"] = Json::array();
    for (const Finding& finding : verification.findings()) {
      json["findings"].push_back(FindingJson(finding));
    }
    out << JsonText(json) << '\n';
  } else {
    for (const Finding& finding : verification.findings()) out << FindingText(finding) << '\n';
    out << scan.batches << " batches (" << scan.payload_bytes << " payload bytes), "
        << folder.slices.size() << " slices, " << folder.positions.size()
        << " positions: " << verification.findings().size() << " problems\n";
  }
  return verification.findings().empty();
}

}  // namespace acta::inspect
