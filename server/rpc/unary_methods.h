#pragma once

#include "server/rpc/async_services.h"
#include "server/rpc/unary_call.h"

namespace acta {

// The unary methods of the completion loop. The services must outlive them.
UnaryMethod PublishMethod(RawPublisher& service);
UnaryMethod FetchMethod(RawSubscriber& service);
UnaryMethod SettleMethod(RawSubscriber& service);
UnaryMethod HealthCheckMethod(AsyncHealth& service);

}  // namespace acta
