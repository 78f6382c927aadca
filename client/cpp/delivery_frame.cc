#include "client/cpp/delivery_frame.h"

#include <limits>
#include <map>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cpp/delivery_rep.h"
#include "proto/support/error.h"
#include "proto/support/wire.h"
#include "storage/base/status_macros.h"

namespace acta::client {
namespace {

constexpr uint32_t kBatchesTag = WireTag(1, kWireBytes);

absl::Status Malformed(absl::string_view what) {
  return Error(v1::MALFORMED_MESSAGE, absl::StrCat("a delivery frame of the broker: ", what));
}

// Collects consecutive pieces of one text; copies only when there is something between them.
class Pieces {
 public:
  void Add(absl::string_view piece) {
    if (gathered_ != nullptr) {
      gathered_->append(piece.data(), piece.size());
    } else if (run_.empty()) {
      run_ = piece;
    } else if (run_.data() + run_.size() == piece.data()) {
      run_ = absl::string_view(run_.data(), run_.size() + piece.size());
    } else {
      gathered_ = std::make_shared<std::string>(absl::StrCat(run_, piece));
    }
  }
  // Null while view() lies in the text itself.
  std::shared_ptr<const std::string> gathered() const { return gathered_; }
  absl::string_view view() const { return gathered_ != nullptr ? *gathered_ : run_; }

 private:
  absl::string_view run_;
  std::shared_ptr<std::string> gathered_;
};

// Splits a message into the fields of `tag` and all others. `each` gets the bytes of the first.
template <typename Each>
absl::Status Split(absl::string_view bytes, uint32_t wanted, std::string* others, Each each) {
  WireReader reader(bytes);
  while (!reader.AtEnd()) {
    const char* const begin = reader.position();
    uint32_t tag = 0;
    WireFault fault = reader.ReadTag(&tag);
    absl::string_view value;
    if (fault == WireFault::kNone) {
      fault = tag == wanted ? reader.ReadBytes(&value) : reader.SkipValue(tag);
    }
    if (fault != WireFault::kNone) return Malformed(Describe(fault));
    const absl::string_view field(begin, static_cast<size_t>(reader.position() - begin));
    if (tag == wanted) {
      RETURN_IF_ERROR(each(field, value));
    } else {
      others->append(field.data(), field.size());
    }
  }
  return absl::OkStatus();
}

// Offsets rise, from 0 at the earliest, and leave room for the next one.
bool AreOffsets(const v1::DeliveredBatch& header, int64_t count) {
  int64_t delta = -1;
  for (const int32_t next : header.offset_deltas()) {
    if (next <= delta) return false;
    delta = next;
  }
  const int64_t last = header.offset_deltas().empty() ? count - 1 : delta;
  return header.base_offset() >= 0 &&
         header.base_offset() < std::numeric_limits<int64_t>::max() - last;
}

}  // namespace

absl::StatusOr<DeliveryFrame> DeliveryFrameReader::Read(std::shared_ptr<const void> owner,
                                                        absl::string_view bytes) {
  DeliveryFrame frame;
  std::string control;
  RETURN_IF_ERROR(Split(bytes, kBatchesTag, &control,
                        [&](absl::string_view, absl::string_view batch) -> absl::Status {
                          ASSIGN_OR_RETURN(Delivery delivery, ReadBatch(owner, batch));
                          frame.deliveries.push_back(std::move(delivery));
                          return absl::OkStatus();
                        }));
  if (!frame.control.ParseFromString(control)) return Malformed("it cannot be parsed");
  return frame;
}

absl::StatusOr<Delivery> DeliveryFrameReader::ReadBatch(const std::shared_ptr<const void>& owner,
                                                        absl::string_view bytes) {
  Delivery delivery;
  Delivery::Rep& rep = *delivery.rep_;
  Pieces events;
  std::string header_bytes;
  RETURN_IF_ERROR(Split(bytes, EventElements::kTag, &header_bytes,
                        [&](absl::string_view element, absl::string_view) {
                          events.Add(element);
                          ++rep.count;
                          return absl::OkStatus();
                        }));
  v1::DeliveredBatch header;
  if (!header.ParseFromString(header_bytes)) return Malformed("a batch cannot be parsed");
  if (rep.count == 0 ||
      (header.offset_deltas_size() != 0 && header.offset_deltas_size() != rep.count)) {
    return Malformed("a batch has other events than offsets");
  }
  if (!AreOffsets(header, rep.count)) return Malformed("a batch has impossible offsets");
  rep.owner = events.gathered() != nullptr ? events.gathered() : owner;
  rep.payload = events.view();
  rep.context = header.context();
  rep.assignment = header.assignment();
  rep.base_offset = header.base_offset();
  rep.incarnation = header.incarnation();
  rep.append_time_us = header.append_time_us();
  rep.lease_until_us = header.lease_until_us();
  rep.attempt = header.attempt();
  rep.redrives = header.redrives();
  rep.redrive_id = header.redrive_id();
  rep.delivery_token = header.delivery_token();
  rep.offset_deltas.assign(header.offset_deltas().begin(), header.offset_deltas().end());
  return delivery;
}

absl::Status StatusOfGap(const v1::Gap& gap, const std::string& topic, int32_t partition) {
  const absl::Status status = FromProto(gap.status());
  std::map<std::string, std::string> details = DetailsOf(status);
  details["topic"] = topic;
  details["partition"] = absl::StrCat(partition);
  return Error(ReasonOf(status), status.message(), {details.begin(), details.end()});
}

}  // namespace acta::client
