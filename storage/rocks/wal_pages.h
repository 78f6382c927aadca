#pragma once

#include <memory>

#include <rocksdb/file_system.h>

namespace acta {

// A WAL file whose pages leave the kernel's cache once they are synced: nobody reads them but a
// recovery, and the pages that follow take their place. A write to a page that the machine has not
// used before costs up to seven times as much.
std::unique_ptr<rocksdb::FSWritableFile> GiveBackPages(
    std::unique_ptr<rocksdb::FSWritableFile> file);

}  // namespace acta
