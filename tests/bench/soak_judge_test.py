"""The verdict of a soak and the thinning of its samples: what has to fail, fails."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / 'tools/bench/soak'))
import judge  # noqa: E402

HELD = {'sockets': 4, 'threads': 28}
END = {'published': 1000, 'compared': 3, 'lag': 0, 'returns': 4}
ROW = {'p50_ms': 1, 'p99_ms': 2, 'p999_ms': 2.5, 'max_ms': 3, 'rss_mib': 500,
       'descriptors': 100, 'threads': 30, 'wal_mib': 200, 'slices': 9, 'disk_mib': 20000,
       'alarms': ''}


def hour(**changes):
    """Samples of an hour. A change is a function of the minute."""
    return [{**ROW, 'seconds': s, **{key: change(s / 60) for key, change in changes.items()}}
            for s in range(5, 3601, 5)]


def failed(samples, end=END, error='', dropped=50, after=HELD):
    seen = {'plan': {'kept_s': 180}, 'before': HELD, 'after': after, 'end': end, 'error': error}
    return [check.name for check in judge.judge(seen, samples, dropped)
            if not check.passed]


class VerdictTest(unittest.TestCase):
    def test_what_is_steady_passes(self):
        self.assertEqual(failed(hour()), [])

    def test_what_grew_only_in_the_first_third_passes(self):
        for bound in judge.BOUNDS:
            rises = hour(**{bound.column: lambda minute, top=ROW[bound.column]:
                            top * min(1, minute / 19)})
            self.assertEqual(failed(rises), [], bound.column)

    def test_each_thing_that_grows_fails_by_its_name(self):
        for bound in judge.BOUNDS:
            leak = max(bound.share * ROW[bound.column], bound.least) / 15
            grows = hour(**{bound.column: lambda minute, base=ROW[bound.column]:
                            base + minute * leak})
            self.assertEqual(failed(grows), [bound.name])

    def test_growth_within_the_slack_passes(self):
        for bound in judge.BOUNDS:
            slack = max(bound.share * ROW[bound.column], bound.least)
            step = hour(**{bound.column: lambda minute, base=ROW[bound.column]:
                           base + (slack if minute > 45 else 0)})
            self.assertEqual(failed(step), [], bound.column)

    def test_an_alarm_lag_loss_or_a_soak_that_did_nothing_fails(self):
        one_alarm = hour(alarms=lambda minute: 'DISK_WARN' if minute == 30 else '')
        self.assertEqual(failed(one_alarm), ['no alarm'])
        self.assertEqual(failed(hour(), {**END, 'lag': 1}), ['lag of all groups at the end'])
        self.assertEqual(failed(hour(), {**END, 'returns': 0}),
                         ['the group that was away caught up'])
        self.assertEqual(failed(hour(), dropped=0), ['slices were dropped'])
        self.assertIn('every event once, in order, unaltered', failed(hour(), None, 'lost'))
        self.assertIn('samples', failed([]))

    def test_what_clients_made_it_hold_has_to_be_given_back(self):
        self.assertEqual(failed(hour(), after={'sockets': 7, 'threads': 28}),
                         ['sockets when the clients are gone'])
        self.assertEqual(failed(hour(), after={'sockets': 4, 'threads': 35}),
                         ['threads when the clients are gone'])
        self.assertEqual(len(failed(hour(), after=None)), 2)

    def test_events_that_come_late_fail(self):
        self.assertEqual(failed(hour(p99_ms=lambda minute: 600)),
                         ['p99 of the median interval, ms'])

    def test_a_short_soak_is_not_judged_by_what_retention_has_not_reached(self):
        minutes = [row for row in hour(disk_mib=lambda minute: minute * 5000)
                   if row['seconds'] <= 300]
        self.assertEqual(failed(minutes, dropped=0), [])
        leak = [row for row in hour(rss_mib=lambda minute: minute * 500) if row['seconds'] <= 300]
        self.assertEqual(failed(leak, dropped=0), ['memory, MiB'])


class ThinningTest(unittest.TestCase):
    def test_peaks_and_alarms_stay(self):
        samples = hour(max_ms=lambda minute: 900 if minute == 17 else 3,
                       alarms=lambda minute: 'A' if minute == 40 else '')
        rows = judge.thin(samples, 100)
        self.assertLessEqual(len(rows), 100)
        self.assertEqual([row['max_ms'] for row in rows].count(900), 1)
        self.assertEqual([row['alarms'] for row in rows].count('A'), 1)
        self.assertAlmostEqual(rows[0]['seconds'], 5 * (1 + 8) / 2)

    def test_few_samples_stay_as_they_are(self):
        self.assertEqual(judge.thin(hour(), 720), hour())

    def test_intervals_without_a_latency_are_left_out(self):
        samples = hour(p50_ms=lambda minute: None if minute <= 30 else 2)
        rows = judge.thin(samples, 10)
        self.assertEqual([row['p50_ms'] for row in rows], [None] * 5 + [2] * 5)


if __name__ == '__main__':
    unittest.main()
