#!/usr/bin/env python3
"""What `acta` makes of answers that a broker gives seldom: this one gives them at once."""

import concurrent.futures
import json
import os
import subprocess
import unittest

import stubs
from broker import BIN, PATIENCE_S

stubs.use()

import grpc  # noqa: E402
from acta.v1 import (admin_pb2, admin_pb2_grpc, errors_pb2, event_pb2,  # noqa: E402
                     groups_pb2, groups_pb2_grpc, journeys_pb2, journeys_pb2_grpc, publisher_pb2,
                     publisher_pb2_grpc)


class Answering(publisher_pb2_grpc.PublisherServicer, journeys_pb2_grpc.JourneysServicer,
                groups_pb2_grpc.GroupsServicer, admin_pb2_grpc.AdminServicer):
    """Whole pages of a journey without an end, and two of groups that are not whole; of each batch
    the first event is stored, as if those behind it were of a partition that refuses them. It is of
    another version, and has few methods."""

    def __init__(self):
        self.page_sizes = []
        self.told = 0

    def Publish(self, request, context):  # noqa: N802
        return publisher_pb2.PublishResults(results=[publisher_pb2.FrameResult(batches=[
            publisher_pb2.BatchResult(
                parts=[publisher_pb2.PublishedPart(partition=1, count=1, event_indexes=[0])],
                error=errors_pb2.Status(code=grpc.StatusCode.RESOURCE_EXHAUSTED.value[0],
                                        reason=errors_pb2.DISK_FULL, message='no room'))])])

    def GetServer(self, request, context):  # noqa: N802
        return admin_pb2.GetServerResponse(version='0.0.1')

    def GetStatus(self, request, context):  # noqa: N802
        status = admin_pb2.GetStatusResponse(ready=True)
        status.server_time.GetCurrentTime()
        return status

    def ListGroups(self, request, context):  # noqa: N802
        page = request.page_token or 'first'
        return groups_pb2.ListGroupsResponse(
            groups=[groups_pb2.Group(name=f'{name}-{page}') for name in 'ab'],
            next_page_token='second' if page == 'first' else '')

    def AskQuestions(self, request, context):  # noqa: N802
        return journeys_pb2.AskQuestionsResponse(answers=[journeys_pb2.Answer(
            question=journeys_pb2.QUESTION_WHERE_FROM, certainty=journeys_pb2.CERTAINTY_PARTIAL,
            lines=['by \x1b[2J\nx', 'as \x9b1m'], why='a\rb', remedy='c\x07')])

    def GetJourney(self, request, context):  # noqa: N802
        self.page_sizes.append(request.page_size)
        page = journeys_pb2.GetJourneyResponse(next_page_token='more')
        for _ in range(request.page_size):
            page.events.add(state=journeys_pb2.JOURNEY_EVENT_STATE_STORED,
                            event=event_pb2.Event(id=f'e-{self.told}'))
            self.told += 1
        return page


class SeldomAnswers(unittest.TestCase):
    def setUp(self):
        self.answering = Answering()
        server = grpc.server(concurrent.futures.ThreadPoolExecutor(max_workers=1))
        publisher_pb2_grpc.add_PublisherServicer_to_server(self.answering, server)
        journeys_pb2_grpc.add_JourneysServicer_to_server(self.answering, server)
        groups_pb2_grpc.add_GroupsServicer_to_server(self.answering, server)
        admin_pb2_grpc.add_AdminServicer_to_server(self.answering, server)
        self.port = server.add_insecure_port('127.0.0.1:0')
        server.start()
        self.addCleanup(lambda: server.stop(None).wait())

    def text_of(self, *args, code=0, stdin=None):
        """(what it printed, its standard error)."""
        done = subprocess.run([BIN / 'acta', *map(str, args)], input=stdin,
                              capture_output=True, timeout=PATIENCE_S, text=True,
                              env={**os.environ, 'ACTA_SERVER': f'127.0.0.1:{self.port}'})
        self.assertEqual(done.returncode, code, done.stderr + done.stdout)
        return done.stdout, done.stderr

    def acta(self, *args, code=0, stdin=None):
        """(what it printed as JSON, its standard error)."""
        out, err = self.text_of(*args, '-o', 'json', code=code, stdin=stdin)
        return json.loads(out), err

    def test_what_was_stored_of_a_batch_before_one_was_refused_is_shown(self):
        rows, err = self.acta('publish', 't', '--format', 'jsonl', '--id', '@/id', '--delay', '1s',
                              code=6, stdin='{"id": "a"}\n{"id": "b"}\n')
        self.assertEqual([(row['deliver_at'], row['event_id']) for row in rows], [('now', 'a')])
        self.assertIn('no room', err)
        self.assertIn('1 event went through before', err)

    def test_what_others_wrote_into_an_answer_moves_no_cursor_and_begins_no_line(self):
        page, _ = self.text_of('questions', 'e-1')
        self.assertEqual(page, 'Where did it come from?  PARTIAL\n  by ?[2J?x\n  as ?1m\n'
                               '  why: a?b\n  to know more: c?\n')

    def test_a_broker_of_another_version_is_told(self):
        findings, _ = self.acta('doctor')
        versions, = [row for row in findings if row['check'] == 'versions']
        self.assertEqual(versions['state'], 'warn')
        self.assertRegex(versions['found'], r'^acta \d+\.\d+\.\d+, actad 0\.0\.1, which does not '
                                            r'know GetLimits, GetConfig, MeasureGroups$')
        self.assertIn("of the broker's version", versions['what_to_do'])
        rows, _ = self.acta('version')
        self.assertIn({'program': 'actad', 'version': '0.0.1'}, rows)
        for command in (('topic', 'list'), ('config',)):
            _, err = self.text_of(*command, code=1)
            self.assertIn('the broker may be of another version: acta version tells both', err)

    def test_groups_of_all_pages_are_completed(self):
        out, _ = self.text_of('__complete', '--', 'group', 'lag', 'b')
        self.assertEqual(out, 'b-first\nb-second\n')

    def test_no_more_events_of_a_journey_are_shown_than_were_asked_for(self):
        journey, err = self.acta('journey', '--correlation', 'c', '--max', 15_000)
        self.assertEqual(len(journey['events']), 15_000)
        self.assertEqual(self.answering.page_sizes, [10_000, 5_000])
        self.assertIn('--page-token more goes on', err)


if __name__ == '__main__':
    unittest.main()
