#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "server/core/queues/delivery_tokens.h"
#include "server/core/subscribe/batch_buffer.h"
#include "server/core/subscribe/catch_up_pace.h"
#include "server/core/subscribe/credit.h"
#include "server/core/subscribe/event_sink.h"
#include "server/core/subscribe/outbox.h"
#include "server/core/subscribe/read_range.h"
#include "server/core/subscribe/turns.h"
#include "server/exec/executor.h"
#include "storage/log_engine.h"

namespace acta {

// What was delivered by all streams of a server.
struct DeliveryCount {
  std::atomic<int64_t> events{0};
  std::atomic<int64_t> bytes{0};
};

// Pump reads the partitions of one stream and fills frames with their events, in turn where more
// than one has something. Nothing is done for a partition without news: the engine says which have
// some. What is in the tail cache is read inside Fill(), what is not on the pool, a little ahead.
//
// A partition stops at its end (notice REACHED_END) and where events cannot be delivered (gap).
//
// Threads: in the turns of its stream. `post` brings tasks from other threads there.
class Pump {
 public:
  struct Deps {
    LogEngine& engine;
    Executor& pool;
    Timer& timer;
    CatchUpPace& pace;
    DeliveryCount& delivered;
    // Runs the task in a turn if the stream still lives then. Any thread.
    std::function<void(Turns::Task)> post;
    Credit& credit;
    Outbox& outbox;
    size_t target_frame_bytes = 0;
    size_t max_frame_bytes = 0;
    bool grouped = false;  // The group says when a partition is not the stream's any more.
  };

  explicit Pump(Deps deps);
  ~Pump();  // Clears.

  // Every batch gets a token from now on.
  void GiveTokens(const DeliveryTokens& tokens, GroupId group) {
    tokens_ = &tokens;
    group_ = group;
  }

  void Add(uint64_t handle, ReadRange range);
  // Nothing of it is sent any more.
  void Remove(uint64_t handle);
  void Clear();

  // Adds events to a frame, as the credit and the sizes allow. Only when the outbox is empty: an
  // event must not come before its `assigned`. `alone`: nothing of the outbox is in the frame, so
  // that it may be as large as the client takes.
  void Fill(bool alone, OutgoingFrame* frame);

  // Every partition has stopped.
  bool ended() const { return running_ == 0; }
  // Not OK: reading failed for good (SERVER_STOPPING, TOPIC_NOT_FOUND, INTERNAL).
  const absl::Status& failure() const { return failure_; }

 private:
  struct Reader {
    Reader(uint64_t number, ReadRange what)
        : handle(number), range(std::move(what)), buffer(range.from), problem(range.problem) {}

    const uint64_t handle;
    const ReadRange range;
    BatchBuffer buffer;
    absl::Status problem;  // Comes after what is in the buffer.
    uint64_t wake = 0;     // The engine's number while it waits for news.
    uint64_t timer = 0;    // Until the end in time is reached.
    bool ready = false;    // In ready_.
    bool reading = false;  // In cold_, on the pool, or waiting for the disk.
    bool cold = false;     // The last read was from the disk.
    int refusals = 0;      // One after the other, by a disk that may give it the next time.
    bool stopped = false;
  };
  // Partitions with news, filled by the engine's threads.
  struct News;
  enum class Outcome { kIdle, kMore, kFrameFull };

  Reader* Find(uint64_t handle) const;
  void MarkReady(Reader& reader);
  void TakeNews();

  Outcome Serve(Reader& reader, OutgoingFrame* frame);
  Outcome ServeOneBatch(Reader& reader, OutgoingFrame* frame, size_t* bytes);
  bool AtEnd(const Reader& reader) const;
  // Nothing is in the reader's buffer.
  void Settle(Reader& reader);
  void WaitForNews(Reader& reader);
  // True: nothing older than the end in time can come any more.
  bool TimeIsOver(Reader& reader);

  void Refill(Reader& reader);
  void Append(Reader& reader, const std::vector<BatchPtr>& batches);
  void StartReads();
  void Read(uint64_t handle, size_t bytes);
  void OnRead(uint64_t handle, size_t asked, const absl::StatusOr<std::vector<BatchPtr>>& read);
  // True: the disk did not answer, and is asked once more a little later.
  bool ReadsAgain(Reader& reader, const absl::Status& status);

  void ReachedEnd(Reader& reader);
  void Fail(Reader& reader);
  void TellGap(Reader& reader, const absl::Status& status);
  void TellDamaged(Reader& reader);
  void TellTooLarge(Reader& reader, size_t event_bytes, size_t frame_bytes);
  void Stop(Reader& reader);
  void StopWaiting(Reader& reader);

  const Deps deps_;
  const DeliveryTokens* tokens_ = nullptr;
  GroupId group_;
  const std::shared_ptr<News> news_;
  absl::flat_hash_map<uint64_t, std::unique_ptr<Reader>> readers_;
  std::deque<uint64_t> ready_;
  std::deque<uint64_t> cold_;
  int reads_ = 0;          // On the pool, or about to be.
  size_t buffered_ = 0;    // Bytes in the readers' buffers.
  size_t frame_room_ = 0;  // Left in the frame that is being filled.
  bool frame_alone_ = true;
  int64_t running_ = 0;  // Readers that have not stopped.
  absl::Status failure_;
};

}  // namespace acta
