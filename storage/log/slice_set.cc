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

absl::Status SliceSet::Drop(const SlicePtr& slice) {
  {
    MutexLock lock(mu_);
    slices_.erase(slice->id);
  }
  return store_.DropSlice(slice->family);
}

std::vector<SlicePtr> SliceSet::All() const {
  MutexLock lock(mu_);
  std::vector<SlicePtr> all;
  for (const auto& [id, slice] : slices_) all.push_back(slice);
  return all;
}

size_t SliceSet::size() const {
  MutexLock lock(mu_);
  return slices_.size();
}

}  // namespace acta
