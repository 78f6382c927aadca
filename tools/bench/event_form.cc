#include "tools/bench/event_form.h"

#include <cstring>

#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "client/cpp/publisher.h"
#include "proto/support/partitioner.h"

namespace acta::bench {
namespace {

constexpr size_t kIdBytes = 16;
constexpr size_t kIdBegin = 2;  // Tag and length come first.
constexpr size_t kTimeBytes = 8;

// 16 hexadecimal digits.
void WriteId(uint64_t number, char* to) {
  static constexpr char kDigits[] = "0123456789abcdef";
  for (size_t i = kIdBytes; i-- > 0; number >>= 4) to[i] = kDigits[number & 15];
}

void WriteTime(int64_t nanos, char* to) { memcpy(to, &nanos, kTimeBytes); }

// Some key for each partition.
std::vector<std::string> KeysOf(int32_t partitions) {
  std::vector<std::string> keys(static_cast<size_t>(partitions));
  for (int32_t number = 0, missing = partitions; missing > 0; ++number) {
    std::string key = absl::StrFormat("key%05d", number);
    std::string& place = keys[static_cast<size_t>(PartitionOfKey(key, partitions))];
    if (!place.empty()) continue;
    place = std::move(key);
    --missing;
  }
  return keys;
}

}  // namespace

EventForm::EventForm(int32_t event_bytes, int32_t partitions)
    : keys_(KeysOf(partitions)), data_bytes_(kTimeBytes) {
  // The lengths of lengths depend on the data: grow it until the event has its size.
  const auto size = [this] { return static_cast<int32_t>(Make(0, 0, 0).ByteSizeLong()); };
  while (size() < event_bytes) ++data_bytes_;
  event_bytes_ = size();
  std::string element;
  client::AppendElement(Make(0, 0, 0), &element);
  element_bytes_ = element.size();
}

v1::Event EventForm::Make(int32_t partition, uint64_t number, int64_t time_nanos) const {
  v1::Event event;
  event.set_type("OrderPlaced1");
  event.set_key(keys_[static_cast<size_t>(partition)]);
  event.mutable_id()->resize(kIdBytes);
  event.mutable_data()->assign(data_bytes_, 'x');
  Renew(number, time_nanos, &event);
  return event;
}

void EventForm::Renew(uint64_t number, int64_t time_nanos, v1::Event* event) const {
  WriteId(number, event->mutable_id()->data());
  WriteTime(time_nanos, event->mutable_data()->data());
}

std::string EventForm::Batch(int32_t partition, uint32_t count, uint64_t first_number,
                             int64_t time_nanos) const {
  std::string batch;
  batch.reserve(count * element_bytes_);
  v1::Event event = Make(partition, first_number, time_nanos);
  for (uint32_t i = 0; i < count; ++i) {
    Renew(first_number + i, time_nanos, &event);
    client::AppendElement(event, &batch);
  }
  return batch;
}

// An element is tag and length, then the fields by number: the id first, the data last.
void EventForm::RenumberBatch(uint64_t first_number, std::string* batch) const {
  const size_t id_begin = element_bytes_ - static_cast<size_t>(event_bytes_) + kIdBegin;
  for (size_t at = id_begin; at < batch->size(); at += element_bytes_) {
    WriteId(first_number++, batch->data() + at);
  }
}

void EventForm::SetTime(uint32_t index, int64_t time_nanos, std::string* batch) const {
  WriteTime(time_nanos, batch->data() + (index + 1) * element_bytes_ - data_bytes_);
}

int64_t EventForm::TimeOf(absl::string_view event) const {
  int64_t nanos = 0;
  if (event.size() >= data_bytes_) {
    memcpy(&nanos, event.data() + event.size() - data_bytes_, kTimeBytes);
  }
  return nanos;
}

uint64_t EventForm::NumberOf(absl::string_view event) const {
  uint64_t number = 0;
  const bool fits = event.size() >= kIdBegin + kIdBytes &&
                    absl::SimpleHexAtoi(event.substr(kIdBegin, kIdBytes), &number);
  return fits ? number : ~uint64_t{0};
}

BatchSource::BatchSource(const EventForm& form, uint32_t count, bool unique, uint64_t first_number)
    : form_(form), count_(count), unique_(unique), next_number_(first_number) {
  for (int32_t partition = 0; partition < form.partitions(); ++partition) {
    templates_.push_back(
        std::make_shared<const std::string>(form.Batch(partition, count, next_number_, 0)));
    next_number_ += count;
  }
}

std::shared_ptr<const std::string> BatchSource::Next(int32_t* partition) {
  *partition = static_cast<int32_t>(turn_++ % templates_.size());
  const auto& ready = templates_[static_cast<size_t>(*partition)];
  if (!unique_) return ready;
  auto renewed = std::make_shared<std::string>(*ready);
  form_.RenumberBatch(next_number_, renewed.get());
  next_number_ += count_;
  return renewed;
}

}  // namespace acta::bench
