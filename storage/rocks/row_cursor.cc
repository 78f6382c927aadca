#include "storage/rocks/row_cursor.h"

#include <rocksdb/iterator.h>

#include <utility>

#include "storage/rocks/rocks_status.h"

namespace acta {
namespace {

absl::string_view View(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

}  // namespace

RowCursor::RowCursor(std::shared_ptr<const void> owner, std::unique_ptr<rocksdb::Iterator> iterator)
    : owner_(std::move(owner)), iterator_(std::move(iterator)) {}
RowCursor::~RowCursor() = default;
void RowCursor::Seek(absl::string_view key) { iterator_->Seek({key.data(), key.size()}); }
void RowCursor::Next() { iterator_->Next(); }
bool RowCursor::Valid() const { return iterator_->Valid(); }
absl::string_view RowCursor::key() const { return View(iterator_->key()); }
absl::string_view RowCursor::value() const { return View(iterator_->value()); }
absl::Status RowCursor::status() const { return FromRocks(iterator_->status()); }

}  // namespace acta
