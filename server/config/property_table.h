#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "server/config/property_value.h"
#include "storage/base/fatal.h"

namespace acta {

enum class PropertyType { kText, kInteger, kNumber, kBytes, kDuration, kSwitch, kChoice };
absl::string_view Name(PropertyType type);

// Where a value comes from; later ones win.
enum class PropertySource { kDefault, kFile, kEnvironment, kFlag };
absl::string_view Name(PropertySource source);

struct Property {
  std::string name;  // section.key
  PropertyType type = PropertyType::kText;
  std::string default_value;
  std::string range;  // For people; empty: any.
  std::string meaning;
  PropertySource source = PropertySource::kDefault;
  bool reloaded = false;  // A reload makes another value count; else the next start.
  std::function<absl::Status(absl::string_view)> set;  // Changes nothing when it fails.
  std::function<std::string()> get;

  absl::string_view section() const;
  absl::string_view key() const;  // Without the section.
};

// PropertyTable is every property of the daemon, bound to the fields of the options structs that
// use them: what a field holds when it is described is the default.
//
// Threads:   any while nobody calls Set().
// Ownership: borrows the fields, which must outlive the table.
class PropertyTable {
 public:
  // Known sections, in the order of the reference.
  static const std::vector<std::string>& Sections();

  void AddText(absl::string_view name, std::string* value, absl::string_view meaning,
               absl::string_view range = "");
  void AddNumber(absl::string_view name, double* value, double least, double most,
                 absl::string_view meaning);
  void AddDuration(absl::string_view name, absl::Duration* value, absl::Duration least,
                   absl::Duration most, absl::string_view meaning);
  void AddSwitch(absl::string_view name, bool* value, absl::string_view meaning);

  template <typename Integer>
  void AddInteger(absl::string_view name, Integer* value, std::type_identity_t<Integer> least,
                  std::type_identity_t<Integer> most, absl::string_view meaning) {
    AddWhole(name, PropertyType::kInteger, least, most, meaning, Bind(value));
  }
  template <typename Integer>
  void AddBytes(absl::string_view name, Integer* value, std::type_identity_t<Integer> least,
                std::type_identity_t<Integer> most, absl::string_view meaning) {
    AddWhole(name, PropertyType::kBytes, least, most, meaning, Bind(value));
  }
  template <typename Enum>
  void AddChoice(absl::string_view name, Enum* value,
                 std::vector<std::pair<std::string, Enum>> choices, absl::string_view meaning) {
    std::vector<std::string> words;
    for (const auto& [word, choice] : choices) words.push_back(word);
    size_t now = choices.size();
    for (size_t i = 0; i < choices.size(); ++i) {
      if (choices[i].second == *value) now = i;
    }
    ACTA_CHECK(now < choices.size());
    AddWords(name, std::move(words), now, meaning,
             [value, choices](size_t at) { *value = choices[at].second; });
  }

  // Sets a property from its text. `where` names the place for people: "flag --x". Errors:
  // INVALID_ARGUMENT naming property, value, range and place; an unknown name with a suggestion.
  absl::Status Set(absl::string_view name, absl::string_view text, PropertySource source,
                   absl::string_view where);

  // Says of a property that was added that a reload is enough.
  void Reloaded(absl::string_view name);

  const Property* Find(absl::string_view name) const;
  const std::vector<Property>& properties() const { return properties_; }
  std::vector<std::string> names() const;

 private:
  struct WholeField {
    std::function<int64_t()> get;
    std::function<void(int64_t)> set;
  };
  template <typename Integer>
  static WholeField Bind(Integer* value) {
    return {[value] { return static_cast<int64_t>(*value); },
            [value](int64_t now) { *value = static_cast<Integer>(now); }};
  }

  void AddWhole(absl::string_view name, PropertyType type, int64_t least, int64_t most,
                absl::string_view meaning, WholeField field);
  void AddWords(absl::string_view name, std::vector<std::string> words, size_t now,
                absl::string_view meaning, std::function<void(size_t)> choose);
  void Add(Property property);

  std::vector<Property> properties_;
};

}  // namespace acta
