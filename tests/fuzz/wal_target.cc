#include <rocksdb/env.h>
#include <rocksdb/file_system.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "proto/support/wire.h"
#include "storage/base/bytes.h"
#include "storage/base/crc32c.h"
#include "storage/base/fatal.h"
#include "storage/rocks/wal_scan.h"
#include "storage/rocks/write_group.h"
#include "tests/fuzz/fuzz_targets.h"

namespace acta {
namespace {

constexpr size_t kWalBlockBytes = 32768;
constexpr size_t kWalHeadBytes = 7;
constexpr Incarnation kOurs(1);
constexpr GroupNumber kRecovered(5);

uint32_t MaskedCrc(absl::string_view bytes) {
  const uint32_t crc = Crc32c(bytes);
  return ((crc >> 15) | (crc << 17)) + 0xa282ead8U;
}

void AddFragment(uint8_t type, absl::string_view bytes, std::string* log) {
  const size_t left = kWalBlockBytes - log->size() % kWalBlockBytes;
  if (left < kWalHeadBytes + bytes.size()) log->append(left, '\0');
  const std::string covered = absl::StrCat(std::string(1, static_cast<char>(type)), bytes);
  std::string head(6, '\0');
  PutLittle<uint32_t>(head.data(), MaskedCrc(covered));
  PutLittle<uint16_t>(head.data() + 4, static_cast<uint16_t>(bytes.size()));
  log->append(head).append(covered);
}

std::string MarkedRecord(GroupNumber group) {
  return std::string(12, '\0').append("\x03\x10").append(EncodeGroupMark({group, kOurs}));
}

// Pieces behind their lengths: a type, then the bytes of a fragment.
std::string LogOfPieces(absl::string_view pieces) {
  std::string log;
  WireReader reader(pieces);
  for (absl::string_view piece; reader.ReadBytes(&piece) == WireFault::kNone;) {
    const uint8_t type = piece.empty() ? 1 : static_cast<uint8_t>(piece[0]);
    AddFragment(type, piece.substr(std::min<size_t>(piece.size(), 1), 4096), &log);
  }
  return log;
}

std::string FindIn(const std::string& log) {
  static rocksdb::Env* const env = rocksdb::NewMemEnv(rocksdb::Env::Default());
  static const bool made = env->CreateDir("/wal").ok();
  ACTA_CHECK(made);
  ACTA_CHECK(rocksdb::WriteStringToFile(env, log, "/wal/000007.log").ok());
  const auto found = FindUnreachedGroup(*env->GetFileSystem(), "/wal", kOurs, kRecovered);
  ACTA_CHECK(found.ok());
  return *found;
}

}  // namespace

int FuzzWal(absl::string_view bytes) {
  const uint8_t how = bytes.empty() ? 0 : static_cast<uint8_t>(bytes[0]);
  bytes.remove_prefix(bytes.empty() ? 0 : 1);
  std::string log = (how & 1) != 0 ? LogOfPieces(bytes) : std::string(bytes);
  const std::string found = FindIn(log);
  if (!found.empty()) {
    // No group is named that is not there.
    uint64_t group = 0;
    const std::vector<std::string> words = absl::StrSplit(found, ' ');
    ACTA_CHECK(words.size() > 1 && absl::SimpleAtoi(words[1], &group));
    ACTA_CHECK(group > kRecovered.value());
    ACTA_CHECK(log.find(EncodeGroupMark({GroupNumber(group), kOurs})) != std::string::npos);
  }
  if ((how & 2) != 0) {
    // Nothing that stands before it hides a whole group in a block of its own.
    log.resize((log.size() + kWalBlockBytes - 1) / kWalBlockBytes * kWalBlockBytes, '\0');
    AddFragment(1, MarkedRecord(GroupNumber(77)), &log);
    ACTA_CHECK(!FindIn(log).empty());
  }
  return 0;
}

}  // namespace acta
