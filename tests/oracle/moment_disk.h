#pragma once

#include <memory>

#include "tests/oracle/moments.h"
#include "tests/support/hooked_disk.h"

namespace acta::oracle {

// Tells Moments what is done to the disk under it, before and after.
//
// Threads: any.
class MomentDisk final : public HookedDisk {
 public:
  MomentDisk(std::shared_ptr<rocksdb::FileSystem> target, std::shared_ptr<Moments> moments);

 private:
  rocksdb::IOStatus Do(const DiskCall& call, Forward forward) override;

  const std::shared_ptr<Moments> moments_;
};

}  // namespace acta::oracle
