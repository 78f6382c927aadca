#include "storage/log/witness.h"

#include "proto/support/error.h"
#include "storage/base/bytes.h"
#include "storage/base/crc32c.h"
#include "storage/base/status_macros.h"

namespace acta {
namespace {

// Slot: magic u32 | body length u32 | body CRC32C u32 | 0 u32 | body.
// Body: version u64 | incarnation u32 | clean u32 | synced u64 | time i64 | WALs u32 | store id
// length u32 | boot id length u32 | 0 u32 | WAL numbers u64... | store id | boot id.
constexpr uint32_t kMagic = 0x57544341;  // "ACTW"
constexpr size_t kHead = 16;
constexpr size_t kFixed = 48;
// A list that does not fit keeps its newest: an old WAL lives long only when a family is idle.
constexpr size_t kMaxWals = 1900;

template <typename T>
void AppendField(std::string* out, T value) {
  out->append(reinterpret_cast<const char*>(&value), sizeof(value));
}

}  // namespace

std::string EncodeWitness(const WitnessRecord& record, uint64_t version) {
  std::string body;
  const size_t skip = record.live_wals.size() > kMaxWals ? record.live_wals.size() - kMaxWals : 0;
  AppendField<uint64_t>(&body, version);
  AppendField<uint32_t>(&body, record.incarnation.value());
  AppendField<uint32_t>(&body, record.clean ? 1 : 0);
  AppendField<uint64_t>(&body, record.synced_group.value());
  AppendField<int64_t>(&body, record.server_time_us);
  AppendField<uint32_t>(&body, static_cast<uint32_t>(record.live_wals.size() - skip));
  AppendField<uint32_t>(&body, static_cast<uint32_t>(record.store_id.size()));
  AppendField<uint32_t>(&body, static_cast<uint32_t>(record.boot_id.size()));
  AppendField<uint32_t>(&body, 0);
  for (auto at = std::next(record.live_wals.begin(), static_cast<long>(skip));
       at != record.live_wals.end(); ++at) {
    AppendField<uint64_t>(&body, *at);
  }
  body += record.store_id;
  body += record.boot_id;
  std::string slot;
  AppendField<uint32_t>(&slot, kMagic);
  AppendField<uint32_t>(&slot, static_cast<uint32_t>(body.size()));
  AppendField<uint32_t>(&slot, Crc32c(body));
  AppendField<uint32_t>(&slot, 0);
  slot += body;
  slot.resize(Witness::kSlotBytes, '\0');
  return slot;
}

bool DecodeWitness(absl::string_view slot, WitnessRecord* record, uint64_t* version) {
  if (slot.size() < kHead || GetLittle<uint32_t>(slot.data()) != kMagic) return false;
  const size_t size = GetLittle<uint32_t>(slot.data() + 4);
  if (size < kFixed || size > slot.size() - kHead) return false;
  absl::string_view body = slot.substr(kHead, size);
  if (Crc32c(body) != GetLittle<uint32_t>(slot.data() + 8)) return false;
  const char* data = body.data();
  *version = GetLittle<uint64_t>(data);
  record->incarnation = Incarnation(GetLittle<uint32_t>(data + 8));
  record->clean = GetLittle<uint32_t>(data + 12) != 0;
  record->synced_group = GroupNumber(GetLittle<uint64_t>(data + 16));
  record->server_time_us = GetLittle<int64_t>(data + 24);
  const uint64_t wals = GetLittle<uint32_t>(data + 32);
  const uint64_t store_id = GetLittle<uint32_t>(data + 36);
  const uint64_t boot_id = GetLittle<uint32_t>(data + 40);
  if (kFixed + wals * 8 + store_id + boot_id != size) return false;
  record->live_wals.clear();
  for (uint64_t i = 0; i < wals; ++i) {
    record->live_wals.insert(GetLittle<uint64_t>(data + kFixed + i * 8));
  }
  record->store_id = std::string(body.substr(kFixed + wals * 8, store_id));
  record->boot_id = std::string(body.substr(kFixed + wals * 8 + store_id, boot_id));
  return true;
}

absl::StatusOr<std::unique_ptr<Witness>> Witness::Open(
    std::shared_ptr<rocksdb::FileSystem> file_system, const std::string& path) {
  ASSIGN_OR_RETURN(auto file, BlockFile::Open(std::move(file_system), path, 2 * kSlotBytes));
  return std::unique_ptr<Witness>(new Witness(std::move(file)));
}

absl::StatusOr<std::optional<WitnessRecord>> Witness::Load() {
  MutexLock lock(mu_);
  int written = 0;
  std::optional<WitnessRecord> newest;
  for (size_t slot = 0; slot < 2; ++slot) {
    ASSIGN_OR_RETURN(const std::string bytes, file_->Read(slot * kSlotBytes, kSlotBytes));
    if (bytes.find_first_not_of('\0') != std::string::npos) ++written;
    WitnessRecord record;
    uint64_t version = 0;
    if (DecodeWitness(bytes, &record, &version) && (!newest || version > version_)) {
      newest = record;
      version_ = version;
    }
  }
  // One alone is the very first, torn: of a store that never got so far as to promise anything.
  if (written == 2 && !newest.has_value()) {
    return Error(v1::DATA_LOST, "the witness file is damaged: both of its records are unreadable");
  }
  if (newest.has_value()) record_ = *newest;
  return newest;
}

absl::Status Witness::WriteLocked() {
  const uint64_t version = version_ + 1;
  RETURN_IF_ERROR(file_->Write(version % 2 * kSlotBytes, EncodeWitness(record_, version)));
  version_ = version;
  return absl::OkStatus();
}

}  // namespace acta
