#include "server/core/subscribe/pump.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "server/core/subscribe/frame_bytes.h"
#include "storage/base/log.h"
#include "storage/base/mutex.h"

namespace acta {
namespace {

// What a partition sends before others that have something get their turn.
constexpr size_t kTurnBytes = 256 << 10;
// A partition read from the disk is read further when so little of it is left to send.
constexpr size_t kReadAheadBytes = 1 << 20;
// Of one stream: reads on the pool, and bytes waiting to be sent above which none is started.
constexpr int kMaxReads = 2;
constexpr size_t kMaxBufferedBytes = 4 << 20;
// How often it is looked whether all that was appended before an end in time is written.
constexpr absl::Duration kWrittenLook = absl::Milliseconds(10);
// What the disk does not give is read again so often, that many times: for 5 minutes, as for
// queues.
constexpr absl::Duration kReadAgain = absl::Seconds(1);
constexpr int kMostRefusals = 300;

}  // namespace

struct Pump::News {
  News(Pump* owner, std::function<void(Turns::Task)> to) : pump(owner), post(std::move(to)) {}

  void Add(uint64_t handle) {
    bool first;
    {
      MutexLock lock(mu);
      first = handles.empty();
      handles.push_back(handle);
    }
    // The pump lives when the task runs: `post` sees to it.
    if (first) post([pump = pump] { pump->TakeNews(); });
  }

