"""Counts orders and mails, as a member of a STREAM group: it reads partitions in order, and says
how far it has come, not what became of each event."""
from acta.v1 import groups_pb2, subscriber_pb2 as pb
from flow import Member


class Analytics(Member):
    def __init__(self):
        super().__init__('analytics', groups_pb2.GROUP_MODE_STREAM, ['orders', 'mails'])
        self.seen = {'OrderPlaced': set(), 'MailSent': set()}

    def count(self, events):
        for event in events:
            if event.type in self.seen:
                self.seen[event.type].add(event.id)
        counts = (f'{event_type} {len(ids)}' for event_type, ids in self.seen.items())
        print('analytics:', ', '.join(counts), flush=True)

    def take(self, frame):
        for batch in frame.batches:
            self.count(batch.events)
            end = batch.base_offset + (batch.offset_deltas or range(len(batch.events)))[-1] + 1
            self.out.put({'commit': pb.Commit(assignment=batch.assignment, offset=end)})
            self.out.put({'credit': pb.Credit(events=len(batch.events), bytes=batch.ByteSize())})
        for revoking in frame.revoking:  # Another member takes the partition over.
            self.out.put({'released': pb.Released(assignment=revoking.assignment)})


Analytics().run()
