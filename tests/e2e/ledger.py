"""What clients were told is stored, against what is there. Import it after stubs.use()."""

import itertools
import threading

import grpc
from acta.v1 import (event_pb2, publisher_pb2, publisher_pb2_grpc, subscriber_pb2,
                     subscriber_pb2_grpc)

from broker import PATIENCE_S


class Ledger:
    """Clients of the topic 't', each with a partition and calls of its own."""

    def __init__(self, clients, event_bytes):
        self.clients = clients
        self.event_bytes = event_bytes
        self.acked = {}   # (partition, offset): data
        self.errors = {}  # client: how its last call failed
        self.numbers = itertools.count()

    def publish(self, address, client):
        """Until a call fails."""
        with grpc.insecure_channel(address) as channel:
            stub = publisher_pb2_grpc.PublisherStub(channel)
            while True:
                data = f'{client}/{next(self.numbers)}/'.encode().ljust(self.event_bytes, b'.')
                try:
                    answer = stub.Publish(publisher_pb2.PublishFrame(
                        batches=[publisher_pb2.PartitionBatch(
                            topic='t', partition=client,
                            events=[event_pb2.Event(data=data)])]), timeout=PATIENCE_S)
                except grpc.RpcError as error:
                    self.errors[client] = error
                    return
                part = answer.results[0].batches[0].parts[0]
                self.acked[client, part.base_offset] = data

    def start(self, address):
        """All clients at once; join them."""
        self.errors = {}
        threads = [threading.Thread(target=self.publish, args=(address, client))
                   for client in range(self.clients)]
        for thread in threads:
            thread.start()
        return threads

    def publish_until_refused(self, address):
        for thread in self.start(address):
            thread.join()

    def stored(self, address):
        """What the log holds, by place. Raises where offsets are not dense."""
        events = {}
        with grpc.insecure_channel(address) as channel:
            stub = subscriber_pb2_grpc.SubscriberStub(channel)
            for partition in range(self.clients):
                offset, end = 0, 1
                while offset < end:
                    page = stub.Fetch(subscriber_pb2.FetchRequest(
                        topic='t', partition=partition, offset=offset, max_bytes=4 << 20),
                        timeout=PATIENCE_S)
                    end = page.end_offset
                    for batch in page.batches:
                        if batch.base_offset != offset:
                            raise AssertionError(f'a hole in {partition} at {offset}')
                        for event in batch.events:
                            events[partition, offset] = event.data
                            offset += 1
        return events

    def lost(self, stored):
        """Places of what was acknowledged and is not there, or is altered."""
        return [place for place, data in self.acked.items() if stored.get(place) != data]
