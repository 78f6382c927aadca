#pragma once

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace acta::cli {

// Rows of text under named columns, before anybody decides how to print them.
class Table {
 public:
  explicit Table(std::vector<std::string> columns) : columns_(std::move(columns)) {}

  // One value a column, as text or number.
  template <typename... Values>
  void Row(const Values&... values) {
    rows_.push_back({std::string(absl::StrCat(values))...});
  }
  // Shown under the rows in a table; machines do not see it.
  template <typename... Values>
  void Total(const Values&... values) {
    total_ = {std::string(absl::StrCat(values))...};
  }

  // The last column has sentences: where they have no room beside, they go below their row.
  void SentencesLast() { sentences_last_ = true; }

  const std::vector<std::string>& columns() const { return columns_; }
  const std::vector<std::vector<std::string>>& rows() const { return rows_; }
  const std::vector<std::string>& total() const { return total_; }
  bool sentences_last() const { return sentences_last_; }

 private:
  std::vector<std::string> columns_;
  std::vector<std::vector<std::string>> rows_;
  std::vector<std::string> total_;
  bool sentences_last_ = false;
};

}  // namespace acta::cli
