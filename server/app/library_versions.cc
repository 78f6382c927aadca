#include "server/app/library_versions.h"

#include <google/protobuf/stubs/common.h>
#include <boost/version.hpp>

#include "absl/strings/str_replace.h"

// Of grpcpp/grpcpp.h, which is large.
namespace grpc {
std::string Version();
}

namespace acta {

std::string ActaVersion() { return ACTA_VERSION; }

std::vector<std::pair<std::string, std::string>> LibraryVersions() {
  return {{"gRPC", grpc::Version()},
          {"protobuf", google::protobuf::internal::VersionString(GOOGLE_PROTOBUF_VERSION)},
          {"RocksDB", ACTA_ROCKSDB_VERSION},
          {"Abseil", ACTA_ABSEIL_VERSION},
          {"Boost", absl::StrReplaceAll(BOOST_LIB_VERSION, {{"_", "."}})},
          {"compiler", __VERSION__}};
}

}  // namespace acta
