#include "tools/acta/output/words.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "proto/support/proto_time.h"

namespace acta::cli {
namespace {

// 2500 as "2.5".
std::string Thousandths(int64_t count) {
  std::string text = absl::StrFormat("%d.%03d", count / 1000, count % 1000);
  while (text.back() == '0') text.pop_back();
  if (text.back() == '.') text.pop_back();
  return text;
}

// Of a minute and more: the second one directly below the first.
std::string TwoUnits(absl::Duration duration) {
  struct Unit {
    absl::Duration length;
    const char* name;
  };
  const Unit units[] = {{absl::Hours(24), "d"},
                        {absl::Hours(1), "h"},
                        {absl::Minutes(1), "m"},
                        {absl::Seconds(1), "s"}};
  std::string out;
  int shown = 0;
  for (const Unit& unit : units) {
    const int64_t count = absl::IDivDuration(duration, unit.length, &duration);
    if (count > 0) absl::StrAppend(&out, count, unit.name);
    if (count > 0 || shown > 0) ++shown;
    if (shown == 2) break;
  }
  return out;
}

// Bytes of the character at the beginning of `text`, if it may not be drawn; 0: it may. Those are
// controls, also those of two bytes (U+0080 to U+009F), and U+FFFE and U+FFFF, which no XML has.
size_t UnfitAt(absl::string_view text) {
  if (absl::ascii_iscntrl(static_cast<unsigned char>(text[0]))) return 1;
  const bool two = text[0] == '\xc2' && text.size() > 1;
  if (two && static_cast<unsigned char>(text[1]) < 0xa0) return 2;
  const bool none =
      absl::StartsWith(text, "\xef\xbf\xbe") || absl::StartsWith(text, "\xef\xbf\xbf");
  return none ? 3 : 0;
}

}  // namespace

std::string Plain(absl::string_view text) {
  std::string plain;
  while (!text.empty()) {
    const size_t unfit = UnfitAt(text);
    plain.push_back(unfit > 0 ? '?' : text[0]);
    text.remove_prefix(std::max<size_t>(unfit, 1));
  }
  return plain;
}

std::string EnumText(absl::string_view name, absl::string_view prefix) {
  absl::ConsumePrefix(&name, prefix);
  if (name == "UNSPECIFIED") return "-";
  return absl::StrReplaceAll(absl::AsciiStrToLower(name), {{"_", "-"}});
}

std::string BytesText(int64_t bytes) {
  if (bytes < 1024) return absl::StrCat(bytes, " B");
  double value = static_cast<double>(bytes);
  const char* unit = "B";
  for (const char* next : {"KiB", "MiB", "GiB", "TiB"}) {
    if (value < 1024) break;
    value /= 1024;
    unit = next;
  }
  return absl::StrFormat("%.1f %s", value, unit);
}

std::string CountText(int64_t count, absl::string_view what) {
  return absl::StrCat(count, " ", what, count == 1 ? "" : "s");
}

std::string DurationText(absl::Duration duration) {
  if (duration < absl::ZeroDuration()) return absl::StrCat("-", DurationText(-duration));
  if (duration < absl::Microseconds(1)) return "0s";
  if (duration < absl::Milliseconds(1)) {
    return absl::StrCat(absl::ToInt64Microseconds(duration), "us");
  }
  if (duration < absl::Seconds(1)) {
    return absl::StrCat(Thousandths(absl::ToInt64Microseconds(duration)), "ms");
  }
  if (duration < absl::Minutes(1)) {
    return absl::StrCat(Thousandths(absl::ToInt64Milliseconds(duration)), "s");
  }
  return TwoUnits(duration);
}

std::string DurationText(const google::protobuf::Duration& duration) {
  return DurationText(FromProtoDuration(duration));
}

std::string TimeText(const google::protobuf::Timestamp& time) {
  if (time.seconds() == 0 && time.nanos() == 0) return "-";
  return absl::FormatTime("%Y-%m-%d %H:%M:%SZ", absl::FromUnixSeconds(time.seconds()),
                          absl::UTCTimeZone());
}

std::string MillisTimeText(const google::protobuf::Timestamp& time) {
  if (time.seconds() == 0 && time.nanos() == 0) return "-";
  return absl::FormatTime("%Y-%m-%d %H:%M:%E3SZ", ToTime(time), absl::UTCTimeZone());
}

std::string LevelText(v1::AckLevel level) {
  return EnumText(v1::AckLevel_Name(level), "ACK_LEVEL_");
}

std::string DedupeText(v1::DedupeMode mode) {
  return EnumText(v1::DedupeMode_Name(mode), "DEDUPE_MODE_");
}

std::string ModeText(v1::GroupMode mode) {
  return EnumText(v1::GroupMode_Name(mode), "GROUP_MODE_");
}

std::string OrderText(v1::QueueOrder order) {
  return EnumText(v1::QueueOrder_Name(order), "QUEUE_ORDER_");
}

std::string OnExhaustedText(v1::OnExhausted how) {
  return EnumText(v1::OnExhausted_Name(how), "ON_EXHAUSTED_");
}

std::string LabelsText(const google::protobuf::Map<std::string, std::string>& labels) {
  std::string out;
  for (const auto& [name, value] :
       std::map<std::string, std::string>(labels.begin(), labels.end())) {
    absl::StrAppend(&out, out.empty() ? "" : " ", name, "=", value);
  }
  return out.empty() ? "-" : out;
}

absl::Duration FromProtoDuration(const google::protobuf::Duration& duration) {
  return ToDuration(duration);
}

google::protobuf::Duration ToProtoDuration(absl::Duration duration) {
  google::protobuf::Duration proto;
  SetDuration(duration, &proto);
  return proto;
}

google::protobuf::Timestamp ToProtoTime(absl::Time time) {
  google::protobuf::Timestamp proto;
  SetTimeUs(absl::ToUnixMicros(time), &proto);
  return proto;
}

absl::Time FromProtoTime(const google::protobuf::Timestamp& time) { return ToTime(time); }

}  // namespace acta::cli
