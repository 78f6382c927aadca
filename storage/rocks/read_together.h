#pragma once

#include <memory>

#include <rocksdb/file_system.h>

namespace acta {

// Of a file that is asked for many places at once, all are on their way from the disk before the
// first is waited for: read one after the other each takes as long as the disk needs for one.
std::unique_ptr<rocksdb::FSRandomAccessFile> ReadTogether(
    std::unique_ptr<rocksdb::FSRandomAccessFile> file);

}  // namespace acta
