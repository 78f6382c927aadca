#pragma once

#include <memory>

#include <rocksdb/file_system.h>

namespace acta {

// A WAL file that small appends find written with zeros before: a sync of bytes inside the file
// leaves the journal of the file system alone, which is a third of its time. Large appends are not
// written twice. Closed, the file has no more than was appended; a crash leaves up to 72 KiB of
// zeros, which replay takes for the end.
std::unique_ptr<rocksdb::FSWritableFile> WriteAhead(std::unique_ptr<rocksdb::FSWritableFile> file);

}  // namespace acta
