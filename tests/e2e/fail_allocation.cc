// A library for LD_PRELOAD: one allocation of the process fails, as when there is no memory left.
//
//   ACTA_FAIL_ALLOCATION   which one from the signal SIGUSR1 on, 1 the first
//   ACTA_FAIL_FROM_START   set: from the start of the process on, without a signal
//   ACTA_FAIL_ALL          set: all after it fail too
//   ACTA_FAIL_MALLOC       set: those of operator new do not fail and are not counted
//
// operator new of the standard library allocates by malloc, so it fails with it. What failed is
// said on standard error, with where.
#include <dlfcn.h>
#include <execinfo.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>

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
std::atomic<bool> said{false};
long which = 0;
bool all = false;
bool only_malloc = false;
// Where the allocating functions of the standard library begin.
uintptr_t plain_new = 0;
uintptr_t aligned_new = 0;
constexpr uintptr_t kLongest = 256;  // They are shorter.

// Of threads that fail at the same time any may end the process: each says it while none has.
void Say() {
  if (said) return;
  constexpr char kText[] = "fail_allocation: it failed in:\n";
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, kText, sizeof(kText) - 1);
  said = true;
}

void SayWhere() {
  void* frames[24];
  backtrace_symbols_fd(frames, backtrace(frames, 24), STDERR_FILENO);
}

bool ByNew(const void* caller) {
  const auto at = reinterpret_cast<uintptr_t>(caller);
  return at - plain_new < kLongest || at - aligned_new < kLongest;
}

// What a new thread has of its own. A thread that cannot be made is another fault.
bool ByLoader(const void* caller) {
  Dl_info where{};
  return dladdr(caller, &where) != 0 && strstr(where.dli_fname, "/ld-linux") != nullptr;
}

bool Fails(const void* caller) {
  if (!armed.load(std::memory_order_relaxed)) return false;
  if (only_malloc && ByNew(caller)) return false;
  const long now = left.fetch_sub(1, std::memory_order_relaxed);
  if (now > 1 || (now < 1 && !all)) return false;
  if (ByLoader(caller)) {
    if (now == 1) left = 1;  // The next one, then.
    return false;
  }
  if (now == 1 && !all) armed = false;
  Say();
  if (now == 1) SayWhere();
  errno = ENOMEM;
  return true;
}

void Arm(int) {
  left = which;
  said = false;
  armed = which > 0;
}

__attribute__((constructor)) void Prepare() {
  const char* const number = getenv("ACTA_FAIL_ALLOCATION");
  which = number == nullptr ? 0 : atol(number);
  all = getenv("ACTA_FAIL_ALL") != nullptr;
  only_malloc = getenv("ACTA_FAIL_MALLOC") != nullptr;
  void* (*const plain)(size_t) = ::operator new;
  void* (*const aligned)(size_t, std::align_val_t) = ::operator new;
  plain_new = reinterpret_cast<uintptr_t>(plain);
  aligned_new = reinterpret_cast<uintptr_t>(aligned);
  void* frame;
  backtrace(&frame, 1);  // The first one allocates.
  signal(SIGUSR1, Arm);
  if (getenv("ACTA_FAIL_FROM_START") != nullptr) Arm(0);
}

}  // namespace

extern "C" {

void* malloc(size_t bytes) {
  return Fails(__builtin_return_address(0)) ? nullptr : __libc_malloc(bytes);
}

void* calloc(size_t count, size_t bytes) {
  return Fails(__builtin_return_address(0)) ? nullptr : __libc_calloc(count, bytes);
}

void* realloc(void* at, size_t bytes) {
  return Fails(__builtin_return_address(0)) ? nullptr : __libc_realloc(at, bytes);
}

void* memalign(size_t alignment, size_t bytes) {
  return Fails(__builtin_return_address(0)) ? nullptr : __libc_memalign(alignment, bytes);
}

void* aligned_alloc(size_t alignment, size_t bytes) {
  return Fails(__builtin_return_address(0)) ? nullptr : __libc_memalign(alignment, bytes);
}

int posix_memalign(void** at, size_t alignment, size_t bytes) {
  void* const got =
      Fails(__builtin_return_address(0)) ? nullptr : __libc_memalign(alignment, bytes);
  if (got == nullptr) return ENOMEM;
  *at = got;
  return 0;
}

}  // extern "C"
