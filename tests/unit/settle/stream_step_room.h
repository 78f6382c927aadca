#pragma once

#include <string>

#include "tests/unit/settle/step_room.h"

namespace acta {

// A room with the STREAM group `readers` on `orders`.
class StreamStepRoom : public StepRoom {
 public:
  Client& Read(const std::string& member_id = "reader") {
    v1::SubscribeStart start = Member("readers", member_id);
    start.add_wanted_features("DELIVERY_TOKENS");
    return Subscribe(start);
  }
  static v1::SettleRequest Step(const RecordingSink::Piece& piece, const std::string& bill = "") {
    RecordingSink::Leased event;
    event.token = piece.token;
    event.offset = piece.offset;
    v1::SettleRequest request = StepRoom::Step(event, bill);
    request.set_group("readers");
    request.mutable_processed(0)->set_count(piece.count);
    return request;
  }
  int64_t Committed(int32_t partition = 0) { return Lag("readers", partition).committed_offset(); }
};

}  // namespace acta
