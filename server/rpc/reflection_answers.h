#pragma once

#include "grpc/reflection/v1alpha/reflection.pb.h"

namespace acta {

// The answer to one question about the API, made of the descriptors linked into the program.
grpc::reflection::v1alpha::ServerReflectionResponse AnswerReflection(
    const grpc::reflection::v1alpha::ServerReflectionRequest& request);

}  // namespace acta