  Pump* const pump;
  const std::function<void(Turns::Task)> post;
  Mutex mu;  // Leaf.
  std::vector<uint64_t> handles ABSL_GUARDED_BY(mu);
};

Pump::Pump(Deps deps) : deps_(std::move(deps)), news_(std::make_shared<News>(this, deps_.post)) {}

Pump::~Pump() { Clear(); }

void Pump::Add(uint64_t handle, ReadRange range) {
  auto& reader = readers_[handle];
  reader = std::make_unique<Reader>(handle, std::move(range));
  ++running_;
  MarkReady(*reader);
}

void Pump::Remove(uint64_t handle) {
  const auto it = readers_.find(handle);
  if (it == readers_.end()) return;
  Stop(*it->second);
  readers_.erase(it);
}

void Pump::Clear() {
  for (auto& [handle, reader] : readers_) Stop(*reader);
  readers_.clear();
  ready_.clear();
  cold_.clear();
}

Pump::Reader* Pump::Find(uint64_t handle) const {
  const auto it = readers_.find(handle);
  return it == readers_.end() ? nullptr : it->second.get();
}

void Pump::MarkReady(Reader& reader) {
  if (reader.ready || reader.stopped) return;
  reader.ready = true;
  ready_.push_back(reader.handle);
}

void Pump::TakeNews() {
  std::vector<uint64_t> handles;
  {
    MutexLock lock(news_->mu);
    handles.swap(news_->handles);
  }
  for (const uint64_t handle : handles) {
    Reader* reader = Find(handle);
    if (reader == nullptr) continue;
    reader->wake = 0;
    MarkReady(*reader);
  }
}

void Pump::Fill(bool alone, OutgoingFrame* frame) {
  const size_t used = std::max(kFrameHeadBytes, frame->control.ByteSizeLong());
  const size_t limit = std::min(deps_.target_frame_bytes, deps_.max_frame_bytes);
  frame_room_ = limit > used ? limit - used : 0;
  frame_alone_ = alone;
  while (!ready_.empty() && deps_.credit.open() && failure_.ok()) {
    const uint64_t handle = ready_.front();
    ready_.pop_front();
    Reader* reader = Find(handle);
    if (reader == nullptr) continue;
    reader->ready = false;
    const Outcome outcome = Serve(*reader, frame);
    if (outcome == Outcome::kFrameFull) {
      reader->ready = true;
      ready_.push_front(handle);
      break;
    }
    if (outcome == Outcome::kMore) MarkReady(*reader);
  }
  StartReads();
}

Pump::Outcome Pump::Serve(Reader& reader, OutgoingFrame* frame) {
  const size_t turn = ready_.empty() ? std::numeric_limits<size_t>::max() : kTurnBytes;
  if (reader.buffer.empty()) Refill(reader);
  size_t bytes = 0;
  while (bytes < turn && !reader.buffer.empty() && !reader.stopped) {
    if (AtEnd(reader)) {
      ReachedEnd(reader);
      return Outcome::kIdle;
    }
    if (!deps_.credit.open()) return Outcome::kFrameFull;
    if (ServeOneBatch(reader, frame, &bytes) == Outcome::kFrameFull) return Outcome::kFrameFull;
  }
  if (reader.stopped) return Outcome::kIdle;
  if (reader.cold && reader.buffer.bytes() <= kReadAheadBytes) Refill(reader);
  if (!reader.buffer.empty()) return Outcome::kMore;
  if (bytes > 0 && !AtEnd(reader)) return Outcome::kMore;  // There may be more; others first.
  Settle(reader);
  return Outcome::kIdle;
}

Pump::Outcome Pump::ServeOneBatch(Reader& reader, OutgoingFrame* frame, size_t* bytes) {
  BatchBuffer& buffer = reader.buffer;
  const size_t token_bytes = tokens_ == nullptr ? 0 : kTokenBytes;
  const size_t overhead = BatchOverheadBytes(buffer.front()) + token_bytes;
  const size_t room = frame_room_ > overhead ? frame_room_ - overhead : 0;
  // A batch is cut only when it does not fit into a frame of its own.
  if (!frame->batches.empty() && buffer.front_bytes() > room) return Outcome::kFrameFull;
  int64_t max_events = std::min<int64_t>(deps_.credit.events(), buffer.front_events());
  if (reader.range.end.has_value()) {
    max_events = std::min(max_events, Lag(buffer.position(), *reader.range.end));
  }
  const auto events = static_cast<uint32_t>(max_events);
  OutgoingBatch out =
      buffer.Take(events, std::min(room, static_cast<size_t>(deps_.credit.bytes())));
  if (out.count == 0) {
    const size_t next = buffer.next_event_bytes();
    const size_t frame_bytes = kFrameHeadBytes + overhead + next;
    if (next == 0) {
      TellDamaged(reader);
      return Outcome::kIdle;
    }
    if (next > room && frame_bytes > deps_.max_frame_bytes) {
      TellTooLarge(reader, next, frame_bytes);
      return Outcome::kIdle;
    }
    if (next > room && (!frame->batches.empty() || !frame_alone_)) return Outcome::kFrameFull;
    out = buffer.Take(1, next);
  }
  out.assignment = reader.handle;
  if (tokens_ != nullptr) {
    out.delivery_token = tokens_->Make(
        {group_, reader.handle, reader.range.id(), out.base_offset, out.count, /*attempt=*/0});
  }
  const size_t size = out.payload.size();
  *bytes += size;
  buffered_ -= size;
  frame_room_ -= std::min(frame_room_, size + overhead);
  deps_.credit.Spend(out.count, static_cast<int64_t>(size));
  deps_.delivered.events.fetch_add(out.count, std::memory_order_relaxed);
  deps_.delivered.bytes.fetch_add(static_cast<int64_t>(size), std::memory_order_relaxed);
  frame->batches.push_back(std::move(out));
  if (AtEnd(reader)) ReachedEnd(reader);
  return Outcome::kMore;
}

bool Pump::AtEnd(const Reader& reader) const {
  const ReadRange& range = reader.range;
  if (range.end.has_value() && reader.buffer.position() >= *range.end) return true;
  return range.until_us.has_value() && !reader.buffer.empty() &&
         reader.buffer.front().append_time_us >= *range.until_us;
}

void Pump::Settle(Reader& reader) {
  if (reader.reading) return;
  if (!reader.problem.ok()) return Fail(reader);
  if (AtEnd(reader) || TimeIsOver(reader)) return ReachedEnd(reader);
  WaitForNews(reader);
}

bool Pump::TimeIsOver(Reader& reader) {
  if (!reader.range.until_us.has_value()) return false;
  const auto extent = deps_.engine.Extent(reader.range.id());
  if (!extent.ok()) return false;
  // What is written and not yet visible is news when it is.
  if (extent->written_before_us >= *reader.range.until_us) {
    return extent->end == reader.buffer.position();
  }
  if (reader.timer != 0) return false;
  const absl::Duration left = absl::FromUnixMicros(*reader.range.until_us) - deps_.engine.Now();
  reader.timer = deps_.timer.After(std::max(left, kWrittenLook),
                                   [this, post = deps_.post, handle = reader.handle] {
                                     post([this, handle] {
                                       Reader* waiting = Find(handle);
                                       if (waiting == nullptr) return;
                                       waiting->timer = 0;
                                       MarkReady(*waiting);
                                     });
                                   });
  return false;
}

void Pump::WaitForNews(Reader& reader) {
  if (reader.wake != 0) return;
  const auto wake =
      deps_.engine.WhenPast(reader.range.id(), reader.buffer.position(),
                            [news = news_, handle = reader.handle] { news->Add(handle); });
  if (wake.ok()) {
    reader.wake = *wake;
  } else {
    reader.problem = wake.status();
    Fail(reader);
  }
}

void Pump::Refill(Reader& reader) {
  if (reader.reading || !reader.problem.ok()) return;
  if (reader.range.end.has_value() && reader.buffer.end() >= *reader.range.end) return;
  const auto cached =
      deps_.engine.ReadCached(reader.range.id(), reader.buffer.end(),
                              ready_.empty() ? deps_.target_frame_bytes : kTurnBytes);
  if (!cached.ok()) {
    reader.problem = cached.status();
  } else if (cached->has_value()) {
    reader.cold = false;
    Append(reader, **cached);
  } else {
    reader.cold = true;
    reader.reading = true;
    cold_.push_back(reader.handle);
  }
}

void Pump::Append(Reader& reader, const std::vector<BatchPtr>& batches) {
  const size_t before = reader.buffer.bytes();
  reader.buffer.Append(batches);
  buffered_ += reader.buffer.bytes() - before;
}

void Pump::StartReads() {
  while (!cold_.empty() && reads_ < kMaxReads && buffered_ < kMaxBufferedBytes) {
    const uint64_t handle = cold_.front();
    cold_.pop_front();
    const Reader* reader = Find(handle);
    if (reader == nullptr || reader->stopped) continue;
    ++reads_;
    const CatchUpPace::Turn turn = deps_.pace.Next();
    if (turn.wait == absl::ZeroDuration()) {
      Read(handle, turn.bytes);
      continue;
    }
    deps_.timer.After(turn.wait, [this, post = deps_.post, handle, bytes = turn.bytes] {
      post([this, handle, bytes] { Read(handle, bytes); });
    });
  }
}

void Pump::Read(uint64_t handle, size_t bytes) {
  const Reader* reader = Find(handle);
  if (reader == nullptr || reader->stopped) {
    --reads_;
    return StartReads();
  }
  deps_.pool.Post([this, &engine = deps_.engine, post = deps_.post, handle, bytes,
                   id = reader->range.id(), from = reader->buffer.end()] {
    // The stream may be gone here: only `post` asks whether it is.
    post([this, handle, bytes, read = engine.Read(id, from, bytes)] {
      OnRead(handle, bytes, read);
    });
  });
}

void Pump::OnRead(uint64_t handle, size_t asked,
                  const absl::StatusOr<std::vector<BatchPtr>>& read) {
  --reads_;
  Reader* reader = Find(handle);
  if (reader != nullptr && !reader->stopped) {
    if (!read.ok() && ReadsAgain(*reader, read.status())) return StartReads();
    reader->reading = false;
    reader->refusals = 0;
    if (read.ok()) {
      const size_t before = reader->buffer.bytes();
      Append(*reader, *read);
      const size_t bytes = reader->buffer.bytes() - before;
      if (bytes > asked) deps_.pace.Also(bytes - asked);
    } else {
      reader->problem = read.status();
    }
    MarkReady(*reader);
  }
  StartReads();
}

bool Pump::ReadsAgain(Reader& reader, const absl::Status& status) {
  if (!DetailsOf(status).contains(kIoErrorDetail) || ++reader.refusals >= kMostRefusals) {
    return false;
  }
  if (reader.refusals == 1) {
    LogWarn("events cannot be read for a subscription: tried again",
            {{"topic", reader.range.topic->name()},
             {"partition", reader.range.partition},
             {"offset", reader.buffer.end().value()},
             {"cause", status.message()}});
  }
  deps_.timer.After(kReadAgain, [this, post = deps_.post, handle = reader.handle] {
    post([this, handle] {
      cold_.push_back(handle);
      StartReads();
    });
  });
  return true;
}

void Pump::StopWaiting(Reader& reader) {
  if (reader.wake != 0) deps_.engine.CancelWake(reader.range.id(), std::exchange(reader.wake, 0));
  if (reader.timer != 0) deps_.timer.Cancel(std::exchange(reader.timer, 0));
}

void Pump::Stop(Reader& reader) {
  if (reader.stopped) return;
  reader.stopped = true;
  --running_;
  StopWaiting(reader);
  buffered_ -= reader.buffer.bytes();
  reader.buffer.Clear();
}

}  // namespace acta
