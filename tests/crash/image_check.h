#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/crash/history.h"

namespace acta {

// How an image came about.
struct ImageCut {
  size_t operations = 0;  // Disk operations before the fault.
  bool power = true;      // A power cut, else kill -9: then nothing written is lost.
  std::string boot;       // Of the kernel that opens it.
  // A second fault: the recovery from the first one was cut short.
  bool again = false;
  // Start although data is lost: for showing that the check finds what is missing.
  bool accept_loss = false;
  // The engine breaks a promise, for showing that the check notices: dedupe, incarnation, hole,
  // goes-on. Empty: none.
  std::string broken;
};

struct ImageReport {
  // Each begins with its class: lost-write, wrong-bytes, inconsistent-offsets, hole, wrong-row,
  // wrong-ledger, lost-index, retention, vanished, stored-twice, dedupe, sequence, incarnation,
  // refused, goes-on.
  std::vector<std::string> problems;
  // What the store holds, in one number: a second recovery must give the same.
  uint32_t digest = 0;
  size_t present = 0;  // Transactions.
};

// Opens the data folder `image` and holds it against the history: what it has is exactly what the
// first so many transactions left, and every acknowledged one is among them. It ends without a
// clean stop, as a process that is killed, unless `go_on`: then it also writes, lets retention and
// slices do their work, stops, and looks again.
//
// It changes the image, and what was opened stays open: one call a process.
ImageReport CheckImage(const History& history, const ImageCut& cut, const std::string& image,
                       bool go_on);

}  // namespace acta
