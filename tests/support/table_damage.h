#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace acta {

// What tests do to the files of a store.

// The database's files with this extension (".sst", ".log"), oldest first.
std::vector<std::filesystem::path> DatabaseFiles(const std::string& data,
                                                 const std::string& extension);
// Up to the last byte that is not zero: a log file is written ahead with zeros.
uint64_t WrittenBytes(const std::filesystem::path& file);
// Changes one bit of a file in place.
void FlipBit(const std::filesystem::path& file, int64_t at);

}  // namespace acta
