#pragma once

#include <fstream>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/layout/engine_rows.h"
#include "storage/log/witness.h"

namespace acta {

// What the newest readable slot of a folder's witness file says; empty: there is none.
inline WitnessRecord ReadWitness(const std::string& folder) {
  std::ifstream in(absl::StrCat(folder, "/", kWitnessFile), std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(in)), {});
  WitnessRecord newest;
  uint64_t newest_version = 0;
  for (const size_t at : {size_t{0}, Witness::kSlotBytes}) {
    WitnessRecord record;
    uint64_t version = 0;
    if (bytes.size() >= at + Witness::kSlotBytes &&
        DecodeWitness(absl::string_view(bytes).substr(at, Witness::kSlotBytes), &record,
                      &version) &&
        version >= newest_version) {
      newest = std::move(record);
      newest_version = version;
    }
  }
  return newest;
}

}  // namespace acta
