#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "acta/v1/subscriber.pb.h"
#include "client/cpp/export.h"

namespace acta::client {

enum class ClientKind { kPublisher, kSubscriber, kWorker };

// A stream to the broker is open, or has ended.
struct StreamChange {
  ClientKind client = ClientKind::kPublisher;
  bool open = false;
  // Of the streams that this client tried, from 1: above 1 it connects again.
  int64_t number = 0;
  // Why it ended, or did not open. OK: in good order.
  absl::Status status;
};

// Events of one partition that travelled together: stored, or given up. What is tried again is told
// when it has ended, once.
struct PublishedBatch {
  std::string topic;
  int32_t partition = -1;
  int64_t events = 0;
  int64_t bytes = 0;
  // Of the events, those that were stored before. Only of what is stored.
  int64_t duplicates = 0;
  // Since the first of the events was taken: waiting, every try and the answer.
  absl::Duration latency;
  // Not OK: no event of it was stored, but after OUTCOME_UNKNOWN or without an answer they may be.
  absl::Status status;
};

// Events that Next() is about to return.
struct ReceivedEvents {
  ClientKind client = ClientKind::kSubscriber;
  std::string topic;
  int32_t partition = -1;
  int64_t events = 0;
  int64_t bytes = 0;
  // Since the broker appended them, by both clocks; below zero when they disagree.
  absl::Duration age;
};

// What became of settlements of a worker, or of a commit of a subscriber. One that a break leaves
// without an answer is told when it was sent again; of such commits nothing is told.
struct SettledEvents {
  ClientKind client = ClientKind::kWorker;
  std::string topic;
  int32_t partition = -1;
  // Of a commit ACK.
  v1::SettleKind kind = v1::SETTLE_KIND_UNSPECIFIED;
  // Of a commit: the offsets that it moved over.
  int64_t events = 0;
  absl::Status status;
};

// Metrics is told what the clients of a channel do (ChannelOptions::metrics).
//
// Threads: any, several at once. OnPublished(): the publisher's own thread, or that of Close().
//          OnReceived(): that of Next(). OnSettled(): the client's own thread, or the one that
//          settles, flushes or closes. OnStream(): the client's own thread. A client holds no lock
//          meanwhile, but waits: they must not block, throw, or call the client.
// Growth:  no function is added before the next major version; structs grow at their ends.
class ACTA_CLIENT_EXPORT Metrics {
 public:
  virtual ~Metrics();
  virtual void OnStream(const StreamChange& change);
  virtual void OnPublished(const PublishedBatch& batch);
  virtual void OnReceived(const ReceivedEvents& events);
  virtual void OnSettled(const SettledEvents& events);
};

enum class LogLevel { kInfo, kWarning, kError };

// A line for people (ChannelOptions::log): INFO says that a stream is open or has ended in good
// order, WARNING what is tried again or did not count, ERROR what was given up. The text is no API.
//
// Threads: as Metrics. It must not block, throw, or call the client.
using LogHook = void(LogLevel level, absl::string_view line);

}  // namespace acta::client
