#include "server/config/command_line.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "proto/support/error.h"
#include "server/config/suggestion.h"
#include "storage/base/status_macros.h"

namespace acta {
namespace {

using Mode = CommandLine::Mode;

// Short names of properties.
struct Alias {
  absl::string_view flag;
  absl::string_view property;
};
constexpr Alias kAliases[] = {
    {"--data", "storage.data"},        {"--grpc", "listen.grpc"},
    {"--http", "listen.http"},         {"--ready-file", "listen.ready_file"},
    {"--insecure", "listen.insecure"}, {"--accept-loss", "storage.accept_loss"},
};

struct ModeFlag {
  absl::string_view flag;
  Mode mode;
};
constexpr ModeFlag kModes[] = {
    {"--help", Mode::kHelp},
    {"-h", Mode::kHelp},
    {"--version", Mode::kVersion},
    {"--print-config", Mode::kPrintConfig},
};

absl::Status Usage(const std::string& text) { return Error(v1::INVALID_ARGUMENT, text); }

class Reader {
 public:
  Reader(const std::vector<std::string>& words, const PropertyTable& table)
      : words_(words), table_(table) {}

  absl::StatusOr<CommandLine> Run() {
    while (at_ < words_.size()) {
      Split(words_[at_++]);
      if (!absl::StartsWith(flag_, "-")) {
        return Usage(absl::StrCat("unexpected argument '", flag_,
                                  "': actad takes flags only; see actad --help"));
      }
      RETURN_IF_ERROR(ReadFlag());
    }
    return std::move(line_);
  }

 private:
  // flag[=value]
  void Split(const std::string& word) {
    const size_t equals = word.find('=');
    flag_ = word.substr(0, equals);
    has_value_ = equals != std::string::npos;
    value_ = has_value_ ? word.substr(equals + 1) : "";
  }

  absl::Status ReadFlag() {
    const auto* const mode = std::find_if(std::begin(kModes), std::end(kModes),
                                          [this](const ModeFlag& m) { return m.flag == flag_; });
    if (mode != std::end(kModes)) return SetMode(mode->mode);
    if (flag_ == "--config") return TakeValue(&line_.config);
    if (flag_ == "--generate-reference") {
      line_.mode = Mode::kGenerateReference;
      return TakeValue(&line_.reference);
    }
    std::string name = absl::StartsWith(flag_, "--") ? flag_.substr(2) : "";
    for (const Alias& alias : kAliases) {
      if (alias.flag == flag_) name = std::string(alias.property);
    }
    const Property* const property = table_.Find(name);
    if (property == nullptr) return UnknownFlag();
    if (property->type == PropertyType::kSwitch && !has_value_) {
      value_ = "true";
    } else {
      RETURN_IF_ERROR(TakeValue(&value_));
    }
    line_.settings.push_back({name, value_, flag_});
    return absl::OkStatus();
  }

  absl::Status SetMode(Mode mode) {
    if (mode == Mode::kPrintConfig && value_ == "json") {
      mode = Mode::kPrintConfigJson;
    } else if (has_value_ && !(mode == Mode::kPrintConfig && value_ == "table")) {
      return Usage(absl::StrCat("'", flag_, "' does not take '", value_, "'"));
    }
    // What prints and ends wins over what runs; the first one asked for stays.
    if (line_.mode == Mode::kRun) line_.mode = mode;
    return absl::OkStatus();
  }

  // The value behind '=', or the next word.
  absl::Status TakeValue(std::string* value) {
    if (!has_value_) {
      if (at_ == words_.size()) return Usage(absl::StrCat("'", flag_, "' needs a value"));
      value_ = words_[at_++];
    }
    *value = value_;
    return absl::OkStatus();
  }

  absl::Status UnknownFlag() const {
    std::vector<std::string> known = {"--config"};
    for (const ModeFlag& mode : kModes) known.emplace_back(mode.flag);
    for (const Alias& alias : kAliases) known.emplace_back(alias.flag);
    for (const std::string& name : table_.names()) known.push_back(absl::StrCat("--", name));
    return Usage(
        absl::StrCat("unknown flag '", flag_, "'", DidYouMean(flag_, known), "; see actad --help"));
  }

  const std::vector<std::string>& words_;
  const PropertyTable& table_;
  size_t at_ = 0;
  CommandLine line_;
  // Of the word in hand.
  std::string flag_;
  bool has_value_ = false;
  std::string value_;
};

}  // namespace

absl::StatusOr<CommandLine> ParseCommandLine(const std::vector<std::string>& words,
                                             const PropertyTable& table) {
  return Reader(words, table).Run();
}

absl::Status ApplyFlags(const CommandLine& line, PropertyTable* table) {
  for (const CommandLine::Setting& setting : line.settings) {
    RETURN_IF_ERROR(table->Set(setting.property, setting.value, PropertySource::kFlag,
                               absl::StrCat("flag ", setting.flag)));
  }
  return absl::OkStatus();
}

std::string HelpText() {
  return R"(actad: the Acta event broker.

  actad --data DIR [flags]

  --data DIR           where events are kept; created when missing
  --grpc ADDR          address of the API (127.0.0.1:7450; port 0 picks a free one)
  --http ADDR          address of health and metrics (127.0.0.1:7451; port 0 picks a free one)
  --config FILE        properties in TOML
  --ready-file FILE    written once the broker is ready: addresses, process and store as JSON
  --insecure           lets everybody do everything, on addresses beyond loopback too
  --accept-loss        starts although the medium lost acknowledged data
  --section.key=VALUE  any property, as in --log.format=json
  --print-config       every property with value, source and meaning; --print-config=json
  --version, --help

A property comes from its default, then the file, then the environment (ACTAD_SECTION__KEY), then
flags; the last one wins.

  actad --data ./acta-data
  actad --config /etc/acta/actad.toml --print-config
)";
}

}  // namespace acta
