#pragma once

#include "acta/v1/publisher.grpc.pb.h"
#include "acta/v1/subscriber.grpc.pb.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "grpc/reflection/v1alpha/reflection.grpc.pb.h"

namespace acta {

// The services whose calls run on the completion loop. Raw: requests and answers are bytes, no
// object is built of an event.
using RawPublisher = v1::Publisher::WithRawMethod_Publish<
    v1::Publisher::WithRawMethod_PublishStream<v1::Publisher::Service>>;
using RawSubscriber = v1::Subscriber::WithRawMethod_Subscribe<v1::Subscriber::WithRawMethod_Settle<
    v1::Subscriber::WithRawMethod_Fetch<v1::Subscriber::Service>>>;
using AsyncHealth = grpc::health::v1::Health::WithRawMethod_Check<
    grpc::health::v1::Health::WithAsyncMethod_Watch<grpc::health::v1::Health::Service>>;
using AsyncReflection = grpc::reflection::v1alpha::ServerReflection::AsyncService;

}  // namespace acta
