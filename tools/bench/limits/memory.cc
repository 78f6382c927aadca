#include <cstring>
#include <string>

#include "storage/base/crc32c.h"
#include "tools/bench/latencies.h"
#include "tools/bench/limits/limit.h"

namespace acta::bench {
namespace {

constexpr size_t kLarge = size_t{64} << 20;  // Beyond every cache.

// Calls `step`, which handles kLarge bytes, until the time is over.
template <typename Step>
LimitRows Measure(const char* name, const LimitSettings& settings, Step step) {
  const int64_t begin = NowNanos();
  double bytes = 0, seconds = 0;
  do {
    step();
    bytes += kLarge;
    seconds = static_cast<double>(NowNanos() - begin) / 1e9;
  } while (seconds < settings.seconds);
  return {{RateRow(name, bytes, seconds)}};
}

}  // namespace

LimitRows Crc32cRate(const LimitSettings& settings) {
  const std::string bytes(kLarge, 'x');
  return Measure("crc32c", settings, [&] {
    const uint32_t crc = Crc32c(bytes);
    asm volatile("" ::"r"(crc) : "memory");
  });
}

LimitRows MemcpyRate(const LimitSettings& settings) {
  const std::string from(kLarge, 'x');
  std::string to(kLarge, 'y');
  return Measure("memcpy", settings, [&] {
    memcpy(to.data(), from.data(), kLarge);
    asm volatile("" ::"r"(to.data()) : "memory");
  });
}

}  // namespace acta::bench
