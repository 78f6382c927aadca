#pragma once

#include "absl/functional/any_invocable.h"
#include "acta/v1/publisher.pb.h"
#include "server/core/publish/batch_preparer.h"
#include "storage/log_engine.h"

namespace acta {

// FrameInFlight is one frame between its check and its answer: it puts what the engine says of
// appends together again as results of batches.
//
// Threads: used by one at a time; Finish() may run on the engine's.
struct FrameInFlight {
  v1::FrameResult result;  // With the errors of the batches that were refused before.
  // What is known of each append of the transaction before it is stored.
  std::vector<v1::PublishedPart> parts;
  std::vector<int32_t> batches;
  std::vector<PreparedSchedules> schedules;
  bool atomic = false;
  // With one append that fails nothing is written. Of a step too, which is not `atomic`: what was
  // published before is left out of it.
  bool all_or_nothing = false;
  absl::AnyInvocable<void(v1::FrameResult)> done;

  // Answers with what the engine said. Once, and not after Refuse().
  void Finish(TransactionResult stored);
  // Answers that the frame as a whole was refused.
  void Refuse(const absl::Status& error);
  // It schedules an event whose id waits nowhere.
  bool SchedulesNewId() const;
  // Of a frame that was stored: its schedules wait from now on.
  void AddSchedules(const TransactionResult& stored);
  // Of one that was not: their ids are free before it is answered.
  void RefuseSchedules(const absl::Status& error);
};

}  // namespace acta
