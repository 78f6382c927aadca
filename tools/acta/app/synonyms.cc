#include "tools/acta/app/synonyms.h"

#include <algorithm>

#include "absl/strings/str_split.h"

namespace acta::cli {
namespace {

using Words = std::vector<std::string>;

struct Synonyms {
  absl::string_view ours;
  absl::string_view theirs;
};

// Of what a word may mean, the first that a command has.
constexpr Synonyms kOptions[] = {
    {"--after", "--since"},
    {"--attribute", "--header --headers -H"},
    {"--before", "--until"},
    {"--exec", "--command"},
    {"--file", "-f -l"},
    {"--follow", "--watch -f -w"},
    {"--format", "--json -J -f"},
    {"--from", "--offset --since --start"},
    {"--from earliest", "--from-beginning --oldest --all"},
    {"--from PARTITION:OFFSET", "--partition -p"},
    {"--group", "--consumer-group --consumer --durable --queue -G -g"},
    {"--id", "--msg-id --message-id"},
    {"--key", "-k"},
    {"--last", "--tail"},
    {"--max", "--count --limit --max-messages --num -c -n"},
    {"--output json", "--json -J"},
    {"--output", "--format"},
    {"--partition", "-p"},
    {"--partitions", "-p"},
    {"--retention", "--max-age"},
    {"--retention-bytes", "--max-bytes"},
    {"--server", "--bootstrap-server --broker --broker-list --brokers --host --url -b -s"},
    {"--to", "--offset --to-datetime --to-offset --until"},
    {"--to earliest", "--to-earliest"},
    {"--to latest", "--to-latest"},
    {"--topic", "--topics -t"},
    {"--until-end", "-e"},
    {"--watch", "--follow -f -w"},
    {"--yes", "-y"},
};
constexpr Synonyms kCommands[] = {
    {"alter", "config configure edit set update"},
    {"context", "profile"},
    {"create", "add new"},
    {"deadletter", "dead-letter dead-letters deadletters dlq"},
    {"delete", "remove rm"},
    {"describe", "get info inspect show"},
    {"group", "consumer consumer-group consumers groups"},
    {"list", "ls"},
    {"publish", "produce producer pub send write"},
    {"reset", "seek"},
    {"show", "describe get info inspect"},
    {"status", "cluster health info ping server"},
    {"subscribe", "cat consume listen sub tail"},
    {"topic", "stream streams topics"},
    {"update", "alter config edit set"},
};

bool Means(absl::string_view typed, absl::string_view ours, const Synonyms& row) {
  const std::vector<absl::string_view> theirs = absl::StrSplit(row.theirs, ' ');
  return row.ours == ours && std::find(theirs.begin(), theirs.end(), typed) != theirs.end();
}

bool IsCommandWord(absl::string_view typed, absl::string_view ours) {
  return typed == ours || std::any_of(std::begin(kCommands), std::end(kCommands),
                                      [&](const Synonyms& row) { return Means(typed, ours, row); });
}

}  // namespace

std::string OptionMeantBy(absl::string_view typed, const Words& known) {
  for (const Synonyms& row : kOptions) {
    if (!Means(typed, row.ours, row)) continue;
    const absl::string_view option = row.ours.substr(0, row.ours.find(' '));
    if (std::find(known.begin(), known.end(), option) != known.end()) return std::string(row.ours);
  }
  return "";
}

std::string CommandMeantBy(const Words& typed, const Words& paths) {
  for (const std::string& path : paths) {
    const std::vector<absl::string_view> words = absl::StrSplit(path, ' ');
    if (words.size() <= typed.size() &&
        std::equal(words.begin(), words.end(), typed.begin(),
                   [](absl::string_view ours, const std::string& word) {
                     return IsCommandWord(word, ours);
                   })) {
      return path;
    }
  }
  return "";
}

}  // namespace acta::cli
