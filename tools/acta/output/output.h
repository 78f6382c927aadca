#pragma once

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "tools/acta/output/table.h"

namespace google::protobuf {
class Message;
}

namespace acta::cli {

// Where results go: the command does not know whether people or programs read them.
//
// Threads: one. Errors: what writing reports, such as a closed pipe.
class Output {
 public:
  virtual ~Output() = default;
  // One result: `table` for people and spreadsheets, `messages` for programs (one document with the
  // fields of all).
  virtual absl::Status Print(const std::vector<const google::protobuf::Message*>& messages,
                             const Table& table) = 0;
  // A result that has no message of its own: the table's columns are the fields.
  virtual absl::Status PrintRows(const Table& table) = 0;
};

// "table", "json" or "csv"; `file` is borrowed. Errors: usage.
absl::StatusOr<std::unique_ptr<Output>> MakeOutput(absl::string_view format, FILE* file);

// Writes all of it and flushes: what was printed is out before the caller goes on. A signal that is
// handled does not cut it short. Errors: also OutputClosedError().
absl::Status WriteAll(FILE* file, absl::string_view text);

// The values as a line of CSV (RFC 4180) that ends with a line feed.
std::string CsvLine(const std::vector<std::string>& values);

// The proto's JSON mapping with every plain field; `messages` merged into one object, which has of
// fields of one name the last. Errors: one of them has a time or duration that JSON does not know.
absl::StatusOr<std::string> MergedJson(
    const std::vector<const google::protobuf::Message*>& messages);

}  // namespace acta::cli
