#pragma once

#include <malloc.h>

#include <cstdint>

namespace acta {

// Bytes that are allocated; 0 where a sanitizer does it.
inline int64_t HeapBytes() {
  const struct mallinfo2 heap = mallinfo2();
  return static_cast<int64_t>(heap.uordblks + heap.hblkhd);
}

}  // namespace acta
