#pragma once

#include <cstddef>
#include <cstdio>
#include <string>

#include "absl/strings/string_view.h"
#include "tools/acta/output/table.h"

namespace acta::cli {

// Tables and sentences as people read them. A width is in cells of a terminal, one for each UTF-8
// character; 0: any. Nothing is left out to fit: what has no room beside goes on below.
//
// Threads: any.

// The columns side by side. Where they are too wide for that, headings and texts go on below in
// their own column: parted between words first, then at the marks in names, those of the first
// column last, because it says what a row is of, and anywhere when nothing else is enough. Numbers
// are never parted. Where even that has no room each row becomes a list of headings and values. A
// last column of sentences (Table::SentencesLast()) goes below each row before any of that, if the
// other columns then have room with their names whole.
std::string TableText(const Table& table, size_t width);

// Lines of words, each too long one going on below, two blanks in.
std::string WrappedText(absl::string_view text, size_t width);

// Cells in a line of the terminal that `file` is; of one that is COLUMNS says it if it is set, as
// everywhere. 0: it is none, does not know, or has less than what is worth fitting in.
size_t TerminalWidth(FILE* file);

}  // namespace acta::cli
