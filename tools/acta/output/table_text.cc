#include "tools/acta/output/table_text.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <numeric>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "tools/acta/output/words.h"

namespace acta::cli {
namespace {

using Cells = std::vector<std::string>;

struct Sheet {
  std::vector<Cells> lines;   // The headings, the rows, the total.
  std::vector<bool> numeric;  // Columns of numbers stand to the right.
};

// Where a name is parted better than elsewhere: behind these.
constexpr absl::string_view kMarks = " _-/.,:;=@";
constexpr size_t kAny = SIZE_MAX;

// How far columns may become narrower. Parts that are longer than their cells are parted anywhere,
// but no ids of 16 digits, which people copy.
struct Narrowing {
  size_t gap;                // Blanks between two columns.
  size_t heading_cells;      // Of parts between blanks, _ and /.
  absl::string_view first;   // What stands between parts of the texts of the first column,
  absl::string_view others;  // and of the others.
  size_t text_cells;
};

// What is tried, in this order.
constexpr Narrowing kNarrowings[] = {{2, kAny, " ", " ", kAny},
                                     {1, 4, " ", " ", kAny},
                                     {1, 4, " ", kMarks, kAny},
                                     {1, 4, kMarks, kMarks, kAny},
                                     {1, 4, kMarks, kMarks, 16}};
constexpr const Narrowing& kNamesWhole = kNarrowings[2];
constexpr size_t kWideGap = 2;
constexpr size_t kNarrowest = 20;   // Of terminals that something is fitted into.
constexpr size_t kLeastValue = 20;  // Cells: every number and time has room.

bool BeginsCharacter(char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }

size_t CellsOf(absl::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), BeginsCharacter));
}

// "17", "1.2 GiB", "1h30m"; not what is written in hexadecimal.
bool IsNumber(absl::string_view text) {
  return !text.empty() && text.find_first_of("abcef") == absl::string_view::npos &&
         (absl::ascii_isdigit(static_cast<unsigned char>(text[0])) ||
          (text[0] == '-' && text.size() > 1));
}

Sheet SheetOf(const Table& table) {
  Sheet sheet;
  sheet.lines = {table.columns()};
  sheet.lines.insert(sheet.lines.end(), table.rows().begin(), table.rows().end());
  if (!table.total().empty()) sheet.lines.push_back(table.total());
  for (Cells& line : sheet.lines) {
    for (std::string& cell : line) cell = Plain(cell);
  }
  sheet.numeric.assign(table.columns().size(), !table.rows().empty());
  for (const Cells& row : table.rows()) {
    for (size_t i = 0; i < row.size(); ++i) {
      if (!IsNumber(row[i]) && !row[i].empty() && row[i] != "-") sheet.numeric[i] = false;
    }
  }
  return sheet;
}

std::vector<size_t> WidthsOf(const std::vector<Cells>& lines) {
  std::vector<size_t> widths(lines[0].size());
  for (const Cells& line : lines) {
    for (size_t i = 0; i < widths.size(); ++i) widths[i] = std::max(widths[i], CellsOf(line[i]));
  }
  return widths;
}

size_t Sum(const std::vector<size_t>& widths) {
  return std::accumulate(widths.begin(), widths.end(), size_t{0});
}

std::string SideBySide(const std::vector<Cells>& lines, const std::vector<bool>& numeric,
                       const std::vector<size_t>& widths, size_t gap) {
  std::string out;
  for (const Cells& line : lines) {
    std::string text;
    for (size_t i = 0; i < line.size(); ++i) {
      const std::string pad(widths[i] - CellsOf(line[i]), ' ');
      absl::StrAppend(&text, std::string(i == 0 ? 0 : gap, ' '), numeric[i] ? pad : "", line[i],
                      numeric[i] ? "" : pad);
    }
    absl::StrAppend(&out, absl::StripTrailingAsciiWhitespace(text), "\n");
  }
  return out;
}

