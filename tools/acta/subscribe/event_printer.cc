#include "tools/acta/subscribe/event_printer.h"

#include <cstdio>

#include "storage/base/status_macros.h"
#include "tools/acta/output/output.h"

namespace acta::cli {
namespace {

constexpr size_t kWriteBytes = 256 << 10;

}  // namespace

absl::Status EventPrinter::Add(absl::string_view text, const std::string& topic, int32_t partition,
                               int64_t next_offset) {
  text_.append(text.data(), text.size());
  positions_[{topic, partition}] = next_offset;
  return text_.size() < kWriteBytes ? absl::OkStatus() : Flush();
}

absl::Status EventPrinter::Flush() {
  RETURN_IF_ERROR(status_);
  status_ = WriteAll(stdout, text_);
  text_.clear();
  const auto positions = std::exchange(positions_, {});
  RETURN_IF_ERROR(status_);
  for (const auto& [partition, offset] : positions) {
    written_(partition.first, partition.second, offset);
  }
  return absl::OkStatus();
}

}  // namespace acta::cli
