#include "tools/acta/output/output.h"

#include <google/protobuf/util/json_util.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include <nlohmann/json.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "storage/base/status_macros.h"
#include "tools/acta/events/json_line.h"
#include "tools/acta/exit_status.h"
#include "tools/acta/output/table_text.h"

namespace acta::cli {
namespace {

using Messages = std::vector<const google::protobuf::Message*>;

class TableOutput final : public Output {
 public:
  explicit TableOutput(FILE* file) : file_(file) {}

  absl::Status Print(const Messages&, const Table& table) override { return PrintRows(table); }
  absl::Status PrintRows(const Table& table) override {
    return WriteAll(file_, TableText(table, TerminalWidth(file_)));
  }

 private:
  FILE* const file_;
};

class CsvOutput final : public Output {
 public:
  explicit CsvOutput(FILE* file) : file_(file) {}

  absl::Status Print(const Messages&, const Table& table) override { return PrintRows(table); }
  absl::Status PrintRows(const Table& table) override {
    std::string out = CsvLine(table.columns());
    for (const auto& row : table.rows()) out += CsvLine(row);
    return WriteAll(file_, out);
  }

 private:
  FILE* const file_;
};

class JsonOutput final : public Output {
 public:
  explicit JsonOutput(FILE* file) : file_(file) {}

  absl::Status Print(const Messages& messages, const Table&) override {
    ASSIGN_OR_RETURN(const std::string json, MergedJson(messages));
    return WriteAll(file_, json + "\n");
  }
  absl::Status PrintRows(const Table& table) override {
    std::string out = "[";
    for (const auto& row : table.rows()) {
      JsonLine line;
      for (size_t i = 0; i < row.size(); ++i) {
        line.Text(absl::AsciiStrToLower(table.columns()[i]), row[i]);
      }
      absl::StrAppend(&out, out.size() > 1 ? ",\n " : "", line.Finish());
    }
    return WriteAll(file_, out + "]\n");
  }

 private:
  FILE* const file_;
};

// Not by way of the stream's buffer: of what is in there nobody knows how much is out when a signal
// comes between. Here it goes on from there.
bool WriteText(FILE* file, absl::string_view text) {
  const int fd = fileno(file);
  if (fd < 0) return std::fwrite(text.data(), 1, text.size(), file) == text.size();  // In memory.
  while (!text.empty()) {
    const ssize_t written = write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0 && errno == EAGAIN) {  // Another program may have set that for all who use it.
      pollfd room = {fd, POLLOUT, 0};
      (void)poll(&room, 1, -1);
      continue;
    }
    if (written < 0) return false;
    text.remove_prefix(static_cast<size_t>(written));
  }
  return true;
}

}  // namespace

std::string CsvLine(const std::vector<std::string>& values) {
  std::string line;
  for (const std::string& value : values) {
    if (&value != &values.front()) line += ',';
    const bool plain = value.find_first_of(",\"\r\n") == std::string::npos;
    absl::StrAppend(&line, plain ? "" : "\"", absl::StrReplaceAll(value, {{"\"", "\"\""}}),
                    plain ? "" : "\"");
  }
  return line + "\n";
}

absl::StatusOr<std::string> MergedJson(const Messages& messages) {
  google::protobuf::util::JsonPrintOptions options;
  options.always_print_primitive_fields = true;
  nlohmann::ordered_json merged = nlohmann::ordered_json::object();
  for (const google::protobuf::Message* message : messages) {
    std::string text;
    // A time that is none has no JSON.
    const auto printed = google::protobuf::util::MessageToJsonString(*message, &text, options);
    if (!printed.ok()) {
      return absl::InternalError(
          absl::StrCat("the answer has no JSON: ", std::string(printed.message())));
    }
    if (messages.size() == 1) return text;
    merged.update(nlohmann::ordered_json::parse(text));
  }
  return merged.dump();
}

absl::Status WriteAll(FILE* file, absl::string_view text) {
  if (std::fflush(file) != 0 || !WriteText(file, text) || std::fflush(file) != 0) {
    return errno == EPIPE ? OutputClosedError()
                          : absl::UnknownError(
                                absl::StrCat("cannot write the output: ", std::strerror(errno)));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Output>> MakeOutput(absl::string_view format, FILE* file) {
  if (format == "table") return std::make_unique<TableOutput>(file);
  if (format == "json") return std::make_unique<JsonOutput>(file);
  if (format == "csv") return std::make_unique<CsvOutput>(file);
  return UsageError(absl::StrCat("'", format, "' is not an output; use table, json or csv"));
}

}  // namespace acta::cli
