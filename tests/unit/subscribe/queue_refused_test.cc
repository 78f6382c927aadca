// Events of a QUEUE group that the disk does not give, several at once.
#include "tests/unit/subscribe/queue_room.h"

namespace acta {
namespace {

TEST_CASE("of two events that the disk does not give each is waited for by itself", "[queue]") {
  QueueRoom room;
  room.PublishNumbers(0, 20, 10);
  room.engine.SetCachedReads(false);
  Client& client = room.Work();
  REQUIRE(client.sink.leased.size() == 20);
  v1::Settlement later;  // The first one comes again when the other one's time is nearly over.
  later.set_assignment(client.sink.leased[0].assignment);
  later.set_offset(0);
  later.set_kind(v1::SETTLE_KIND_NACK);
  later.mutable_delay()->set_seconds(280);
  client.Settle(later);
  client.Nack(client.sink.leased[10]);
  client.Settle(v1::SETTLE_KIND_ACK, client.sink.leased[1], 9);
  client.Settle(v1::SETTLE_KIND_ACK, client.sink.leased[11], 9);
  room.Run();
  for (const int64_t offset : {0, 10}) {
    room.engine.FailReadsAt(
        room.Id(0), Offset(offset),
        Error(v1::DATA_CORRUPTED, "cannot be read", {{kIoErrorDetail, "true"}}));
  }
  room.Wait(absl::Minutes(6));
  REQUIRE(client.sink.gaps().size() == 1);
  CHECK(client.sink.gaps()[0].first_lost() == 10);
  CHECK(client.sink.gaps()[0].last_lost() == 10);
  CHECK(client.sink.leased.size() == 20);
}

}  // namespace
}  // namespace acta
