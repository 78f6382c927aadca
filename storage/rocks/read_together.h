#pragma once

#include <memory>

#include <rocksdb/file_system.h>

namespace acta {

// Of a file that is asked for many places at once, all are on their way from the disk before the
// first is waited for: read one after the other each takes as long as the disk needs for one.
std::unique_ptr<rocksdb::FSRandomAccessFile> ReadTogether(
    std::unique_ptr<rocksdb::FSRandomAccessFile> file);

// While one lives, what its thread reads of such files is not read: the disk is told of it, of a
// large read of the first 256 KiB, and the read fails at once. The database cannot say itself where
// something is that it would read.
//
// Threads: one, which has no other.
class OnlyAnnounce {
 public:
  OnlyAnnounce();
  ~OnlyAnnounce();
  OnlyAnnounce(const OnlyAnnounce&) = delete;
  OnlyAnnounce& operator=(const OnlyAnnounce&) = delete;
};

}  // namespace acta
