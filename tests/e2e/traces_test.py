#!/usr/bin/env python3
"""Spans arrive in a receiver of OTLP, made of OpenTelemetry's own protos and started here."""

import concurrent.futures
import json
import tempfile
import threading
import time
import unittest
import urllib.request

import stubs

stubs.use()

import grpc  # noqa: E402
from broker import PATIENCE_S, Broker, BrokerTest  # noqa: E402
from faults import until  # noqa: E402
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2  # noqa: E402
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc  # noqa: E402
from opentelemetry.proto.trace.v1 import trace_pb2  # noqa: E402
from oracle import free_port  # noqa: E402
from workers import ACK, NACK, REJECT, Worker  # noqa: E402

TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
PARENT = '00f067aa0ba902b7'
Kind = trace_pb2.Span
# By OpenTelemetry's conventions for messaging (1.28 and newer).
KINDS = {('publish orders', Kind.SPAN_KIND_PRODUCER, 'send'),
         ('deliver orders', Kind.SPAN_KIND_INTERNAL, None),
         ('settle orders', Kind.SPAN_KIND_CONSUMER, 'process'),
         ('retry orders', Kind.SPAN_KIND_INTERNAL, None),
         ('dead letter orders', Kind.SPAN_KIND_INTERNAL, None)}


class Receiver(trace_service_pb2_grpc.TraceServiceServicer):
    """A collector as far as a sender can tell."""

    def __init__(self):
        self.lock = threading.Lock()
        self.requests = []
        self.delay_s = 0
        self.refusal = None
        self.server = None
        self.port = free_port()  # It comes back there.

    def start(self):
        self.server = grpc.server(concurrent.futures.ThreadPoolExecutor(max_workers=4))
        trace_service_pb2_grpc.add_TraceServiceServicer_to_server(self, self.server)
        self.port = self.server.add_insecure_port(f'127.0.0.1:{self.port}')
        self.server.start()

    def stop(self):
        self.server.stop(None).wait()

    def Export(self, request, context):  # noqa: N802
        time.sleep(self.delay_s)
        if self.refusal:
            context.abort(self.refusal, 'refused by the test')
        with self.lock:
            self.requests.append(request)
        return trace_service_pb2.ExportTraceServiceResponse()

    def spans(self):
        with self.lock:
            return [span for request in self.requests for resource in request.resource_spans
                    for scope in resource.scope_spans for span in scope.spans]


def attributes(of):
    return {one.key: one.value.string_value or one.value.int_value for one in of.attributes}


