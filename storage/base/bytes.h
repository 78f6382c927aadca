#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"

namespace acta {

// Refcounted immutable bytes: copies share, slices share. Safe to use from any thread.
class SharedBytes {
 public:
  SharedBytes() = default;
  // Takes a string.
  explicit SharedBytes(std::string bytes);
  // Views bytes that `owner` keeps alive.
  SharedBytes(std::shared_ptr<const void> owner, absl::string_view view)
      : owner_(std::move(owner)), view_(view) {}
  static SharedBytes Copy(absl::string_view bytes) { return SharedBytes(std::string(bytes)); }

  absl::string_view view() const { return view_; }
  size_t size() const { return view_.size(); }
  bool empty() const { return view_.empty(); }
  const std::shared_ptr<const void>& owner() const { return owner_; }
  SharedBytes Slice(size_t offset, size_t size) const {
    return SharedBytes(owner_, view_.substr(offset, size));
  }

 private:
  std::shared_ptr<const void> owner_;
  absl::string_view view_;
};

// Fixed-width integers; `*Big*` sorts as bytes like the number does, `*Little*` is for values.
inline void PutBig64(std::string* out, uint64_t value) {
  const uint64_t big = __builtin_bswap64(value);
  out->append(reinterpret_cast<const char*>(&big), 8);
}
inline uint64_t GetBig64(const char* data) {
  uint64_t big;
  std::memcpy(&big, data, 8);
  return __builtin_bswap64(big);
}
template <typename T>
void PutLittle(char* data, T value) {
  std::memcpy(data, &value, sizeof(value));
}
template <typename T>
T GetLittle(const char* data) {
  T value;
  std::memcpy(&value, data, sizeof(value));
  return value;
}

}  // namespace acta
