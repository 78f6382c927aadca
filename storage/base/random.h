#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace acta {

// Random bytes of the kernel, at most 256: what nobody can guess. Ends the process when there are
// none. Any thread.
std::string DrawBytes(size_t count);
uint64_t DrawNumber();

}  // namespace acta