class Traces(BrokerTest):
    def setUp(self):
        self.receiver = Receiver()
        self.receiver.start()
        self.addCleanup(self.receiver.stop)
        self.options = ('--telemetry.otlp_endpoint', f'http://127.0.0.1:{self.receiver.port}')
        super().setUp()
        self.acta('topic', 'create', 'orders', '--partitions', 1)
        self.acta('group', 'create', 'workers', '--topic', 'orders', '--from', 'earliest',
                  '--mode', 'queue', '--backoff', '50ms', '--max-attempts', '5')

    def publish(self, *ids, flags='01'):
        lines = [json.dumps({'specversion': '1.0', 'id': one, 'source': 'shop',
                             'type': 'OrderPlaced', 'data': {'card': 'SECRET'},
                             'traceparent': f'00-{TRACE}-{PARENT}-{flags}'}) for one in ids]
        self.acta('publish', 'orders', '--format', 'cloudevents', stdin='\n'.join(lines) + '\n')

    def worker(self):
        channel = grpc.insecure_channel(self.broker.address)
        worker = Worker(channel)
        self.addCleanup(channel.close)
        self.addCleanup(worker.die)
        return worker

    def named(self, name):
        return [span for span in self.receiver.spans() if span.name == name]

    def test_an_event_is_followed_from_publish_to_dead_letter(self):
        self.publish('good', 'bad')
        self.publish('not-sampled', flags='00')
        worker = self.worker()
        worker.has(3)
        by_offset = {lease.offset: lease for lease in worker.leased}
        worker.settle(ACK, by_offset[0], by_offset[2])
        worker.settle(NACK, by_offset[1])
        worker.has(4)
        worker.settle(REJECT, worker.leased[3])
        until(lambda: self.named('dead letter orders') and len(self.receiver.spans()) >= 9,
              'all spans arrive', PATIENCE_S)
        spans = self.receiver.spans()
        self.assertEqual({span.trace_id.hex() for span in spans}, {TRACE})
        self.assertEqual(len({span.span_id for span in spans}), len(spans))
        told = sorted((attributes(span)['messaging.message.id'], span.name) for span in spans)
        self.assertEqual(told, [
            ('bad', 'dead letter orders'), ('bad', 'deliver orders'), ('bad', 'publish orders'),
            ('bad', 'retry orders'), ('bad', 'settle orders'), ('bad', 'settle orders'),
            ('good', 'deliver orders'), ('good', 'publish orders'), ('good', 'settle orders')])
        publish = {attributes(span)['messaging.message.id']: span
                   for span in self.named('publish orders')}
        for span in spans:
            parent = publish[attributes(span)['messaging.message.id']].span_id
            is_publish = span.name.startswith('publish')
            self.assertEqual(span.parent_span_id.hex(), PARENT if is_publish else parent.hex())
            self.assertLessEqual(span.start_time_unix_nano, span.end_time_unix_nano)
        self.assertEqual({(span.name, span.kind, attributes(span).get('messaging.operation.type'))
                          for span in spans}, KINDS)
        failed = [span for span in self.named('settle orders')
                  if span.status.code == trace_pb2.Status.STATUS_CODE_ERROR]
        self.assertEqual(len(failed), 2)
        self.assertEqual(attributes(failed[0])['messaging.consumer.group.name'], 'workers')
        self.assertEqual(attributes(failed[0])['messaging.system'], 'acta')
        resource = self.receiver.requests[0].resource_spans[0].resource
        self.assertEqual(attributes(resource)['service.name'], 'acta')
        self.assertNotIn(b'SECRET', b''.join(one.SerializeToString()
                                             for one in self.receiver.requests))

    def test_a_collector_that_is_down_stops_nobody_and_gets_what_waited(self):
        self.receiver.stop()
        self.publish('while-down')
        worker = self.worker()
        worker.has(1)
        worker.settle(ACK, worker.leased[0])
        until(lambda: 'spans are not taken' in self.broker.log.read_text(), 'it is told',
              PATIENCE_S)
        self.receiver.start()
        until(lambda: self.named('settle orders'), 'they arrive', PATIENCE_S)
        self.assertEqual(attributes(self.named('publish orders')[0])['messaging.message.id'],
                         'while-down')

    def test_a_slow_collector_stalls_no_traffic_and_too_much_is_dropped(self):
        self.receiver.delay_s = 1.5
        begin = time.monotonic()
        for batch in range(4):
            self.publish(*(f'{batch}-{n}' for n in range(5000)))
        self.assertLess(time.monotonic() - begin, 20)
        until(lambda: self.spans_metric('dropped') > 1000, 'they are counted', PATIENCE_S)
        self.publish('more')
        self.assertEqual(self.broker.stop(), 0)

    def test_what_a_collector_refuses_is_counted_and_not_sent_again(self):
        self.receiver.refusal = grpc.StatusCode.INVALID_ARGUMENT
        self.publish('refused')
        until(lambda: self.spans_metric('failed') == 1, 'it is counted', PATIENCE_S)
        self.receiver.refusal = None
        self.publish('taken')
        until(lambda: self.spans_metric('exported') == 1, 'the next one is taken', PATIENCE_S)
        self.assertEqual([attributes(span)['messaging.message.id']
                          for span in self.receiver.spans()], ['taken'])

    def test_what_waits_is_sent_when_the_broker_stops(self):
        self.publish('last')
        self.assertEqual(self.broker.stop(), 0)
        self.assertEqual(len(self.named('publish orders')), 1)

    def spans_metric(self, outcome):
        return self.metric('acta_telemetry_spans_total{outcome="%s"}' % outcome)

    def metric(self, name):
        with urllib.request.urlopen(f'http://{self.broker.http}/metrics') as page:
            for line in page.read().decode().splitlines():
                if line.startswith(name + ' '):
                    return float(line.split()[-1])
        return 0.0


class BadEndpoint(unittest.TestCase):
    def test_an_endpoint_that_is_none_is_refused_at_the_start(self):
        with tempfile.TemporaryDirectory() as folder:
            broker = Broker(folder, '--telemetry.otlp_endpoint', 'collector:4317')
            wrong = 'telemetry.otlp_endpoint.*http://HOST:PORT'
            with self.assertRaisesRegex(AssertionError, wrong):
                broker.start()


if __name__ == '__main__':
    unittest.main()
