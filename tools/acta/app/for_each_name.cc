#include "tools/acta/app/for_each_name.h"

#include "absl/strings/str_cat.h"
#include "tools/acta/exit_status.h"

namespace acta::cli {

absl::Status ForEachName(const std::vector<std::string>& names, absl::string_view noun,
                         absl::string_view done,
                         const std::function<absl::Status(const std::string& name)>& act) {
  absl::Status first;
  absl::Status last;
  size_t failed = 0;
  std::string lines;
  for (const std::string& name : names) {
    if (ExitStatusOf(last) == kExitUnavailable) {
      ++failed;
      absl::StrAppend(&lines, "\n  ", name, ": was not tried");
      continue;
    }
    last = act(name);
    if (last.ok()) continue;
    if (names.size() == 1) return last;
    first.Update(last);
    ++failed;
    absl::StrAppend(&lines, "\n  ", name, ": ", DescribeError(last));
  }
  if (failed == 0) return absl::OkStatus();
  const std::string text = absl::StrCat(failed, " of ", names.size(), " ", noun, "s ",
                                        failed == 1 ? "was" : "were", " not ", done, lines);
  return failed < names.size() ? PartlyDoneError(text) : ToldAs(first, text);
}

}  // namespace acta::cli
