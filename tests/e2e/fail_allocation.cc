// A library for LD_PRELOAD: one allocation of the process fails, as when there is no memory left.
//
//   ACTA_FAIL_ALLOCATION   which one from the signal SIGUSR1 on, 1 the first
//   ACTA_FAIL_FROM_START   set: from the start of the process on, without a signal
//   ACTA_FAIL_ALL          set: all after it fail too
//
// operator new of the standard library allocates by malloc, so it fails with it. What failed is
// said on standard error, with where.
#include <execinfo.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>

extern "C" {
void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);
}

namespace {

// Allocations until the one that fails; 0 and below: it was.
std::atomic<long> left{0};
std::atomic<bool> armed{false};
long which = 0;
bool all = false;

void Say() {
  constexpr char kText[] = "fail_allocation: it failed in:\n";
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, kText, sizeof(kText) - 1);
  void* frames[24];
  backtrace_symbols_fd(frames, backtrace(frames, 24), STDERR_FILENO);
}

bool Fails() {
  if (!armed.load(std::memory_order_relaxed)) return false;
  const long now = left.fetch_sub(1, std::memory_order_relaxed);
  if (now > 1 || (now < 1 && !all)) return false;
  if (now == 1) {
    if (!all) armed = false;
    Say();
  }
  errno = ENOMEM;
  return true;
}

void Arm(int) {
  left = which;
  armed = which > 0;
}

__attribute__((constructor)) void Prepare() {
  const char* const number = getenv("ACTA_FAIL_ALLOCATION");
  which = number == nullptr ? 0 : atol(number);
  all = getenv("ACTA_FAIL_ALL") != nullptr;
  void* frame;
  backtrace(&frame, 1);  // The first one allocates.
  signal(SIGUSR1, Arm);
  if (getenv("ACTA_FAIL_FROM_START") != nullptr) Arm(0);
}

}  // namespace

extern "C" {

void* malloc(size_t bytes) { return Fails() ? nullptr : __libc_malloc(bytes); }

void* calloc(size_t count, size_t bytes) { return Fails() ? nullptr : __libc_calloc(count, bytes); }

void* realloc(void* at, size_t bytes) { return Fails() ? nullptr : __libc_realloc(at, bytes); }

void* memalign(size_t alignment, size_t bytes) {
  return Fails() ? nullptr : __libc_memalign(alignment, bytes);
}

void* aligned_alloc(size_t alignment, size_t bytes) { return memalign(alignment, bytes); }

int posix_memalign(void** at, size_t alignment, size_t bytes) {
  void* const got = memalign(alignment, bytes);
  if (got == nullptr) return ENOMEM;
  *at = got;
  return 0;
}

}  // extern "C"
