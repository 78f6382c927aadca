#pragma once

#include <cstdint>
#include <string>

namespace acta::bench {

// What the figures were taken on.
struct Machine {
  std::string time;  // RFC 3339.
  std::string cpu;
  int32_t cores = 0;
  double memory_gib = 0;
  std::string kernel;
  std::string file_system;  // Of the folder that was written to.
  std::string disk;         // The device below it.
};

// `folder` must exist.
Machine DescribeMachine(const std::string& folder);

}  // namespace acta::bench
