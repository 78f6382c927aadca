#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"
#include "tools/acta/output/output.h"
#include "tools/acta/output/whole_file.h"

namespace acta::cli {
namespace {

std::unique_ptr<WholeFile> Opened(const std::string& path) {
  auto file = WholeFile::Open(path);
  REQUIRE_OK(file.status());
  return *std::move(file);
}

void Put(const std::string& path, const std::string& text) { std::ofstream(path) << text; }

std::string TextIn(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

int64_t FilesIn(const TempDir& folder) {
  return std::distance(std::filesystem::directory_iterator(folder.path()), {});
}

TEST_CASE("a file is what it was until all of the new one is written", "[cli]") {
  const TempDir folder;
  const std::string path = folder.File("letters");
  Put(path, "old");
  REQUIRE(chmod(path.c_str(), 0600) == 0);
  {
    const auto file = Opened(path);
    REQUIRE_OK(WriteAll(file->file(), "a part"));
    CHECK(TextIn(path) == "old");
  }
  CHECK(TextIn(path) == "old");
  CHECK(FilesIn(folder) == 1);
  {
    const auto file = Opened(path);
    REQUIRE_OK(WriteAll(file->file(), "all"));
    REQUIRE_OK(file->Commit());
    CHECK(TextIn(path) == "all");
  }
  CHECK(TextIn(path) == "all");
  CHECK(FilesIn(folder) == 1);
  struct stat after {};
  REQUIRE(stat(path.c_str(), &after) == 0);
  CHECK((after.st_mode & 0777) == 0600);
}

TEST_CASE("a file that is new is there when it is whole, or not at all", "[cli]") {
  const TempDir folder;
  const std::string path = folder.File("letters");
  REQUIRE_OK(WriteAll(Opened(path)->file(), "a part"));
  CHECK(FilesIn(folder) == 0);
  REQUIRE_OK(Opened(path)->Commit());
  CHECK(FilesIn(folder) == 1);
  CHECK(TextIn(path).empty());
  CHECK_FALSE(WholeFile::Open(folder.File("none/letters")).ok());
  CHECK_FALSE(WholeFile::Open(folder.path()).ok());
}

TEST_CASE("a program that is killed leaves nothing of a file that is not whole", "[cli]") {
  const TempDir folder;
  const int nameless = open(folder.path().c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
  if (nameless < 0) {
    WARN("skipped: the file system has no files without names");
    return;
  }
  close(nameless);
  const pid_t child = fork();
  if (child == 0) {
    const auto file = WholeFile::Open(folder.File("letters"));
    if (file.ok() && WriteAll((*file)->file(), "a part").ok()) kill(getpid(), SIGKILL);
    _exit(1);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  REQUIRE(WIFSIGNALED(status));
  CHECK(FilesIn(folder) == 0);
}

TEST_CASE("what a killed program left beside a file is no obstacle", "[cli]") {
  const TempDir folder;
  const std::string path = folder.File("letters");
  Put(path + "." + std::to_string(getpid()), "a part");
  const auto file = Opened(path);
  REQUIRE_OK(WriteAll(file->file(), "all"));
  REQUIRE_OK(file->Commit());
  CHECK(TextIn(path) == "all");
  CHECK(FilesIn(folder) == 1);
}

TEST_CASE("a link goes on leading to the file that is replaced", "[cli]") {
  const TempDir folder;
  Put(folder.File("letters"), "old");
  std::filesystem::create_symlink("letters", folder.File("link"));
  const auto file = Opened(folder.File("link"));
  REQUIRE_OK(WriteAll(file->file(), "all"));
  REQUIRE_OK(file->Commit());
  CHECK(std::filesystem::is_symlink(folder.File("link")));
  CHECK(TextIn(folder.File("letters")) == "all");
}

TEST_CASE("a pipe is written and not replaced", "[cli]") {
  const TempDir folder;
  const std::string path = folder.File("pipe");
  REQUIRE(mkfifo(path.c_str(), 0600) == 0);
  const int reader = open(path.c_str(), O_RDONLY | O_NONBLOCK);
  REQUIRE(reader >= 0);
  {
    const auto file = Opened(path);
    REQUIRE_OK(WriteAll(file->file(), "all"));
    REQUIRE_OK(file->Commit());
  }
  char text[8];
  CHECK(read(reader, text, sizeof(text)) == 3);
  close(reader);
  CHECK(std::filesystem::is_fifo(path));
}

}  // namespace
}  // namespace acta::cli
