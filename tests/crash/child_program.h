#pragma once

#include <string>
#include <vector>

namespace acta {

// Starts this program again with these words, waits, and returns what it printed; a first line
// "crashed: ..." when it did not end by itself with 0 or 1. `output` is a file it may use.
std::string RunChild(std::vector<std::string> words, const std::string& output);
// As that, for who has no threads and has opened no store: the child begins with `program`, with
// these words, and is not loaded anew, which takes a short one as long as what it does.
std::string ForkChild(int (*program)(int, char**), std::vector<std::string> words,
                      const std::string& output);

// Ends a child at once, with nothing destroyed: what failed, or is open, stays as kill -9 leaves
// it.
[[noreturn]] void LeaveChild(const std::string& printed, bool good);

}  // namespace acta
