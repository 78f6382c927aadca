#include "storage/rocks/table_readers.h"

#include <rocksdb/db.h>
#include <rocksdb/options.h>
#include <rocksdb/sst_file_reader.h>

#include <algorithm>

#include "storage/rocks/rocks_options.h"
#include "storage/rocks/table_extents.h"

namespace acta {
namespace {

std::unique_ptr<const rocksdb::Options> OptionsOfTables(rocksdb::Env* env,
                                                        const RocksSettings& settings) {
  auto options =
      std::make_unique<rocksdb::Options>(rocksdb::DBOptions(), MakeSliceOptions(settings));
  options->env = env;
  return options;
}

// Of memory, about: what it reads by, and the rest of a reader.
size_t BytesOf(const rocksdb::SstFileReader& reader) {
  constexpr size_t kRest = size_t{8} << 10;
  const auto table = reader.GetTableProperties();
  return kRest + (table == nullptr ? 0 : table->index_size + table->filter_size);
}

}  // namespace

TableReaders::TableReaders(rocksdb::Env* env, const RocksSettings& settings)
    : most_open_(settings.open_tables),
      most_bytes_(settings.open_table_bytes),
      options_(OptionsOfTables(env, settings)) {}
TableReaders::~TableReaders() = default;

std::optional<std::string> TableReaders::FindPath(rocksdb::DB& db, const FamilyPtr& slice,
                                                  PartitionId partition, Offset at,
                                                  uint64_t flushes) {
  const Key key{slice->GetName(), partition};
  const auto path_in = [at](const Ranges& ranges) -> std::optional<std::string> {
    const auto range = std::partition_point(ranges.in_order.begin(), ranges.in_order.end(),
                                            [at](const Range& one) { return one.last < at; });
    const bool holds = range != ranges.in_order.end() && range->first <= at;
    return holds ? std::optional(range->path) : std::nullopt;
  };
  {
    MutexLock lock(mu_);
    if (const auto known = ranges_.find(key); known != ranges_.end()) {
      auto path = path_in(known->second);
      if (path.has_value() || known->second.flushes == flushes) return path;
    }
  }
  Ranges ranges{flushes, {}};
  rocksdb::TablePropertiesCollection tables;
  if (!db.GetPropertiesOfAllTables(slice.get(), &tables).ok()) return std::nullopt;
  for (const auto& [path, properties] : tables) {
    const auto span = ReadSpan(*properties, partition);
    if (span.has_value()) ranges.in_order.push_back({span->first, span->last, path});
  }
  std::sort(ranges.in_order.begin(), ranges.in_order.end(),
            [](const Range& a, const Range& b) { return a.last < b.last; });
  auto path = path_in(ranges);
  MutexLock lock(mu_);
  if (forgotten_.contains(slice->GetName())) return path;
  if (ranges_.size() >= kMostRanges) ranges_.clear();
  ranges_[key] = std::move(ranges);
  return path;
}

TableReaders::ReaderPtr TableReaders::OpenReader(const std::string& path) {
  const auto at = open_.find(path);
  if (at == open_.end()) return nullptr;
  at->second.used = ++uses_;
  return at->second.reader;
}

TableReaders::ReaderPtr TableReaders::Reader(const std::string& slice, const std::string& path) {
  {
    MutexLock lock(mu_);
    if (ReaderPtr open = OpenReader(path); open != nullptr) return open;
  }
  auto reader = std::make_shared<rocksdb::SstFileReader>(*options_);
  if (!reader->Open(path).ok()) return nullptr;
  const size_t bytes = BytesOf(*reader);
  std::vector<ReaderPtr> closed;  // Behind the lock.
  MutexLock lock(mu_);
  if (forgotten_.contains(slice)) return reader;
  if (ReaderPtr other = OpenReader(path); other != nullptr) return other;
  closed = MakeRoom(bytes);
  open_[path] = {slice, reader, bytes, ++uses_};
  open_bytes_ += bytes;
  return reader;
}

std::vector<TableReaders::ReaderPtr> TableReaders::MakeRoom(size_t bytes) {
  std::vector<ReaderPtr> closed;
  while (!open_.empty() && (open_.size() >= most_open_ || open_bytes_ + bytes > most_bytes_)) {
    const auto oldest = std::min_element(
        open_.begin(), open_.end(),
        [](const auto& a, const auto& b) { return a.second.used < b.second.used; });
    open_bytes_ -= oldest->second.bytes;
    closed.push_back(std::move(oldest->second.reader));
    open_.erase(oldest);
  }
  return closed;
}

std::unique_ptr<RowCursor> TableReaders::NewCursor(rocksdb::DB& db, const FamilyPtr& slice,
                                                   PartitionId partition, Offset at,
                                                   uint64_t flushes) {
  const auto path = FindPath(db, slice, partition, at, flushes);
  if (!path.has_value()) return nullptr;
  ReaderPtr reader = Reader(slice->GetName(), *path);
  if (reader == nullptr) return nullptr;
  rocksdb::ReadOptions options;
  options.fill_cache = false;
  options.prefix_same_as_start = true;
  std::unique_ptr<rocksdb::Iterator> iterator(reader->NewIterator(options));
  auto owner = std::make_shared<std::pair<FamilyPtr, ReaderPtr>>(slice, std::move(reader));
  return std::make_unique<RowCursor>(std::move(owner), std::move(iterator));
}

void TableReaders::Forget(const std::string& slice) {
  MutexLock lock(mu_);
  forgotten_.insert(slice);
  absl::erase_if(open_, [&](const auto& one) {
    mu_.AssertHeld();
    const bool gone = one.second.slice == slice;
    if (gone) open_bytes_ -= one.second.bytes;
    return gone;
  });
  ranges_.erase(ranges_.lower_bound({slice, PartitionId()}),
                ranges_.upper_bound({slice, PartitionId(~uint64_t{0})}));
}

size_t TableReaders::open() const {
  MutexLock lock(mu_);
  return open_.size();
}

}  // namespace acta
