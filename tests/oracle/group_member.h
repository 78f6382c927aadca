#pragma once

#include <cstdint>
#include <map>
#include <memory>

#include <grpcpp/grpcpp.h>

#include "acta/v1/subscriber.grpc.pb.h"
#include "storage/base/mutex.h"
#include "tests/oracle/load.h"

namespace acta::oracle {

// One life of a member of the load's group on a bare Subscribe stream. Every commit is noted once
// the broker has confirmed it, before the next is read.
//
// Threads: one, and one of its own that ticks.
class GroupMember {
 public:
  GroupMember(const LoadContext& load, int32_t reader, RecordFile* file);

  // Ends when the stream does, after `most` batches (0: no bound), or when the load is stopped and
  // the group has read everything.
  void Run(int64_t most);

 private:
  using Stream = grpc::ClientReaderWriter<v1::SubscribeControl, v1::DeliveryFrame>;
  struct Asked {
    int32_t partition = 0;
    int64_t offset = 0;
  };

  bool Start();
  bool Send(v1::SubscribeControl control);
  // What a frame says, in the order that matters. False when nothing can be sent any more.
  bool Take(const v1::DeliveryFrame& frame);
  bool TakeBatch(const v1::DeliveredBatch& batch);
  void NoteSettled(const v1::DeliveryFrame& frame);
  void Note(Record::Kind kind);
  void TickUntilEnded();

  const LoadContext& load_;
  const int32_t reader_;
  RecordFile* const file_;
  grpc::ClientContext context_;
  std::unique_ptr<v1::Subscriber::Stub> stub_;
  std::unique_ptr<Stream> stream_;
  std::map<uint64_t, int32_t> partitions_;  // By assignment.
  std::map<uint64_t, Asked> asked_;         // Commits by frame id, until settled.
  int64_t batches_ = 0;
  bool joined_ = false;

  Mutex mu_;  // Held over a write to the stream.
  CondVar ended_wake_;
  uint64_t frame_id_ ABSL_GUARDED_BY(mu_) = 0;
  bool ended_ ABSL_GUARDED_BY(mu_) = false;
};

// How one delivered event is noted; kAlien when it is nobody's value.
Record Seen(int32_t reader, int32_t session, int32_t partition, int64_t offset, int64_t incarnation,
            absl::string_view data);

}  // namespace acta::oracle
