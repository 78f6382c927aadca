#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include <memory>
#include <string>

namespace acta {

// Of the channel to a collector. It connects again before SpanExporter makes its next call, and
// gives up a connection on which nothing is answered.
grpc::ChannelArguments CollectorArguments();

// CollectorChannel is the channel to a collector, and another one where that could not connect. A
// name that could not be resolved gRPC asks for again after up to 2 minutes, which no argument
// limits; once its pause is reset 1.51 never does.
//
// Threads: one at a time.
class CollectorChannel {
 public:
  CollectorChannel(std::string address, std::shared_ptr<grpc::ChannelCredentials> credentials);

  // For the next call.
  const std::shared_ptr<grpc::Channel>& Get();

 private:
  const std::string address_;
  const std::shared_ptr<grpc::ChannelCredentials> credentials_;
  std::shared_ptr<grpc::Channel> channel_;
};

}  // namespace acta
