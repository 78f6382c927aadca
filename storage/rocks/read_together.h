#pragma once

#include <memory>

#include <rocksdb/file_system.h>

namespace acta {

// Of a file that is asked for many places at once, all are on their way from the disk before the
// first is waited for: read one after the other each takes as long as the disk needs for one.
std::unique_ptr<rocksdb::FSRandomAccessFile> ReadTogether(
    std::unique_ptr<rocksdb::FSRandomAccessFile> file);

// While one lives, what its thread reads of such files is only begun: the kernel is asked for it
// (readahead) and the read fails at once, Aborted. So whoever looks for something in a table begins
// just what the same look reads later, and nobody else has to know where blocks lie. What a look
// reads first has to be in memory (the index of an open table): it ends with the first read.
//
// Nothing is kept of it and nothing is to be cancelled: what nobody reads is forgotten with the
// page cache, and what the disk cannot give is told to who reads it.
//
// Threads: its own.
class BegunReads {
 public:
  BegunReads();
  ~BegunReads();
  BegunReads(const BegunReads&) = delete;
  BegunReads& operator=(const BegunReads&) = delete;

 private:
  const bool outer_;
};

}  // namespace acta
