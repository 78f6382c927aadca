#include "storage/rocks/table_extents.h"

#include <rocksdb/table_properties.h>

#include <algorithm>

#include "storage/base/bytes.h"
#include "storage/layout/batch_header.h"
#include "storage/layout/engine_rows.h"

namespace acta {
namespace {

constexpr char kSpansProperty[] = "acta.spans";
constexpr char kGroupProperty[] = "acta.max_group";
constexpr size_t kSpanSize = 56;

absl::string_view BytesOf(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

std::string Encode(const std::map<PartitionId, PartitionSpan>& spans) {
  std::string out;
  out.reserve(spans.size() * kSpanSize);
  for (const auto& [partition, span] : spans) {
    PutBig64(&out, partition.value());
    PutBig64(&out, static_cast<uint64_t>(span.first.value()));
    PutBig64(&out, static_cast<uint64_t>(span.last.value()));
    PutBig64(&out, span.begin_bytes);
    PutBig64(&out, span.end_bytes);
    PutBig64(&out, static_cast<uint64_t>(span.first_time_us));
    PutBig64(&out, static_cast<uint64_t>(span.last_time_us));
  }
  return out;
}

PartitionSpan DecodeSpan(const char* in) {
  PartitionSpan span;
  span.first = Offset(static_cast<int64_t>(GetBig64(in + 8)));
  span.last = Offset(static_cast<int64_t>(GetBig64(in + 16)));
  span.begin_bytes = GetBig64(in + 24);
  span.end_bytes = GetBig64(in + 32);
  span.first_time_us = static_cast<int64_t>(GetBig64(in + 40));
  span.last_time_us = static_cast<int64_t>(GetBig64(in + 48));
  return span;
}

bool Decode(absl::string_view in, std::map<PartitionId, PartitionSpan>* out) {
  if (in.size() % kSpanSize != 0) return false;
  for (; !in.empty(); in.remove_prefix(kSpanSize)) {
    out->emplace(PartitionId(GetBig64(in.data())), DecodeSpan(in.data()));
  }
  return true;
}

class Collector final : public rocksdb::TablePropertiesCollector {
 public:
  rocksdb::Status AddUserKey(const rocksdb::Slice& key, const rocksdb::Slice& value,
                             rocksdb::EntryType type, rocksdb::SequenceNumber, uint64_t) override {
    if (type != rocksdb::kEntryPut) return rocksdb::Status::OK();
    if (BytesOf(key) == kGroupRow && value.size() == 8) {
      Saw(GroupNumber(GetLittle<uint64_t>(value.data())));
      return rocksdb::Status::OK();
    }
    const auto header = DecodeBatchHeader(BytesOf(value));
    if (!header.ok()) return rocksdb::Status::OK();  // A row, not a batch.
    Saw(header->group);
    PartitionSpan span;
    span.first = header->base_offset;
    span.last = header->last();
    span.begin_bytes = header->end_bytes - header->payload_len;
    span.end_bytes = header->end_bytes;
    span.first_time_us = span.last_time_us = header->append_time_us;
    const auto [at, added] = extents_.spans.emplace(header->partition, span);
    if (!added) at->second.Join(span);
    return rocksdb::Status::OK();
  }

  rocksdb::Status Finish(rocksdb::UserCollectedProperties* properties) override {
    *properties = GetReadableProperties();
    return rocksdb::Status::OK();
  }

  rocksdb::UserCollectedProperties GetReadableProperties() const override {
    std::string group(8, '\0');
    PutLittle<uint64_t>(group.data(), extents_.max_group.value());
    return {{kSpansProperty, Encode(extents_.spans)}, {kGroupProperty, group}};
  }

  const char* Name() const override { return "acta.extents"; }

 private:
  void Saw(GroupNumber group) { extents_.max_group = std::max(extents_.max_group, group); }

  TableExtents extents_;
};

class Factory final : public rocksdb::TablePropertiesCollectorFactory {
 public:
  rocksdb::TablePropertiesCollector* CreateTablePropertiesCollector(Context) override {
    return new Collector;  // RocksDB owns it.
  }
  const char* Name() const override { return "acta.extents"; }
};

}  // namespace

void PartitionSpan::Join(const PartitionSpan& other) {
  if (other.first < first) {
    first = other.first;
    begin_bytes = other.begin_bytes;
    first_time_us = other.first_time_us;
  }
  if (other.last > last) {
    last = other.last;
    end_bytes = other.end_bytes;
    last_time_us = other.last_time_us;
  }
}

void TableExtents::Join(const TableExtents& other) {
  max_group = std::max(max_group, other.max_group);
  for (const auto& [partition, span] : other.spans) {
    const auto [at, added] = spans.emplace(partition, span);
    if (!added) at->second.Join(span);
  }
}

std::shared_ptr<rocksdb::TablePropertiesCollectorFactory> MakeExtentsCollector() {
  return std::make_shared<Factory>();
}

bool ReadExtents(const rocksdb::TableProperties& properties, TableExtents* out) {
  const auto& user = properties.user_collected_properties;
  const auto spans = user.find(kSpansProperty);
  const auto group = user.find(kGroupProperty);
  if (spans == user.end() || group == user.end() || group->second.size() != 8) return false;
  TableExtents extents;
  if (!Decode(spans->second, &extents.spans)) return false;
  extents.max_group = GroupNumber(GetLittle<uint64_t>(group->second.data()));
  out->Join(extents);
  return true;
}

std::optional<PartitionSpan> ReadSpan(const rocksdb::TableProperties& properties,
                                      PartitionId partition) {
  const auto spans = properties.user_collected_properties.find(kSpansProperty);
  if (spans == properties.user_collected_properties.end()) return std::nullopt;
  const absl::string_view in = spans->second;
  // In the order of partitions: halved without decoding the others.
  size_t low = 0;
  size_t high = in.size() / kSpanSize;
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    const char* span = in.data() + middle * kSpanSize;
    const PartitionId at(GetBig64(span));
    if (at == partition) return DecodeSpan(span);
    if (at < partition) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return std::nullopt;
}

}  // namespace acta
