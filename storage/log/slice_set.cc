#include "storage/log/slice_set.h"

#include <algorithm>

#include "storage/base/status_macros.h"
#include "storage/layout/engine_rows.h"

namespace acta {

void SliceSet::Add(SlicePtr slice) {
  MutexLock lock(mu_);
  next_id_ = std::max(next_id_, slice->id + 1);
  slices_[slice->id] = slice;
  if (slice->closed) return;
  SlicePtr& current = current_[slice->class_seconds];
  if (current == nullptr || current->id < slice->id) {
    if (current != nullptr) current->closed = true;
    current = slice;
  } else {
    slice->closed = true;
  }
}

SlicePtr SliceSet::Current(int64_t class_seconds) const {
  MutexLock lock(mu_);
  const auto at = current_.find(class_seconds);
  return at == current_.end() ? nullptr : at->second;
}

absl::Status SliceSet::EnsureClass(int64_t class_seconds, int64_t now_us) {
  MutexLock creating(create_mu_);
  if (Current(class_seconds) != nullptr) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::vector<SlicePtr> created, Create({class_seconds}, now_us));
  Switch(created);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<SlicePtr>> SliceSet::Create(const std::vector<int64_t>& classes,
                                                       int64_t now_us) {
  std::vector<SlicePtr> slices;
  std::vector<std::string> names;
  for (const int64_t class_seconds : classes) {
    auto slice = std::make_shared<Slice>();
    slice->class_seconds = class_seconds;
    slice->created_us = now_us;
    {
      MutexLock lock(mu_);
      slice->id = next_id_++;
    }
    names.push_back(SliceFamily(class_seconds, slice->id));
    slices.push_back(std::move(slice));
  }
  ASSIGN_OR_RETURN(std::vector<FamilyPtr> families, store_.CreateSlices(names));
  for (size_t i = 0; i < slices.size(); ++i) slices[i]->family = std::move(families[i]);
  return slices;
}

std::vector<SlicePtr> SliceSet::Switch(const std::vector<SlicePtr>& created) {
  std::vector<SlicePtr> replaced;
  MutexLock lock(mu_);
  for (const SlicePtr& slice : created) {
    slices_[slice->id] = slice;
    SlicePtr& current = current_[slice->class_seconds];
    if (current != nullptr) {
      current->closed = true;
      replaced.push_back(current);
    }
    current = slice;
  }
  return replaced;
}

absl::Status SliceSet::Drop(const std::vector<SlicePtr>& slices) {
  MutexLock creating(create_mu_);
  std::vector<FamilyPtr> dropped;
  {
    MutexLock lock(mu_);
    for (const SlicePtr& slice : slices) {
      slices_.erase(slice->id);
      // The index before its slice: one without a slice is left only by a broken drop.
      const auto index = indexes_.extract(slice->id);
      if (!index.empty()) dropped.push_back(index.mapped());
      dropped.push_back(slice->family);
    }
  }
  return store_.DropFamilies(dropped);
}

void SliceSet::AddIndex(uint64_t slice_id, FamilyPtr index) {
  MutexLock lock(mu_);
  indexes_[slice_id] = std::move(index);
}

absl::StatusOr<std::vector<FamilyPtr>> SliceSet::EnsureIndexes(
    const std::vector<SlicePtr>& slices) {
  MutexLock creating(create_mu_);
  std::vector<SlicePtr> without;
  std::vector<std::string> names;
  {
    MutexLock lock(mu_);
    for (const SlicePtr& slice : slices) {
      if (!slices_.contains(slice->id) || indexes_.contains(slice->id)) continue;
      names.push_back(IndexFamily(slice->class_seconds, slice->id));
      without.push_back(slice);
    }
  }
  if (!names.empty()) {
    ASSIGN_OR_RETURN(std::vector<FamilyPtr> created, store_.CreateIndexes(names));
    MutexLock lock(mu_);
    for (size_t i = 0; i < created.size(); ++i) indexes_[without[i]->id] = std::move(created[i]);
  }
  std::vector<FamilyPtr> found;
  MutexLock lock(mu_);
  for (const SlicePtr& slice : slices) {
    const auto at = indexes_.find(slice->id);
    found.push_back(at == indexes_.end() ? nullptr : at->second);
  }
  return found;
}

std::vector<FamilyPtr> SliceSet::Indexes() const {
  MutexLock lock(mu_);
  std::vector<FamilyPtr> all;
  for (const auto& [slice, index] : indexes_) all.push_back(index);
  return all;
}

absl::Status SliceSet::DropIndexes() {
  MutexLock creating(create_mu_);
  std::vector<FamilyPtr> dropped;
  {
    MutexLock lock(mu_);
    for (const auto& [slice, index] : indexes_) dropped.push_back(index);
    indexes_.clear();
  }
  RETURN_IF_ERROR(store_.DropFamilies(dropped));
  return store_.IndexesDropped();
}

std::vector<SlicePtr> SliceSet::All() const {
  MutexLock lock(mu_);
  std::vector<SlicePtr> all;
  for (const auto& [id, slice] : slices_) all.push_back(slice);
  return all;
}

size_t SliceSet::families() const {
  MutexLock lock(mu_);
  return slices_.size() + indexes_.size();
}

size_t SliceSet::size() const {
  MutexLock lock(mu_);
  return slices_.size();
}

}  // namespace acta
