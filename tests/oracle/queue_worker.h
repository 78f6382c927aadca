#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <grpcpp/grpcpp.h>

#include "absl/time/time.h"
#include "acta/v1/subscriber.grpc.pb.h"
#include "storage/base/mutex.h"
#include "tests/oracle/load.h"
#include "tests/oracle/queue_decider.h"
#include "tests/oracle/queue_records.h"

namespace acta::oracle {

// Where steps publish: the line of a kResult.
inline constexpr char kResultTopic[] = "results";

// A QUEUE group of the load.
struct QueueGroup {
  int32_t number = 0;  // In the history.
  std::string name;
  QueueOrderWord order = QueueOrderWord::kUnordered;
  bool holds = false;  // The last attempt of an event holds its key.
  int32_t max_attempts = 0;
  absl::Duration lease, first_backoff, longest_backoff;
  bool healthy = false;  // No member fails an event.
};

// What the workers of a load share.
struct QueueWork {
  const LoadContext& load;  // Stopped: the group is through, everybody leaves.
  const QueueGroup& group;
  StopFlag& calm;  // Stopped: nobody comes and goes, and nothing begins that takes long.
  QueueDecider* decider = nullptr;  // Of what is held.
};

// An event that a worker has.
struct InHand {
  int32_t partition = 0;
  int64_t offset = 0;
  int64_t generation = 0;  // Of the assignment it came under.
  int32_t attempt = 0;
  int32_t redrives = 0;
  int64_t until_us = 0;  // Of the lease it was delivered with.
  int64_t key = 0;
  Value value;
  std::string token;  // Empty: from a former life of the broker.
  absl::Time due;     // Not settled before; the epoch: it was never put off.
};

// One life of a worker of a QUEUE group on a bare Subscribe stream: it settles what it is leased,
// in no order, in every way there is, and notes what was delivered and what was answered.
//
// Threads: one, and one of its own that reads.
class QueueWorker {
 public:
  // `session` is unique in the load; `held` is in its hands since before the broker was gone.
  QueueWorker(const QueueWork& work, int32_t worker, int64_t session, RecordFile* file,
              std::vector<InHand> held);

  // Ends when the stream does, when the group is through, or after `most` settled events (0: no
  // bound): then it leaves cleanly or breaks its stream. Returns what it had in hand when the
  // broker was gone.
  std::vector<InHand> Run(int64_t most);

 private:
  using Stream = grpc::ClientReaderWriter<v1::SubscribeControl, v1::DeliveryFrame>;
  struct Asked {
    InHand event;
    SettleOp op = SettleOp::kAck;
    int64_t since_us = 0;
    int64_t delay_us = -1;
    bool step = false;
  };

  bool Start();
  void Work(int64_t most);
  // What can be settled now, a few.
  std::vector<InHand> TakeSome();
  std::vector<Asked> Decide(std::vector<InHand> events);
  SettleOp DecideOne(const InHand& event, int64_t* delay_us);
  bool Settle(std::vector<Asked> asked);
  // Takes those out that are settled each in one write with a result. False: the stream ended.
  bool MakeSteps(std::vector<Asked>* asked);
  void Step(Asked asked);
  bool GiveCredit(int64_t events);
  bool Send(v1::SubscribeControl control);
  void End(bool breaks);
  void Leave();
  // True when everything it has credit for is there.
  bool HasAll();

  void Read();
  void TakeFrame(const v1::DeliveryFrame& frame);
  void TakeBatch(const v1::DeliveredBatch& batch, std::vector<QueueRecord>* records)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void TakeError(const v1::ControlError& error, std::vector<QueueRecord>* records)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  SessionEnd Finish();
  // What may be held, and what is settled.
  void TellDecider(const std::vector<QueueRecord>& records) const;

  uint64_t Random(uint64_t below) { return chance_() % below; }
  QueueRecord Of(QueueRecord::Kind kind, const InHand& event) const;
  QueueRecord Of(QueueRecord::Kind kind, const Asked& asked) const;

  const QueueWork& work_;
  const int32_t worker_;
  const int64_t session_;
  RecordFile* const file_;
  std::mt19937_64 chance_;
  grpc::ClientContext context_;
  std::unique_ptr<v1::Subscriber::Stub> stub_;
  std::unique_ptr<Stream> stream_;
  uint64_t frame_id_ = 0;
  int64_t granted_ = 0;  // Credit.
  int64_t settled_ = 0;
  bool cancelled_ = false;
  bool knows_all_ = false;  // That it was leased, when it broke its stream.
  bool left_ = false;

  Mutex mu_;  // Leaf.
  CondVar news_;
  std::map<uint64_t, int32_t> partitions_ ABSL_GUARDED_BY(mu_);   // By assignment.
  std::map<int32_t, uint64_t> assignments_ ABSL_GUARDED_BY(mu_);  // By partition.
  std::map<int32_t, int64_t> generations_ ABSL_GUARDED_BY(mu_);   // The same.
  std::deque<InHand> hand_ ABSL_GUARDED_BY(mu_);
  std::map<uint64_t, std::vector<Asked>> asked_ ABSL_GUARDED_BY(mu_);  // By frame, until answered.
  int64_t received_ ABSL_GUARDED_BY(mu_) = 0;
  bool ended_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace acta::oracle
