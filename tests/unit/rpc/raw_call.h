#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <memory>
#include <string>

namespace acta {

struct RawAnswer {
  grpc::Status status;
  bool answered = false;
  std::string message;  // The first.
};

// Calls any method, streaming or not, with one message of any bytes, and half-closes.
RawAnswer CallRaw(const std::shared_ptr<grpc::Channel>& channel, const std::string& method,
                  const std::string& message, grpc::ClientContext* context);

}  // namespace acta
