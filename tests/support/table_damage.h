#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace acta {

// What tests do to the files of a store.

// The database's files with this extension (".sst", ".log"), oldest first.
std::vector<std::filesystem::path> DatabaseFiles(const std::string& data,
                                                 const std::string& extension);
std::filesystem::path LargestTable(const std::string& data);
// Up to the last byte that is not zero: a log file is written ahead with zeros.
uint64_t WrittenBytes(const std::filesystem::path& file);
// Changes one bit of a file in place.
void FlipBit(const std::filesystem::path& file, int64_t at);

// Bytes [begin, end) of a file.
struct FileRange {
  uint64_t begin = 0;
  uint64_t end = 0;
};
// The index of a table file, one block with its trailer, as the footer names it. Nothing: the file
// is no table of the format that rocks_options.cc sets.
std::optional<FileRange> IndexOf(const std::filesystem::path& table);

}  // namespace acta
