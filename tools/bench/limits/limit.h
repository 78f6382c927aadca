#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tools/bench/row.h"

namespace acta::bench {

// How limits are taken.
struct LimitSettings {
  std::string folder;  // Of files; each limit removes its own.
  double seconds = 1;  // Of each.
};

using LimitRows = absl::StatusOr<std::vector<Row>>;

// Something the machine can do without a broker; the first row has its name.
struct Limit {
  const char* name;
  const char* help;
  LimitRows (*run)(const LimitSettings& settings);
};

// Small appends, each followed by fdatasync; the same in place; 1 MiB writes, each synced.
LimitRows DiskAppendSync(const LimitSettings& settings);
LimitRows DiskOverwriteSync(const LimitSettings& settings);
LimitRows DiskWrite(const LimitSettings& settings);

// RocksDB with the broker's options, written in the broker's shape: groups of 1 MiB, each of
// batches of 64 KiB. FSYNC: a second thread syncs the log as fast as it can, and what is synced
// counts.
LimitRows RocksOs(const LimitSettings& settings);
LimitRows RocksFsync(const LimitSettings& settings);

// One gRPC connection on loopback: a stream into nothing, and small messages there and back. Crowd:
// 1,000 connections with a stream and a message under way each.
LimitRows GrpcStream64(const LimitSettings& settings);
LimitRows GrpcStream256(const LimitSettings& settings);
LimitRows GrpcStreamRoundTrip(const LimitSettings& settings);
LimitRows GrpcCrowd(const LimitSettings& settings);
LimitRows GrpcUnary(const LimitSettings& settings);

// One plain TCP connection on loopback.
LimitRows TcpStream(const LimitSettings& settings);
LimitRows TcpRoundTrip(const LimitSettings& settings);

// One core.
LimitRows Crc32cRate(const LimitSettings& settings);
LimitRows MemcpyRate(const LimitSettings& settings);

Row RateRow(const char* name, double bytes, double seconds);  // MB/s
class Latencies;
// Median and 99th percentile as NAME and NAME.p99.
std::vector<Row> LatencyRows(const std::string& name, const Latencies& latencies);

}  // namespace acta::bench
