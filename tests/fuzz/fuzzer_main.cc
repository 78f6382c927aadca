#include <google/protobuf/stubs/logging.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "tests/fuzz/fuzz_targets.h"

// libFuzzer's entry; ACTA_FUZZ_NAME is the target.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const acta::FuzzTarget* const target = [] {
    google::protobuf::SetLogHandler(nullptr);  // It tells of each bad string.
    for (const acta::FuzzTarget& known : acta::FuzzTargets()) {
      if (known.name == ACTA_FUZZ_NAME) return &known;
    }
    std::abort();
  }();
  return target->run(absl::string_view(reinterpret_cast<const char*>(data), size));
}
