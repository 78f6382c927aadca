#!/usr/bin/env python3
"""Hours and days of backoff on a real broker, within seconds: its clock is set, while it works and
while it does not. Nothing comes before its time, and nothing is forgotten."""

import stubs

stubs.use()

import grpc  # noqa: E402
from acta.v1 import groups_pb2, groups_pb2_grpc  # noqa: E402
from broker import PATIENCE_S  # noqa: E402
from google.protobuf.duration_pb2 import Duration  # noqa: E402
from network import EARLIEST  # noqa: E402
from oracle import ClockTest, side_by_side  # noqa: E402
from workers import ACK, NACK, Worker, queue_group  # noqa: E402

HOUR = 3600
DAY = 24 * HOUR


class Backoff(ClockTest):
    def connect(self):
        self.channel = grpc.insecure_channel(f'{self.host}:{self.port}', options=[
            ('grpc.use_local_subchannel_pool', 1)])
        self.addCleanup(self.channel.close)
        self.groups = groups_pb2_grpc.GroupsStub(self.channel)

    def begin(self):
        self.start_broker()
        self.acta('topic', 'create', 'jobs', '--partitions', 1)
        self.connect()
        self.groups.CreateGroup(groups_pb2.CreateGroupRequest(
            group=queue_group('waits', ['jobs'], backoff_initial=Duration(seconds=HOUR),
                              backoff_max=Duration(seconds=DAY), backoff_jitter=0),
            start=EARLIEST), timeout=PATIENCE_S)
        for data in ('an hour', 'three hours', 'ten days'):
            self.acta('publish', 'jobs', data)

    def restart(self, offset, crash=False):
        if crash:
            self.kill()
        else:
            self.broker.terminate()
            self.assertEqual(self.broker.wait(PATIENCE_S), 0)
        self.set_clock(offset)
        self.start_broker()
        self.connect()

    def worker(self):
        worker = Worker(self.channel, group='waits')
        self.addCleanup(worker.die)
        return worker

    def waiting(self):
        lag = self.groups.GetLag(groups_pb2.GetLagRequest(group='waits'), timeout=PATIENCE_S)
        return sum(row.queue.retry_wait for row in lag.partitions)

    def test_hours_and_days_of_backoff(self):
        self.begin()
        worker = self.worker()
        worker.has(3)
        hour, three_hours, ten_days = worker.leased
        worker.settle(NACK, hour)
        worker.settle(NACK, three_hours, delay=Duration(seconds=3 * HOUR))
        worker.settled(worker.settle(NACK, ten_days, delay=Duration(seconds=10 * DAY)))
        # A jump that nobody accepted makes nothing due.
        self.set_clock(2 * HOUR)
        self.until(lambda: any(alarm['code'] == 'CLOCK_JUMP'
                               for alarm in self.acta_json('status')['alarms']), 'no alarm')
        self.acta('publish', 'jobs', 'now')
        worker.has(4)
        self.assertEqual((worker.leased[3].data, self.waiting()), (b'now', 3))
        worker.settled(worker.settle(ACK, worker.leased[3]))
        # One that somebody accepted does, without anything else that happens.
        self.acta('admin', 'accept-clock', '--reason', 'test')
        worker.has(5)
        again = worker.leased[4]
        self.assertEqual((again.data, again.attempt, self.waiting()), (b'an hour', 2, 2))
        worker.settled(worker.settle(NACK, again))  # Two hours more.
        self.assertEqual(worker.errors, [])

        self.restart(3 * HOUR + 1800)
        worker = self.worker()
        worker.has(1)
        self.assertEqual((worker.leased[0].data, worker.leased[0].attempt), (b'three hours', 2))
        self.assertEqual(self.waiting(), 2)
        worker.settled(worker.settle(ACK, *worker.leased))
        # Days later retention has taken the events; the group has a copy of each.
        self.restart(11 * DAY, crash=True)
        self.until(lambda: int(self.acta_json('topic', 'describe', 'jobs')['partitions'][0]
                               .get('firstOffset', 0)) >= 4, 'retention takes them')
        worker = self.worker()
        worker.has(2)
        self.assertEqual({(event.data, event.attempt) for event in worker.leased},
                         {(b'an hour', 3), (b'ten days', 2)})
        worker.settled(worker.settle(ACK, *worker.leased))
        self.assertEqual((worker.errors, self.waiting()), ([], 0))

    def test_a_clock_that_is_behind_makes_nothing_due_and_forgets_nothing(self):
        self.begin()
        worker = self.worker()
        worker.has(3)
        worker.settled(worker.settle(NACK, *worker.leased))
        self.restart(-DAY, crash=True)
        self.assertEqual(self.waiting(), 3)
        self.restart(HOUR + 60)
        worker = self.worker()
        worker.has(3)
        self.assertEqual({event.attempt for event in worker.leased}, {2})


if __name__ == '__main__':
    side_by_side(Backoff)
