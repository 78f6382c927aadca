#include "tests/support/faulty_disk.h"

#include <algorithm>
#include <filesystem>
#include <utility>

namespace acta {
namespace {

using rocksdb::IOStatus;
using Kind = DiskOperation::Kind;
using Fault = FaultyDisk::Fault;

constexpr const char* kMessages[FaultyDisk::kFaults] = {
    "injected: write", "injected: sync", "injected: sync of a folder",
    "injected: open",  "injected: name", "injected: read"};

Fault FaultFor(Kind kind) {
  switch (kind) {
    case Kind::kAppend:
    case Kind::kOverwrite:
    case Kind::kTruncate:
      return Fault::kWrite;
    case Kind::kSync:
      return Fault::kSync;
    case Kind::kSyncFolder:
      return Fault::kSyncFolder;
    case Kind::kCreate:
    case Kind::kOpen:
      return Fault::kOpen;
    case Kind::kDelete:
    case Kind::kRename:
    case Kind::kLink:
    case Kind::kMakeFolder:
      return Fault::kName;
    case Kind::kRead:
      return Fault::kRead;
  }
  return Fault::kWrite;
}

bool MakesLonger(const DiskCall& call) {
  std::error_code missing;
  const uint64_t size = std::filesystem::file_size(std::string(call.path), missing);
  return call.offset + call.data.size() > (missing ? 0 : size);
}

}  // namespace

void FaultyDisk::Fail(Fault fault, int64_t n, bool once) {
  MutexLock lock(mu_);
  Counted& counted = counted_[static_cast<size_t>(fault)];
  counted.fail_at = counted.done + n;
  counted.once = once || fault == Fault::kRead;
}
int64_t FaultyDisk::count(Fault fault) const {
  MutexLock lock(mu_);
  return counted_[static_cast<size_t>(fault)].done;
}
std::optional<DiskOperation> FaultyDisk::failed() const {
  MutexLock lock(mu_);
  return failed_;
}
void FaultyDisk::FullWhile(const std::string& file) {
  MutexLock lock(mu_);
  filler_ = file;
}
void FaultyDisk::Record(std::vector<Operation> before) {
  MutexLock lock(mu_);
  operations_ = std::move(before);
  recording_ = true;
}
std::vector<DiskOperation> FaultyDisk::record(size_t first_so_many) const {
  MutexLock lock(mu_);
  const size_t count = std::min(first_so_many, operations_.size());
  return {operations_.begin(), operations_.begin() + static_cast<std::ptrdiff_t>(count)};
}
size_t FaultyDisk::operations() const {
  MutexLock lock(mu_);
  return operations_.size();
}
std::vector<size_t> FaultyDisk::SyncPoints() const {
  MutexLock lock(mu_);
  std::vector<size_t> points;
  for (size_t i = 0; i < operations_.size(); ++i) {
    const Kind kind = operations_[i].kind;
    if (kind == Kind::kSync || kind == Kind::kSyncFolder) points.push_back(i + 1);
  }
  return points;
}

IOStatus FaultyDisk::FaultOf(const DiskCall& call) {
  const Fault fault = FaultFor(call.kind);
  Counted& counted = counted_[static_cast<size_t>(fault)];
  ++counted.done;
  const bool fails = counted.once ? counted.done == counted.fail_at
                                  : counted.fail_at != 0 && counted.done >= counted.fail_at;
  if (fails) {
    if (!failed_.has_value()) failed_ = Operation{call.kind, std::string(call.path)};
    return IOStatus::IOError(kMessages[static_cast<size_t>(fault)]);
  }
  if (fault == Fault::kWrite && !filler_.empty() && std::filesystem::exists(filler_) &&
      MakesLonger(call)) {
    return IOStatus::NoSpace("injected: no space");
  }
  return IOStatus::OK();
}

void FaultyDisk::Note(const DiskCall& call) {
  if (!recording_ || !call.Changes()) return;
  operations_.push_back({call.kind, std::string(call.path), std::string(call.other), call.offset,
                         call.data.ToString()});
}

// What is made is there when it was made. All else is noted before it is done: a sync covers no
// write that came after it began.
IOStatus FaultyDisk::Do(const DiskCall& call, Forward forward) {
  const bool makes = call.kind == Kind::kCreate || call.kind == Kind::kMakeFolder;
  {
    MutexLock lock(mu_);
    IOStatus fault = FaultOf(call);
    if (!fault.ok()) return fault;
    if (!makes) Note(call);
  }
  IOStatus status = forward(call.data);
  if (makes && status.ok()) {
    MutexLock lock(mu_);
    Note(call);
  }
  return status;
}

void FaultyDisk::Materialize(size_t cut, uint64_t seed, const std::string& from,
                             const std::string& to, Loss loss) const {
  LeaveImage(record(cut), seed, loss, from, to);
}

}  // namespace acta
