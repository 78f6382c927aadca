#pragma once

#ifdef ACTA_THREAD_SANITIZER
#include <sanitizer/tsan_interface.h>
#endif

namespace acta {

// What a thread wrote and another one goes on with, where the order between them comes from a
// library that was compiled without ThreadSanitizer, as gRPC's queues are: it sees no lock and
// atomic of it. The giver says HandOver() before it calls the library, the taker TakeOver() of the
// same address when the library has called or answered. They cost nothing without the sanitizer,
// and order nothing: whoever says it must be right about the library.
inline void HandOver([[maybe_unused]] const void* what) {
#ifdef ACTA_THREAD_SANITIZER
  __tsan_release(const_cast<void*>(what));
#endif
}
inline void TakeOver([[maybe_unused]] const void* what) {
#ifdef ACTA_THREAD_SANITIZER
  __tsan_acquire(const_cast<void*>(what));
#endif
}

}  // namespace acta
