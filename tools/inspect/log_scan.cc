#include "tools/inspect/log_scan.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "proto/support/wire.h"
#include "storage/base/crc32c.h"
#include "storage/layout/batch_header.h"

namespace acta::inspect {
namespace {

constexpr size_t kReadahead = 2 << 20;

class Progress {
 public:
  explicit Progress(int64_t total) : total_(total), shown_(isatty(STDERR_FILENO) != 0) {}
  ~Progress() {
    if (shown_ && next_ > 0) std::fputs("\r\033[K", stderr);
  }
  void Add(size_t bytes) {
    done_ += static_cast<int64_t>(bytes);
    if (!shown_ || done_ < next_) return;
    next_ = done_ + (int64_t{32} << 20);
    std::fprintf(stderr, "\r%lld of about %lld MiB", static_cast<long long>(done_ >> 20),
                 static_cast<long long>(std::max(total_, done_) >> 20));
  }

 private:
  const int64_t total_;
  const bool shown_;
  int64_t done_ = 0;
  int64_t next_ = 0;
};

class Scanner {
 public:
  Scanner(const DataFolder& folder, bool payloads) : folder_(folder), payloads_(payloads) {}

  LogScan Run() {
    int64_t total = 0;
    for (const SliceFamily& slice : folder_.slices) {
      total += folder_.rocks->FamilyBytes(slice.family);
    }
    Progress progress(total);
    for (const SliceFamily& slice : folder_.slices) ScanSlice(slice, &progress);
    for (auto& [partition, pieces] : scan_.pieces) {
      std::stable_sort(pieces.begin(), pieces.end(),
                       [](const Piece& a, const Piece& b) { return a.first < b.first; });
    }
    return std::move(scan_);
  }

 private:
  void ScanSlice(const SliceFamily& slice, Progress* progress) {
    std::string reached = "its beginning";
    const auto cursor = folder_.rocks->NewCursor(slice.family, kReadahead);
    for (cursor->Seek(""); cursor->Valid(); cursor->Next()) {
      progress->Add(cursor->value().size());
      const auto key = DecodeLogKey(cursor->key());
      if (!key.ok()) {
        scan_.findings.push_back({absl::StrCat("slice ", slice.id), std::nullopt, std::nullopt,
                                  std::string(key.status().message())});
        continue;
      }
      reached = absl::StrCat(folder_.NameOf(key->partition), " offset ", key->last.value());
      ScanBatch(slice, *key, cursor->value());
    }
    if (!cursor->status().ok()) {
      scan_.findings.push_back(
          {absl::StrCat("slice ", slice.id), std::nullopt, std::nullopt,
           absl::StrCat("cannot be read beyond ", reached, ": ", cursor->status().message())});
    }
  }

  void ScanBatch(const SliceFamily& slice, const LogKeyParts& key, absl::string_view value) {
    const auto header = DecodeBatchHeader(value);
    if (!header.ok() || header->partition != key.partition || header->last() != key.last) {
      Report(key.partition, key.last, key.last,
             header.ok() ? "the header of the batch is of another one"
                         : std::string(header.status().message()));
      return;
    }
    ++scan_.batches;
    scan_.payload_bytes += header->payload_len;
    if (header->group > folder_.rocks->recovered().last()) {
      Report(key.partition, header->base_offset, key.last, "written by a group after the last");
    }
    if (payloads_) CheckPayload(*header, PayloadOf(*header, value));
    AddToPiece(slice, *header);
  }

  void CheckPayload(const BatchHeader& header, absl::string_view payload) {
    if (Crc32c(payload) != header.payload_crc32c) {
      Report(header.partition, header.base_offset, header.last(), "payload checksum differs");
    } else if (EventElements::Count(payload) != header.count) {
      Report(header.partition, header.base_offset, header.last(),
             "the payload has another number of events than the header says");
    }
  }

  void AddToPiece(const SliceFamily& slice, const BatchHeader& header) {
    std::vector<Piece>& pieces = scan_.pieces[header.partition];
    const uint64_t begin = header.end_bytes - header.payload_len;
    if (pieces.empty() || pieces.back().slice != slice.id ||
        pieces.back().last + 1 != header.base_offset) {
      pieces.push_back({slice.id, header.base_offset, header.last(), 0, begin, begin,
                        header.append_time_us, header.append_time_us});
    }
    Piece& piece = pieces.back();
    if (piece.end_bytes != begin) {
      Report(header.partition, header.base_offset, header.last(),
             "payload bytes of the partition do not follow those before");
    }
    if (header.append_time_us < piece.last_time_us) {
      Report(header.partition, header.base_offset, header.last(), "append time goes back");
    }
    piece.last = header.last();
    piece.end_bytes = header.end_bytes;
    piece.last_time_us = header.append_time_us;
    // Batches below the first offset are gone for readers, and wait for their slice to be dropped.
    const auto partition = folder_.partitions.find(header.partition);
    const Offset first(partition == folder_.partitions.end() ? 0
                                                             : partition->second.first_offset());
    if (header.last() >= first) ++piece.batches;
  }

  void Report(PartitionId partition, Offset first, Offset last, std::string problem) {
    scan_.findings.push_back({folder_.NameOf(partition), first, last, std::move(problem)});
  }

  const DataFolder& folder_;
  const bool payloads_;
  LogScan scan_;
};

}  // namespace

LogScan ScanLog(const DataFolder& folder, bool payloads) { return Scanner(folder, payloads).Run(); }

}  // namespace acta::inspect
