#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "storage/base/ids.h"

namespace rocksdb {
class TablePropertiesCollectorFactory;
struct TableProperties;
}  // namespace rocksdb

namespace acta {

// What one file, or one slice, holds of one partition.
struct PartitionSpan {
  Offset first;
  Offset last;               // Inclusive.
  uint64_t begin_bytes = 0;  // Payload bytes of the partition below `first`.
  uint64_t end_bytes = 0;    // Up to and including `last`.
  int64_t first_time_us = 0;
  int64_t last_time_us = 0;

  // Joins a span of the same partition, before or after this one.
  void Join(const PartitionSpan& other);
};

// What a table file says of itself in its properties: spans and the highest commit group.
struct TableExtents {
  std::map<PartitionId, PartitionSpan> spans;
  GroupNumber max_group;

  void Join(const TableExtents& other);
};

// The collector that writes them, for log families and row families alike.
std::shared_ptr<rocksdb::TablePropertiesCollectorFactory> MakeExtentsCollector();
// False when the file has no (readable) extents.
bool ReadExtents(const rocksdb::TableProperties& properties, TableExtents* out);
// What the file holds of one partition; nullopt: nothing, or it does not say.
std::optional<PartitionSpan> ReadSpan(const rocksdb::TableProperties& properties,
                                      PartitionId partition);

}  // namespace acta
