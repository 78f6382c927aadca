#pragma once

#include <string>
#include <vector>

#include "server/app/daemon.h"

namespace acta {

// actad from its words and its environment (NAME=VALUE) to its exit code: 0 done, 1 could not
// start, 2 usage or configuration; 70, from wherever it happens, durability in doubt.
//
// Threads: the main one, before any other was started.
int RunProgram(const std::vector<std::string>& words, const std::vector<std::string>& environment,
               const OpenEngine& open = OpenLocalEngine);

}  // namespace acta