// Bytes of `text` in a line of `width` cells, at least 1: up to a blank, or behind a mark where
// names may be parted, or as many as have room.
size_t BytesInLine(absl::string_view text, size_t width) {
  size_t end = 0;
  for (size_t cells = 0; end < text.size(); ++end) {
    if (!BeginsCharacter(text[end])) continue;
    if (cells == width) break;
    ++cells;
  }
  if (end == text.size() || text[end] == ' ') return end;
  const absl::string_view room = text.substr(0, end);
  const size_t blank = room.find_last_of(' ');
  if (blank != absl::string_view::npos && blank > 0) return blank;
  const size_t mark = room.find_last_of(kMarks);
  return mark == absl::string_view::npos ? end : mark + 1;
}

// `text` in lines of `width` cells. Only blanks at their ends are left out.
std::vector<absl::string_view> Pieces(absl::string_view text, size_t width) {
  std::vector<absl::string_view> pieces;
  do {
    const size_t bytes = BytesInLine(text, width);
    pieces.push_back(absl::StripTrailingAsciiWhitespace(text.substr(0, bytes)));
    text = absl::StripLeadingAsciiWhitespace(text.substr(bytes));
  } while (!text.empty());
  return pieces;
}

// Cells of the longest part between `marks`. All but a blank belong to the part before.
size_t LongestPart(absl::string_view text, absl::string_view marks) {
  size_t longest = 0;
  size_t part = 0;
  for (const char c : text) {
    part = c == ' ' ? 0 : part + (BeginsCharacter(c) ? 1 : 0);
    longest = std::max(longest, part);
    if (absl::StrContains(marks, c)) part = 0;
  }
  return longest;
}

// Of a column of numbers. A time is parted into day and time of day, "1.2 GiB" is not.
size_t LeastOfNumber(absl::string_view text) {
  return absl::StrContains(text, ':') ? LongestPart(text, " ") : CellsOf(text);
}

std::vector<size_t> LeastWidths(const Sheet& sheet, const Narrowing& how) {
  std::vector<size_t> least;
  for (size_t i = 0; i < sheet.numeric.size(); ++i) {
    size_t width = std::min(LongestPart(sheet.lines[0][i], " _/"), how.heading_cells);
    const absl::string_view marks = i == 0 ? how.first : how.others;
    for (size_t row = 1; row < sheet.lines.size(); ++row) {
      const std::string& cell = sheet.lines[row][i];
      const size_t text = std::min(LongestPart(cell, marks), how.text_cells);
      width = std::max(width, sheet.numeric[i] ? LeastOfNumber(cell) : text);
    }
    least.push_back(width);
  }
  return least;
}

// `widths`, the widest made narrower until they have room together; none of them below its least.
// Empty: it cannot be done.
std::vector<size_t> Narrowed(std::vector<size_t> widths, const std::vector<size_t>& least,
                             size_t room) {
  if (Sum(least) > room) return {};
  for (size_t i = 0; i < widths.size(); ++i) {
    widths[i] = std::max(least[i], std::min(widths[i], room));
  }
  for (size_t sum = Sum(widths); sum > room; --sum) {
    size_t widest = widths.size();
    for (size_t i = 0; i < widths.size(); ++i) {
      if (widths[i] == least[i]) continue;
      if (widest == widths.size() || widths[i] > widths[widest]) widest = i;
    }
    --widths[widest];
  }
  return widths;
}

// The columns, narrowed to have room in `width` together. Empty: it cannot be done.
std::vector<size_t> Fitted(const Sheet& sheet, const Narrowing& how, size_t width) {
  const size_t gaps = (sheet.numeric.size() - 1) * how.gap;
  if (gaps >= width) return {};
  return Narrowed(WidthsOf(sheet.lines), LeastWidths(sheet, how), width - gaps);
}

// Each line as so many that no cell is wider than its column.
std::vector<Cells> Parted(const std::vector<Cells>& lines, const std::vector<size_t>& widths) {
  std::vector<Cells> parted;
  for (const Cells& line : lines) {
    const size_t first = parted.size();
    for (size_t i = 0; i < line.size(); ++i) {
      size_t at = first;
      for (const absl::string_view piece : Pieces(line[i], widths[i])) {
        if (at == parted.size()) parted.emplace_back(line.size());
        parted[at++][i] = std::string(piece);
      }
    }
  }
  return parted;
}

