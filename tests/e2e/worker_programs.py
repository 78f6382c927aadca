"""What the workers of docs/start promise, whatever their language, against a real broker. The test
of each says how it is started, and its words."""

import collections
import json
import os
import pathlib
import signal
import subprocess

import queues_test  # Makes the stubs.

import grpc
from acta.v1 import dead_letters_pb2, groups_pb2, publisher_pb2, publisher_pb2_grpc
from broker import PATIENCE_S, SOURCE
from faults import until
from google.protobuf.duration_pb2 import Duration
from network import Event
from oracle import free_port
from stubs import PYTHON
from workers import ACK

PYTHON_WORKER = (PYTHON, SOURCE / 'docs/start/python/worker.py')
STUBS = pathlib.Path(groups_pb2.__file__).parents[2]
# Less than the 10 s in which only members that hold an event from before get it.
IN_GRACE_S = 8
# What the first of some events takes: until they are seen to be leased and the broker is killed.
FIRST_S = 3


class Program:
    """A worker that runs."""

    def __init__(self, command, broker, name):
        self.out, self.err = (broker.folder / f'{name}.{kind}' for kind in ('out', 'err'))
        with open(self.out, 'wb') as out, open(self.err, 'wb') as err:
            self.process = subprocess.Popen(
                list(map(str, command)), stdout=out, stderr=err,
                env={**os.environ, 'ACTA_SERVER': broker.address, 'PYTHONPATH': str(STUBS)})

    def pictures(self):
        """The numbers of those it has done, in order."""
        lines = self.out.read_text().splitlines(keepends=True)
        return [int(line.split()[1]) for line in lines if line.endswith(' done\n')]

    def errors(self):
        return self.err.read_text()

    def interrupt(self):
        """As Ctrl-C does; returns the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(PATIENCE_S)

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


class WorkerPrograms(queues_test.QueueTest):
    """Its subclasses have the command, what it says of a job without a number and of one that is no
    JSON (reasons and texts), and what a job takes of which it is not to be done with all that it
    has before it is interrupted."""
    maxDiff = None

    def setUp(self):
        # A broker that comes back has to be where the programs look for it.
        self.options = ('--grpc', f'127.0.0.1:{free_port()}')
        super().setUp()

    def start_program(self, command=None, name='worker'):
        program = Program(command or self.command, self.broker, name)
        self.addCleanup(program.end)
        return program

    def publish_jobs(self, *jobs, partitions=queues_test.PARTITIONS):
        """In turn to so many partitions. What is bytes is published as it is."""
        batches = collections.defaultdict(list)
        for number, job in enumerate(jobs):
            data = job if isinstance(job, bytes) else json.dumps(job).encode()
            batches[number % partitions].append(Event(data=data))
        results = publisher_pb2_grpc.PublisherStub(self.channel).Publish(
            publisher_pb2.PublishFrame(batches=[
                publisher_pb2.PartitionBatch(topic='jobs', partition=partition, events=events)
                for partition, events in batches.items()]), timeout=PATIENCE_S)
        for batch in results.results[0].batches:
            self.assertFalse(batch.HasField('error'), batch.error.message)

    def publish_pictures(self, numbers, seconds=0.0, **how):
        self.publish_jobs(*({'picture': number, 'seconds': seconds} for number in numbers), **how)

    def all_settled(self):
        until(lambda: self.outstanding() == 0, 'everything is settled', PATIENCE_S)

    def dead_letters(self):
        return self.letters.ListDeadLetters(
            dead_letters_pb2.ListDeadLettersRequest(group='workers'),
            timeout=PATIENCE_S).dead_letters

    def members(self):
        group = self.groups.GetGroup(groups_pb2.GetGroupRequest(name='workers'),
                                     timeout=PATIENCE_S).group
        return [member for member in group.members if member.connected]

    def leased(self):
        """0 also when there is no group yet."""
        try:
            return self.states()['leased']
        except grpc.RpcError as error:
            if error.code() != grpc.StatusCode.NOT_FOUND:
                raise
            return 0

    def leaves(self, program):
        self.assertEqual(program.interrupt(), 0, program.errors())
        until(lambda: not self.members(), 'it is no member any more', PATIENCE_S)

    def test_thirty_events_are_processed_and_what_fails_becomes_dead_letters(self):
        self.group(max_attempts=2, backoff_initial=Duration(nanos=50_000_000))
        self.publish_jobs(*({'picture': number} for number in range(20)),
                          *({'picture': -number} for number in range(1, 6)),
                          {'seconds': 0}, {'seconds': 0}, {'seconds': 0}, b'no json', b'no json')
        program = self.start_program()
        self.all_settled()
        self.assertEqual(sorted(program.pictures()), list(range(20)))
        # They are listed as they are on the disk, which memory is ahead of.
        until(lambda: len(self.dead_letters()) >= 10, 'ten are dead letters', PATIENCE_S)
        self.assertEqual(
            collections.Counter((letter.last_attempt.reason, letter.last_attempt.text,
                                 letter.attempts) for letter in self.dead_letters()),
            {(*self.no_number, 2): 3, (*self.no_json, 1): 2,
             **{(self.never, f'there is no picture -{number}', 1): 1 for number in range(1, 6)}})
        self.leaves(program)

    def test_it_makes_its_group_and_gives_back_what_it_has_on_ctrl_c(self):
        self.publish_pictures(range(12), seconds=self.job_s)
        program = self.start_program()
        until(self.leased, 'it has events', PATIENCE_S)
        self.leaves(program)
        done = program.pictures()
        self.assertLess(len(done), 12)
        other = self.worker()
        other.has(12 - len(done))
        rest = [json.loads(event.data)['picture'] for event in other.leased]
        self.assertEqual(sorted(done + rest), list(range(12)))
        # To leave is nobody's fault.
        self.assertEqual({event.attempt for event in other.leased}, {1})

    def test_it_keeps_what_it_holds_when_the_broker_is_killed_and_comes_back(self):
        self.group()
        self.publish_pictures(range(12))
        program = self.start_program()
        until(lambda: len(program.pictures()) == 12, 'twelve are done', PATIENCE_S)
        self.all_settled()
        # Of one partition: they come in one frame, and when one is processed it knows all of them.
        # None is processed when the broker dies: an ack on its way would be lost, and the event
        # would come again.
        seconds = [max(self.job_s, FIRST_S)] + [self.job_s] * 5
        self.publish_jobs(*({'picture': 12 + at, 'seconds': each}
                            for at, each in enumerate(seconds)), partitions=1)
        until(lambda: self.leased() == 6, 'it has the others', PATIENCE_S)
        self.restart()
        others = []

        def work(worker, leased):
            others.append(json.loads(leased.data)['picture'])
            worker.settle(ACK, leased)

        other = self.worker(on_event=work)
        # Whoever does not come back in time loses them: they would be the other's.
        until(lambda: self.states()['leased'] or not self.outstanding(), 'it presents them',
              IN_GRACE_S)
        self.all_settled()
        self.assertEqual(sorted(program.pictures()), list(range(18)))
        self.assertEqual(others, [])
        self.assertEqual(self.states()['dead_letters'], 0)
        self.assertNotIn('LEASE_LOST', program.errors())
        other.leave()
        self.leaves(program)

    def test_one_that_is_killed_in_the_middle_leaves_its_events_to_another_at_once(self):
        self.group()
        self.publish_pictures(range(3), seconds=3, partitions=1)
        dies = self.start_program(name='dies')
        until(lambda: self.leased() == 3, 'it has them', PATIENCE_S)
        lives = self.start_program(name='lives')
        until(lambda: len(self.members()) == 2, 'another is a member', PATIENCE_S)
        dies.process.kill()
        dies.process.wait()
        # Less than a lease, with what they take.
        until(lambda: self.outstanding() == 0, 'the other has processed them', 20)
        self.assertEqual(sorted(dies.pictures() + lives.pictures()), list(range(3)))
        self.assertEqual(self.states()['dead_letters'], 0)
        self.leaves(lives)

    def test_it_waits_for_a_broker_that_is_away(self):
        self.group()
        program = self.start_program()
        until(self.members, 'it is a member', PATIENCE_S)
        self.restart()
        until(self.members, 'it is back', PATIENCE_S)
        self.publish_pictures(range(4))
        until(lambda: len(program.pictures()) == 4, 'all are done', PATIENCE_S)
        self.broker.kill()
        self.assertEqual(program.interrupt(), 0, program.errors())
