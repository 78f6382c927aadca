#include <cstdio>

#include "storage/base/fatal.h"
#include "tests/fuzz/differential.h"
#include "tests/fuzz/fuzz_targets.h"

namespace acta {
namespace {

int CheckSame(const std::string& difference) {
  if (!difference.empty()) std::fprintf(stderr, "%s\n", difference.c_str());
  ACTA_CHECK(difference.empty());
  return 0;
}

}  // namespace

int FuzzEvent(absl::string_view bytes) { return CheckSame(CompareEvent(bytes)); }
int FuzzPublishFrame(absl::string_view bytes) { return CheckSame(ComparePublishFrame(bytes)); }

}  // namespace acta
