#include "tests/support/table_damage.h"

#include <algorithm>
#include <fstream>
#include <iterator>

#include "proto/support/wire.h"
#include "storage/base/bytes.h"

namespace acta {
namespace {

// A footer is the kind of checksum, the places of metaindex and index (each an offset and a size,
// filled up with zeros), the format's version, and a number that says what it is.
constexpr size_t kPlaces = 1;
constexpr size_t kVersion = 41;
constexpr size_t kMagic = 45;
constexpr size_t kFooterBytes = 53;
constexpr uint32_t kTableVersion = 5;
constexpr uint64_t kTableMagic = 0x88e241b785f4cff7;
constexpr uint64_t kTrailerBytes = 5;  // Of a block: its compression and checksum.

std::string ContentsOf(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return std::string((std::istreambuf_iterator<char>(stream)), {});
}

}  // namespace

std::vector<std::filesystem::path> DatabaseFiles(const std::string& data,
                                                 const std::string& extension) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(data + "/db")) {
    if (entry.path().extension() == extension) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::filesystem::path LargestTable(const std::string& data) {
  std::filesystem::path largest;
  for (const auto& file : DatabaseFiles(data, ".sst")) {
    if (largest.empty() || file_size(file) > file_size(largest)) largest = file;
  }
  return largest;
}

uint64_t WrittenBytes(const std::filesystem::path& file) {
  return ContentsOf(file).find_last_not_of('\0') + 1;
}

void FlipBit(const std::filesystem::path& file, int64_t at) {
  std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
  stream.seekg(at);
  const int byte = stream.get();
  stream.seekp(at);
  stream.put(static_cast<char>(byte ^ 4));
}

std::optional<FileRange> IndexOf(const std::filesystem::path& table) {
  const std::string bytes = ContentsOf(table);
  if (bytes.size() < kFooterBytes) return std::nullopt;
  const absl::string_view footer = absl::string_view(bytes).substr(bytes.size() - kFooterBytes);
  if (GetLittle<uint64_t>(footer.data() + kMagic) != kTableMagic ||
      GetLittle<uint32_t>(footer.data() + kVersion) != kTableVersion) {
    return std::nullopt;
  }
  WireReader places(footer.substr(kPlaces, kVersion - kPlaces));
  FileRange index;
  uint64_t size = 0;
  for (uint64_t* value : {&index.begin, &size, &index.begin, &size}) {  // The metaindex is first.
    if (places.ReadVarint(value) != WireFault::kNone) return std::nullopt;
  }
  index.end = index.begin + size + kTrailerBytes;
  return index.end <= bytes.size() - kFooterBytes ? std::optional(index) : std::nullopt;
}

}  // namespace acta
