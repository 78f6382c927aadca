// Dead letters that are replaced by a corrected event.
#include "tests/unit/settle/step_room.h"

namespace acta {
namespace {

// A dead letter of the event `order-7`.
v1::DeadLetterRef MakeDeadLetter(StepRoom& room) {
  v1::Event order;
  order.set_id("order-7");
  order.set_data("bad");
  room.PublishEvent(order);
  Client& client = room.Work();
  client.Settle(v1::SETTLE_KIND_REJECT, client.sink.leased.back());
  room.Run();
  const v1::ListDeadLettersResponse letters = room.DeadLetters();
  REQUIRE(letters.dead_letters_size() == 1);
  return letters.dead_letters(0).ref();
}

v1::EditDeadLetterRequest EditOf(const v1::DeadLetterRef& ref) {
  v1::EditDeadLetterRequest request;
  request.set_group("workers");
  *request.mutable_ref() = ref;
  request.mutable_event()->set_data("good");
  return request;
}

TEST_CASE("a dead letter is replaced by a corrected event, which it caused", "[step]") {
  StepRoom room;
  const v1::EditDeadLetterRequest request = EditOf(MakeDeadLetter(room));
  std::optional<absl::StatusOr<v1::EditDeadLetterResponse>> answer;
  answer = room.settler.EditDeadLetter(room.caller, request);
  REQUIRE_OK(*answer);
  CHECK((*answer)->batch().parts(0).base_offset() == 1);
  room.Run();
  CHECK(room.DeadLetters().dead_letters().empty());
  CHECK(room.Rows("deadletter/") == 0);
  CHECK(room.Rows("attempt/") == 0);
  CHECK(room.DataOf(*room.clients.back()) == Strings{"bad", "good"});
  const auto batches = room.engine.Read(room.Id(0), Offset(1), 1);
  REQUIRE_OK(batches);
  CHECK(room.ContextOf(batches->front()).causation_id() == "order-7");
  CHECK(ReasonOf(room.settler.EditDeadLetter(room.caller, request).status()) ==
        v1::DEAD_LETTER_NOT_FOUND);
}

TEST_CASE("a chain of corrected events ends at 64 too", "[step]") {
  StepRoom room;
  v1::EditDeadLetterRequest request = EditOf(MakeDeadLetter(room));
  Client& client = *room.clients.back();
  for (int64_t depth = 1; depth <= 64; ++depth) {
    REQUIRE_OK(room.settler.EditDeadLetter(room.caller, request));
    room.Run();
    REQUIRE(client.sink.leased.back().offset == depth);
    client.Settle(v1::SETTLE_KIND_REJECT, client.sink.leased.back());
    room.Run();
    request.mutable_ref()->set_offset(depth);
  }
  CHECK(ReasonOf(room.settler.EditDeadLetter(room.caller, request).status()) ==
        v1::CAUSATION_TOO_DEEP);
  CHECK(room.DeadLetters().dead_letters_size() == 1);
}

TEST_CASE("an edit that is refused leaves the dead letter", "[step]") {
  StepRoom room;
  v1::EditDeadLetterRequest request = EditOf(MakeDeadLetter(room));
  request.mutable_event()->set_key(std::string(1025, 'k'));
  CHECK(ReasonOf(room.settler.EditDeadLetter(room.caller, request).status()) == v1::KEY_TOO_LARGE);
  request.mutable_event()->clear_key();
  room.engine.SetDiskState(DiskState::kSoft);
  CHECK(ReasonOf(room.settler.EditDeadLetter(room.caller, request).status()) == v1::DISK_FULL);
  room.engine.SetDiskState(DiskState::kOk);
  CHECK(room.DeadLetters().dead_letters_size() == 1);
  REQUIRE_OK(room.settler.EditDeadLetter(room.caller, request));
}

}  // namespace
}  // namespace acta
