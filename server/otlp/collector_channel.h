#pragma once

#include <grpcpp/support/channel_arguments.h>

namespace acta {

// Of the channel to a collector. It connects again before SpanExporter makes its next call, and
// gives up a connection on which nothing is answered.
grpc::ChannelArguments CollectorArguments();

}  // namespace acta
