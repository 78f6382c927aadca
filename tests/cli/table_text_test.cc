#include "tools/acta/output/table_text.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"

namespace acta::cli {
namespace {

constexpr char kDay[] = "2018-02-04 12:00:00Z";

Table PartitionsTable() {
  Table table(
      {"PARTITION", "FIRST", "END", "BYTES", "OLDEST", "NEWEST", "DEDUPE_WINDOW", "MEMBER"});
  table.Row(0, 0, 2, "1.2 GiB", kDay, kDay, "10m", "m-1");
  table.Row(1, 0, 1'200'000, "77 B", kDay, kDay, "1h30m", "-");
  table.Total("total", "", "", "1.2 GiB", "", "", "", "");
  return table;
}

Table LettersTable() {
  Table table({"DEAD_LETTER", "DEAD_SINCE", "ATTEMPTS", "FINGERPRINT", "WHY", "TEXT"});
  table.Row("orders/0/0", kDay, 5, "90ab12cd34ef5678", "attempts-exhausted",
            "the B\u00fccherei knows no gr\u00f6\u00dfer book, and says so");
  table.Row("returns/1/17", kDay, 1, "0123456789abcdef", "rejected", "-");
  return table;
}

TEST_CASE("a table that fits, or whose reader has any width, is what it is", "[cli]") {
  const std::string whole =
      "PARTITION  FIRST      END    BYTES                OLDEST                NEWEST  "
      "DEDUPE_WINDOW  MEMBER\n"
      "        0      0        2  1.2 GiB  2018-02-04 12:00:00Z  2018-02-04 12:00:00Z  "
      "          10m  m-1\n"
      "        1      0  1200000     77 B  2018-02-04 12:00:00Z  2018-02-04 12:00:00Z  "
      "        1h30m  -\n"
      "    total                  1.2 GiB\n";
  CHECK(TableText(PartitionsTable(), 0) == whole);
  CHECK(TableText(PartitionsTable(), 101) == whole);
  CHECK(TableText(PartitionsTable(), 100) != whole);
}

TEST_CASE("what has no room beside goes on below in its column, numbers stay whole", "[cli]") {
  CHECK(TableText(PartitionsTable(), 80) ==
        "PARTITION  FIRST      END    BYTES      OLDEST      NEWEST  DEDUPE_  MEMBER\n"
        "                                                             WINDOW\n"
        "        0      0        2  1.2 GiB  2018-02-04  2018-02-04      10m  m-1\n"
        "                                     12:00:00Z   12:00:00Z\n"
        "        1      0  1200000     77 B  2018-02-04  2018-02-04    1h30m  -\n"
        "                                     12:00:00Z   12:00:00Z\n"
        "    total                  1.2 GiB\n");
}

TEST_CASE("texts are parted between words before anything is parted in a word", "[cli]") {
  CHECK(TableText(LettersTable(), 80) ==
        "DEAD_LETTER  DEAD_SINCE ATTEMPTS FINGERPRINT      WHY                TEXT\n"
        "orders/0/0   2018-02-04        5 90ab12cd34ef5678 attempts-exhausted the\n"
        "              12:00:00Z                                              B\u00fccherei\n"
        "                                                                     knows no\n"
        "                                                                     gr\u00f6\u00dfer\n"
        "                                                                     book, and\n"
        "                                                                     says so\n"
        "returns/1/17 2018-02-04        1 0123456789abcdef rejected           -\n"
        "              12:00:00Z\n");
}

TEST_CASE("names are parted at their marks, that of the row last", "[cli]") {
  Table table({"GROUP", "TOPICS", "LAG"});
  table.Row("billing-of-the-warehouses", "orders-of-the-warehouses", 7);
  CHECK(TableText(table, 40) ==
        "GROUP                     TOPICS     LAG\n"
        "billing-of-the-warehouses orders-of-   7\n"
        "                          the-\n"
        "                          warehouses\n");
  CHECK(TableText(table, 30) ==
        "GROUP       TOPICS     LAG\n"
        "billing-of- orders-of-   7\n"
        "the-        the-\n"
        "warehouses  warehouses\n");
}

Table PropertiesTable() {
  Table table({"PROPERTY", "VALUE", "SOURCE", "DEFAULT", "RANGE", "MEANING"});
  table.SentencesLast();
  table.Row("storage.in_flight", "64MiB", "file", "64MiB", "18MiB to 1TiB",
            "publishes that wait to be written; above it they are refused");
  table.Row("listen.max_connections_per_address", 1000, "environment", 256, "1 to 1000000",
            "gRPC connections from one address; loopback is exempt");
  table.Row("storage.backup_dir", "/var/backups/acta", "flag", "", "path",
            "folder of the backups of this store; empty: none are made; SIGHUP is enough for it");
  return table;
}

TEST_CASE("sentences go below their row, and its name stays whole", "[cli]") {
  CHECK(TableText(PropertiesTable(), 80) ==
        "PROPERTY                           VALUE        SOURCE      DEFAULT RANGE\n"
        "  MEANING\n"
        "storage.in_flight                  64MiB        file          64MiB 18MiB to\n"
        "                                                                    1TiB\n"
        "  publishes that wait to be written; above it they are refused\n"
        "listen.max_connections_per_address 1000         environment     256 1 to 1000000\n"
        "  gRPC connections from one address; loopback is exempt\n"
        "storage.backup_dir                 /var/        flag                path\n"
        "                                   backups/acta\n"
        "  folder of the backups of this store; empty: none are made; SIGHUP is enough\n"
        "  for it\n");
  CHECK(absl::StartsWith(TableText(PropertiesTable(), 40),
                         "PROPERTY  storage.in_flight\n"
                         "VALUE     64MiB\n"));
  const std::string whole = TableText(PropertiesTable(), 0);
  CHECK(absl::StrContains(whole, "they are refused\nlisten.max_connections_per_address  1000 "));
}

TEST_CASE("a name without marks is parted anywhere when nothing else is enough", "[cli]") {
  Table table({"GROUP", "STATE"});
  table.Row("abcdefghijklmnopqrstuvwxyz", "no members");
  CHECK(TableText(table, 30) ==
        "GROUP               STATE\n"
        "abcdefghijklmnopqrs no members\n"
        "tuvwxyz\n");
}

TEST_CASE("a row that has no room beside itself is a list of its values", "[cli]") {
  CHECK(TableText(PartitionsTable(), 40) ==
        "PARTITION      0\n"
        "FIRST          0\n"
        "END            2\n"
        "BYTES          1.2 GiB\n"
        "OLDEST         2018-02-04 12:00:00Z\n"
        "NEWEST         2018-02-04 12:00:00Z\n"
        "DEDUPE_WINDOW  10m\n"
        "MEMBER         m-1\n"
        "\n"
        "PARTITION      1\n"
        "FIRST          0\n"
        "END            1200000\n"
        "BYTES          77 B\n"
        "OLDEST         2018-02-04 12:00:00Z\n"
        "NEWEST         2018-02-04 12:00:00Z\n"
        "DEDUPE_WINDOW  1h30m\n"
        "MEMBER         -\n"
        "\n"
        "PARTITION      total\n"
        "BYTES          1.2 GiB\n");
  CHECK(TableText(LettersTable(), 40) ==
        "DEAD_LETTER  orders/0/0\n"
        "DEAD_SINCE   2018-02-04 12:00:00Z\n"
        "ATTEMPTS     5\n"
        "FINGERPRINT  90ab12cd34ef5678\n"
        "WHY          attempts-exhausted\n"
        "TEXT         the B\u00fccherei knows no\n"
        "             gr\u00f6\u00dfer book, and says so\n"
        "\n"
        "DEAD_LETTER  returns/1/17\n"
        "DEAD_SINCE   2018-02-04 12:00:00Z\n"
        "ATTEMPTS     1\n"
        "FINGERPRINT  0123456789abcdef\n"
        "WHY          rejected\n"
        "TEXT         -\n");
}

TEST_CASE("no line is wider than its terminal, whatever that has", "[cli]") {
  for (const Table& table : {PartitionsTable(), LettersTable()}) {
    for (size_t width = 40; width < 130; ++width) {
      const std::string text = TableText(table, width);
      for (const absl::string_view line : absl::StrSplit(text, '\n')) {
        size_t cells = 0;
        for (const char c : line) cells += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
        INFO(width << ": " << line);
        CHECK(cells <= width);
      }
      const bool numbers = absl::StrContains(text, "1200000");
      CHECK((numbers || absl::StrContains(text, "attempts-")));
    }
  }
}

TEST_CASE("a table without rows shows its headings at any width", "[cli]") {
  Table table({"GROUP", "MODE", "TOPICS", "CREATED", "DESCRIPTION"});
  CHECK(TableText(table, 80) == "GROUP  MODE  TOPICS  CREATED  DESCRIPTION\n");
  CHECK(TableText(table, 20) ==
        "GROUP  MODE\n"
        "  TOPICS  CREATED\n"
        "  DESCRIPTION\n");
}

TEST_CASE("a sentence goes on below, two blanks in", "[cli]") {
  CHECK(WrappedText("topic orders: ack fsync, labels -\nshort\n", 20) ==
        "topic orders: ack\n  fsync, labels -\nshort\n");
  CHECK(WrappedText("topic orders: ack fsync, labels -\n", 0) ==
        "topic orders: ack fsync, labels -\n");
}

// One of 80 columns, and what unsets COLUMNS.
struct OwnTerminal {
  OwnTerminal() : ours(posix_openpt(O_RDWR | O_NOCTTY)) {
    unsetenv("COLUMNS");
    if (ours < 0 || grantpt(ours) != 0 || unlockpt(ours) != 0) return;
    const int theirs = open(ptsname(ours), O_RDWR | O_NOCTTY);
    const winsize size = {24, 80, 0, 0};
    if (theirs >= 0 && ioctl(theirs, TIOCSWINSZ, &size) == 0) file = fdopen(theirs, "w");
  }
  ~OwnTerminal() {
    if (file != nullptr) std::fclose(file);
    close(ours);
    unsetenv("COLUMNS");
  }

  const int ours;
  FILE* file = nullptr;
};

TEST_CASE("the width is that of the terminal, or what COLUMNS says of it", "[cli]") {
  const OwnTerminal terminal;
  REQUIRE(terminal.file != nullptr);
  CHECK(TerminalWidth(terminal.file) == 80);
  setenv("COLUMNS", "100", 1);
  CHECK(TerminalWidth(terminal.file) == 100);
  for (const char* none : {"", "0", "-1", "wide"}) {
    setenv("COLUMNS", none, 1);
    CHECK(TerminalWidth(terminal.file) == 80);
  }
  setenv("COLUMNS", "5", 1);
  CHECK(TerminalWidth(terminal.file) == 0);
}

TEST_CASE("what is no terminal has any width, whatever COLUMNS says", "[cli]") {
  const OwnTerminal terminal;
  setenv("COLUMNS", "40", 1);
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  FILE* const file = fdopen(ends[1], "w");
  CHECK(TerminalWidth(file) == 0);
  std::fclose(file);
  close(ends[0]);
}

}  // namespace
}  // namespace acta::cli
