#include "tests/oracle/moment_disk.h"

#include <utility>

namespace acta::oracle {

using rocksdb::IOStatus;
using rocksdb::Slice;

namespace {

constexpr size_t kSectorBytes = 512;  // The least alignment of writes past the page cache,
constexpr size_t kBlockBytes = 4096;  // and the most.

// The word that moments have for it, or null.
const char* WordOf(DiskOperation::Kind kind) {
  using Kind = DiskOperation::Kind;
  switch (kind) {
    case Kind::kCreate:
      return "create";
    case Kind::kAppend:
    case Kind::kOverwrite:
      return "write";
    case Kind::kSync:
      return "sync";
    case Kind::kRename:
      return "rename";
    case Kind::kDelete:
      return "delete";
    default:
      return nullptr;
  }
}

// Past the page cache whole blocks are written.
Slice HalfOf(const DiskCall& call) {
  const size_t half = call.data.size() / 2;
  const bool blocks = call.data.size() % kSectorBytes == 0;
  return {call.data.data(), blocks ? half / kBlockBytes * kBlockBytes : half};
}

}  // namespace

MomentDisk::MomentDisk(std::shared_ptr<rocksdb::FileSystem> target,
                       std::shared_ptr<Moments> moments)
    : HookedDisk(std::move(target)), moments_(std::move(moments)) {}

IOStatus MomentDisk::Do(const DiskCall& call, Forward forward) {
  const char* const word = WordOf(call.kind);
  if (word == nullptr) return forward(call.data);
  if (!call.data.empty() && moments_->Tears(call.path)) {
    forward(HalfOf(call)).PermitUncheckedError();
    Moments::Die();
  }
  const absl::string_view path = call.other.empty() ? call.path : call.other;
  moments_->Reached("before", path, word);
  IOStatus status = forward(call.data);
  moments_->Reached("after", path, word);
  return status;
}

}  // namespace acta::oracle
