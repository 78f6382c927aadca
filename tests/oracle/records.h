#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/base/mutex.h"
#include "tests/oracle/queue_records.h"
#include "tests/oracle/value.h"

namespace acta::oracle {

// One line of a history: what a client did, was told, or saw. Which fields count depends on `kind`.
struct Record {
  enum class Kind : uint8_t {
    kInvoke,     // value, partition: about to be published.
    kOk,         // value, partition, offset, incarnation, os: acknowledged.
    kFail,       // value: refused, not stored.
    kInfo,       // value: nobody knows.
    kPoll,       // reader, session, partition, offset, incarnation, value: delivered.
    kAlien,      // reader, session, partition, offset, incarnation: delivered, and nobody's value.
    kAssigned,   // reader, partition, offset: a group's member starts here.
    kCommitted,  // reader, partition, offset: a group's position, confirmed.
    kFinal,      // partition, offset, incarnation, value: what is there in the end.
    kExtent,     // partition, offset (first kept), end: in the end.
    kJoined,     // reader: the broker has let a life of a group's member begin.
    kLeft,       // reader: such a life has ended.
    kSpan,       // partition, offset (first kept), end: told while the load goes on.
  };
  Kind kind = Kind::kInvoke;
  int64_t time_ns = 0;  // Of one steady clock.
  Value value;
  int32_t reader = 0;
  int32_t session = 0;  // Of a reader without a group: positions rise by one within it.
  int32_t partition = 0;
  int64_t offset = 0;
  int64_t end = 0;
  int64_t incarnation = 0;
  bool os = false;  // Acknowledged at level OS only.

  friend bool operator==(const Record&, const Record&) = default;
};

// Appends lines to one file. Threads: any.
class RecordFile {
 public:
  static absl::StatusOr<std::unique_ptr<RecordFile>> Create(const std::string& path);
  ~RecordFile();
  RecordFile(const RecordFile&) = delete;
  RecordFile& operator=(const RecordFile&) = delete;

  // Fills in the time. `durable`: on disk when it returns, with all lines before.
  void Write(std::vector<Record> records, bool durable);
  void Write(std::vector<QueueRecord> records, bool durable);

 private:
  explicit RecordFile(int file) : file_(file) {}
  void Append(const std::string& lines, bool durable) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const int file_;
  Mutex mu_;  // Held over the write, so that lines are whole and in the order of their times.
};

std::string FormatRecord(const Record& record);
// Errors: INVALID_ARGUMENT.
absl::StatusOr<Record> ParseRecord(absl::string_view line);
// All files *.history of a folder, each in its order, one after the other.
absl::StatusOr<std::vector<Record>> ReadHistory(const std::string& folder);

}  // namespace acta::oracle
