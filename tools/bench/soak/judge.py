"""What the samples of a soak say: pure functions over rows {column: number or None}."""

from typing import NamedTuple


class Bound(NamedTuple):
    """What may not grow: the peak of the last third of the time against that of the middle one."""
    column: str
    name: str
    share: float  # Of the middle third's peak, that the last third may be above it,
    least: float  # or so much, whichever is more.
    by_retention: bool = False  # Grows until retention drops the first slices.


BOUNDS = (
    Bound('rss_mib', 'memory, MiB', 0.05, 16),
    Bound('descriptors', 'descriptors', 0.10, 32, True),
    Bound('threads', 'threads', 0, 2),
    Bound('wal_mib', 'write-ahead log, MiB', 0.10, 32),
    Bound('slices', 'slices', 0, 2, True),
    Bound('disk_mib', 'disk used, MiB', 0.10, 512, True),
)
LEAST_SAMPLES = 6
MOST_P99_MS = 500
# Made when they are needed first, and kept.
LAZY_THREADS = 6
LAZY_SOCKETS = 2  # Of the load's own channel, and of who looks at the metrics.
# The broker makes and drops slices once a minute.
SLICE_SECONDS = 60
# Columns of which a mean says more than a peak.
MEANS = ('seconds', 'events_per_second', 'p50_ms', 'cpu_percent', 'load_cpu_percent',
         'others_cpu_percent', 'written_mb_s')


class Check(NamedTuple):
    name: str
    passed: bool
    text: str


def peak(samples, column):
    return max((s[column] for s in samples if s[column] is not None), default=0)


def thirds(samples):
    """The first, middle and last third of the time."""
    end = samples[-1]['seconds']
    parts = ([], [], [])
    for sample in samples:
        parts[min(2, int(3 * sample['seconds'] / (end + 1e-9)))].append(sample)
    return parts


def grown(samples, bound):
    _, middle, last = (peak(part, bound.column) for part in thirds(samples))
    limit = middle + max(bound.share * middle, bound.least)
    return Check(bound.name, last <= limit,
                 f'peak {last:,.0f} in the last third, {middle:,.0f} in the middle one, '
                 f'at most {limit:,.0f}')


def given_back(before, after):
    """Sockets and threads when the clients are gone, against those before they came."""
    return [Check(f'{name} when the clients are gone',
                  after is not None and after[name] <= before[name] + slack,
                  f'{after[name]}, {before[name]} before them' if after else 'not seen')
            for name, slack in (('sockets', LAZY_SOCKETS), ('threads', LAZY_THREADS))]


def judge(seen, samples, dropped):
    """Checks of one soak. `seen`: what soak.run() gives; `dropped`: slices dropped."""
    plan, end = seen['plan'], seen['end']
    checks = [Check('every event once, in order, unaltered', end is not None,
                    seen['error'] if end is None else
                    f'{end["published"]:,} events, {end["compared"]:,} compared byte by byte')]
    lag = None if end is None else end['lag']
    checks.append(Check('lag of all groups at the end', lag == 0, f'{lag} events'))
    returns = 0 if end is None else end['returns']
    checks.append(Check('the group that was away caught up', returns > 0, f'{returns} times'))
    checks += given_back(seen['before'], seen['after'])
    late = sorted(s['p99_ms'] for s in samples if s['p99_ms'] is not None)
    if late:
        median = late[len(late) // 2]
        checks.append(Check('p99 of the median interval, ms', median <= MOST_P99_MS,
                            f'{median:,.1f}, at most {MOST_P99_MS}'))
    seconds = samples[-1]['seconds'] if samples else 0
    # What retention lets go of leaves the disk with its slice, which was open for a while.
    steady_after = plan['kept_s'] + 3 * SLICE_SECONDS
    if seconds >= steady_after:
        checks.append(Check('slices were dropped', dropped > 0, f'{dropped}'))
    alarms = sorted({code for s in samples for code in s['alarms'].split()})
    checks.append(Check('no alarm', not alarms, ' '.join(alarms) or 'none'))
    checks.append(Check('samples', len(samples) >= LEAST_SAMPLES, f'{len(samples)}'))
    if len(samples) >= LEAST_SAMPLES:
        checks += [grown(samples, bound) for bound in BOUNDS
                   if seconds / 3 >= steady_after or not bound.by_retention]
    return checks


def thin(samples, most):
    """At most so many rows for the same time: of neighbours the peak of each column (MEANS: the
    mean), so that no spike is lost."""
    size = -(-len(samples) // most)
    if size <= 1:
        return samples
    rows = []
    for begin in range(0, len(samples), size):
        part = samples[begin:begin + size]
        rows.append({column: together(part, column) for column in part[0]})
    return rows


def together(part, column):
    if column == 'alarms':
        return ' '.join(sorted({code for s in part for code in s[column].split()}))
    values = [s[column] for s in part if s[column] is not None]
    if not values:
        return None
    return sum(values) / len(values) if column in MEANS else max(values)