// The last column in lines of its own, two blanks in. Empty: the others have no room together.
std::string LastBelow(Sheet sheet, size_t width) {
  Cells last;
  for (Cells& line : sheet.lines) {
    last.push_back(std::move(line.back()));
    line.pop_back();
  }
  sheet.numeric.pop_back();
  const std::vector<size_t> widths = Fitted(sheet, kNamesWhole, width);
  if (widths.empty()) return "";
  std::string out;
  for (size_t row = 0; row < last.size(); ++row) {
    out += SideBySide(Parted({sheet.lines[row]}, widths), sheet.numeric, widths, kNamesWhole.gap);
    if (last[row].empty()) continue;
    absl::StrAppend(&out, "  ", absl::StrJoin(Pieces(last[row], width - 2), "\n  "), "\n");
  }
  return out;
}

// Every value in a line of its own, the rows apart. What is empty needs none.
std::string BelowEachOther(const Sheet& sheet, size_t width) {
  const Cells& headings = sheet.lines[0];
  if (sheet.lines.size() == 1) {
    return WrappedText(absl::StrCat(absl::StrJoin(headings, "  "), "\n"), width);
  }
  size_t label = 0;
  for (const std::string& heading : headings) label = std::max(label, CellsOf(heading));
  const size_t room = std::max(kLeastValue, width - std::min(width, label + kWideGap));
  std::string out;
  for (size_t row = 1; row < sheet.lines.size(); ++row) {
    if (row > 1) out += "\n";
    for (size_t i = 0; i < headings.size(); ++i) {
      if (sheet.lines[row][i].empty()) continue;
      std::string left = headings[i];
      for (const absl::string_view piece : Pieces(sheet.lines[row][i], room)) {
        absl::StrAppend(&out, left, std::string(label + kWideGap - CellsOf(left), ' '), piece,
                        "\n");
        left.clear();
      }
    }
  }
  return out;
}

}  // namespace

std::string TableText(const Table& table, size_t width) {
  const Sheet sheet = SheetOf(table);
  const std::vector<size_t> widths = WidthsOf(sheet.lines);
  if (width == 0 || Sum(widths) + (widths.size() - 1) * kWideGap <= width) {
    return SideBySide(sheet.lines, sheet.numeric, widths, kWideGap);
  }
  if (table.sentences_last()) {
    if (std::string text = LastBelow(sheet, width); !text.empty()) return text;
  }
  for (const Narrowing& how : kNarrowings) {
    const std::vector<size_t> narrowed = Fitted(sheet, how, width);
    if (narrowed.empty()) continue;
    const std::vector<Cells> parted = Parted(sheet.lines, narrowed);
    return SideBySide(parted, sheet.numeric, WidthsOf(parted), how.gap);
  }
  return BelowEachOther(sheet, width);
}

std::string WrappedText(absl::string_view text, size_t width) {
  if (width == 0) return std::string(text);
  std::vector<std::string> lines;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    lines.push_back(CellsOf(line) <= width
                        ? std::string(line)
                        : absl::StrJoin(Pieces(line, std::max<size_t>(width, 3) - 2), "\n  "));
  }
  return absl::StrJoin(lines, "\n");
}

size_t TerminalWidth(FILE* file) {
  const int fd = fileno(file);
  if (fd < 0 || isatty(fd) != 1) return 0;
  size_t width = 0;
  const char* const columns = std::getenv("COLUMNS");
  if (columns == nullptr || !absl::SimpleAtoi(columns, &width) || width == 0) {
    winsize window = {};
    width = ioctl(fd, TIOCGWINSZ, &window) == 0 ? window.ws_col : 0;
  }
  return width < kNarrowest ? 0 : width;
}

}  // namespace acta::cli
