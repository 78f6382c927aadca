#include "storage/rocks/wal_scan.h"

#include <rocksdb/file_system.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "storage/base/bytes.h"
#include "storage/base/crc32c.h"
#include "storage/base/status_macros.h"
#include "storage/rocks/rocks_status.h"
#include "storage/rocks/store_file_system.h"
#include "storage/rocks/write_group.h"

namespace acta {
namespace {

// A log file is a row of blocks, a block a row of fragments: masked CRC32C of type and bytes u32,
// length u16, type u8, bytes. No fragment crosses a block. A record is one whole fragment, or a
// first, any middle and a last one.
constexpr size_t kBlockBytes = 32768;
constexpr size_t kFragmentHead = 7;
enum FragmentType : uint8_t { kWhole = 1, kFirst = 2, kMiddle = 3, kLast = 4 };

uint32_t Masked(uint32_t crc) { return ((crc >> 15) | (crc << 17)) + 0xa282ead8U; }

// Of a write batch: sequence u64, count u32, then the operations, of which our mark is the first.
bool MarkOf(absl::string_view record, GroupMark* mark) {
  constexpr size_t kBatchHead = 12;
  constexpr char kLogData = 3;
  constexpr char kMarkBytes = 16;
  if (record.size() < kBatchHead + 2 + kMarkBytes || record[kBatchHead] != kLogData ||
      record[kBatchHead + 1] != kMarkBytes) {
    return false;
  }
  return DecodeGroupMark(record.substr(kBatchHead + 2, kMarkBytes), mark);
}

// Puts fragments together and hands out the mark of every record that is whole.
class RecordMarks {
 public:
  using Visit = std::function<void(const GroupMark&)>;
  explicit RecordMarks(Visit visit) : visit_(std::move(visit)) {}

  void AddBlock(absl::string_view block) {
    while (block.size() >= kFragmentHead) {
      const size_t length = GetLittle<uint16_t>(block.data() + 4);
      if (length > block.size() - kFragmentHead) break;
      const absl::string_view covered = block.substr(6, length + 1);
      if (Masked(Crc32c(covered)) == GetLittle<uint32_t>(block.data())) {
        AddFragment(static_cast<uint8_t>(covered[0]), covered.substr(1));
      } else {
        begun_ = false;
      }
      block.remove_prefix(kFragmentHead + length);
    }
    // Fewer bytes than a head are padding; more are of a fragment that is not whole.
    if (block.size() >= kFragmentHead) begun_ = false;
  }

 private:
  void AddFragment(uint8_t type, absl::string_view bytes) {
    if (type == kWhole || type == kFirst) begun_ = MarkOf(bytes, &mark_);
    if (begun_ && (type == kWhole || type == kLast)) visit_(mark_);
    if (type != kFirst && type != kMiddle) begun_ = false;
  }

  const Visit visit_;
  bool begun_ = false;  // With mark_ read and nothing missing so far.
  GroupMark mark_;
};

absl::Status WalkMarks(rocksdb::FileSystem& files, const std::string& path,
                       const RecordMarks::Visit& visit) {
  std::unique_ptr<rocksdb::FSSequentialFile> file;
  RETURN_IF_ERROR(FromRocks(files.NewSequentialFile(path, rocksdb::FileOptions(), &file, nullptr)));
  RecordMarks marks(visit);
  std::string buffer(kBlockBytes, '\0');
  for (;;) {
    rocksdb::Slice block;
    RETURN_IF_ERROR(
        FromRocks(file->Read(kBlockBytes, rocksdb::IOOptions(), &block, buffer.data(), nullptr)));
    marks.AddBlock({block.data(), block.size()});
    if (block.size() < kBlockBytes) return absl::OkStatus();
  }
}

}  // namespace

absl::StatusOr<std::string> FindUnreachedGroup(rocksdb::FileSystem& files,
                                               const std::string& folder, Incarnation incarnation,
                                               GroupNumber recovered) {
  std::vector<std::string> names;
  RETURN_IF_ERROR(FromRocks(files.GetChildren(folder, rocksdb::IOOptions(), &names, nullptr)));
  std::erase_if(names, [](const std::string& name) { return WalNumber(name) < 0; });
  // Newest first: groups rise from file to file, so nothing new is before one that recovery had.
  std::sort(names.begin(), names.end(),
            [](const std::string& a, const std::string& b) { return WalNumber(a) > WalNumber(b); });
  std::string found;
  for (const std::string& name : names) {
    bool reached = false;
    RETURN_IF_ERROR(WalkMarks(files, absl::StrCat(folder, "/", name), [&](const GroupMark& mark) {
      reached |= mark.group <= recovered || mark.incarnation < incarnation;
      if (mark.group <= recovered || mark.incarnation != incarnation || !found.empty()) return;
      found = absl::StrCat("group ", mark.group.value(), " is in ", name,
                           ", but recovery ends with group ", recovered.value());
    }));
    if (reached || !found.empty()) break;
  }
  return found;
}

}  // namespace acta
