#include <malloc.h>
#include <signal.h>

#include <cstdio>
#include <string>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/synchronization/mutex.h"
#include "storage/base/status_macros.h"
#include "tools/bench/flags.h"
#include "tools/bench/limits/limit.h"
#include "tools/bench/many_files.h"
#include "tools/bench/report.h"

namespace acta::bench {
namespace {

const std::vector<Limit>& AllLimits() {
  static const auto& limits = *new std::vector<Limit>{
      {"disk_append_sync", "4 KiB appends, each with fdatasync", DiskAppendSync},
      {"disk_overwrite_sync", "4 KiB overwrites, each with fdatasync", DiskOverwriteSync},
      {"disk_write", "1 MiB appends, each with fdatasync", DiskWrite},
      {"rocksdb_os", "RocksDB alone, groups of 1 MiB", RocksOs},
      {"rocksdb_fsync", "the same, with what is synced counted", RocksFsync},
      {"grpc_stream_64k", "gRPC stream into nothing, 64 KiB messages", GrpcStream64},
      {"grpc_stream_256k", "the same, 256 KiB messages", GrpcStream256},
      {"grpc_stream_round_trip", "one small message there and back on a stream",
       GrpcStreamRoundTrip},
      {"grpc_crowd", "1,000 streams, a connection each, a message under way on each", GrpcCrowd},
      {"grpc_unary", "one small unary call", GrpcUnary},
      {"tcp_stream", "plain TCP on loopback, 64 KiB writes", TcpStream},
      {"tcp_round_trip", "100 bytes there and back", TcpRoundTrip},
      {"crc32c", "CRC32C on one core", Crc32cRate},
      {"memcpy", "copying memory on one core", MemcpyRate},
  };
  return limits;
}

struct Options {
  LimitSettings limits;
  std::string only;
  std::string output = "table";
  bool help = false;
};

std::vector<Flag> Flags(Options* options) {
  return {
      TextFlag("--dir", "DIR", "folder whose disk is measured (.)", &options->limits.folder),
      NumberFlag("--seconds", "S", "length of each (1)", &options->limits.seconds),
      TextFlag("--only", "NAME,...", "only these", &options->only),
      TextFlag("-o", "FORMAT", "table or json (table)", &options->output),
      SwitchFlag("--help", "this text", &options->help),
  };
}

std::string Help(const std::vector<Flag>& flags) {
  std::string text = HelpText(
      "acta-bench-limits: what this machine can do without a broker.\n\n"
      "  acta-bench-limits --dir /var/lib/acta --only rocksdb_os,disk_append_sync\n\n",
      flags);
  absl::StrAppend(&text, "\nLimits:\n");
  for (const Limit& limit : AllLimits()) {
    absl::StrAppend(&text, "  ", limit.name, ": ", limit.help, "\n");
  }
  return text;
}

// Errors: INVALID_ARGUMENT for a name there is none of.
absl::StatusOr<std::vector<Limit>> Choose(const std::string& only) {
  if (only.empty()) return AllLimits();
  std::vector<Limit> chosen;
  for (const absl::string_view name : absl::StrSplit(only, ',')) {
    const auto limit = absl::c_find_if(
        AllLimits(), [&](const Limit& candidate) { return candidate.name == name; });
    if (limit == AllLimits().end()) {
      return absl::InvalidArgumentError(absl::StrCat("there is no limit '", name, "'; see --help"));
    }
    chosen.push_back(*limit);
  }
  return chosen;
}

absl::Status Measure(const Options& options, const std::vector<Limit>& limits) {
  Report report;
  report.machine = DescribeMachine(options.limits.folder);
  for (const Limit& limit : limits) {
    absl::StatusOr<std::vector<Row>> rows = limit.run(options.limits);
    if (!rows.ok()) {
      return absl::Status(rows.status().code(),
                          absl::StrCat(limit.name, ": ", std::string(rows.status().message())));
    }
    for (Row& row : *rows) report.rows.push_back(std::move(row));
  }
  const std::string text = options.output == "json" ? ToJson(report) : ToTable(report);
  if (fwrite(text.data(), 1, text.size(), stdout) != text.size() || fflush(stdout) != 0) {
    return absl::UnavailableError("cannot write to stdout");
  }
  return absl::OkStatus();
}

int Main(const std::vector<std::string>& words) {
  Options options;
  options.limits.folder = ".";
  const std::vector<Flag> flags = Flags(&options);
  absl::Status status = ParseFlags(flags, words);
  if (status.ok() && options.help) {
    fputs(Help(flags).c_str(), stdout);
    return 0;
  }
  if (status.ok() && options.output != "table" && options.output != "json") {
    status = absl::InvalidArgumentError("-o takes table or json");
  }
  absl::StatusOr<std::vector<Limit>> limits = Choose(options.only);
  if (status.ok()) status = limits.status();
  if (status.ok()) status = Measure(options, *limits);
  if (status.ok()) return 0;
  fprintf(stderr, "acta-bench-limits: %s\n", std::string(status.message()).c_str());
  return absl::IsInvalidArgument(status) ? 2 : 1;
}

}  // namespace
}  // namespace acta::bench

int main(int argc, char** argv) {
  // As the broker does: memory once used is kept.
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);  // As the broker does.
  signal(SIGPIPE, SIG_IGN);
  acta::bench::AllowManyFiles();
  return acta::bench::Main({argv + 1, argv + argc});
}
