"""What the load tools of the peers print, as numbers. ValueError: it does not stand there."""

import json
import re


def last(pattern, text):
    """The number in the last match, without its thousands separators."""
    found = re.findall(pattern, text.replace('\r', '\n'))
    if not found:
        raise ValueError(f'no {pattern!r} in the output')
    return float(found[-1].replace(',', ''))


def own(text):
    """The line of JSON that our load tools print."""
    for line in reversed(text.splitlines()):
        if line.startswith('{'):
            return json.loads(line)
    raise ValueError('no line of JSON in the output')


def kafka_producer(text):
    """Records a second, after the warm-up."""
    return last(r'records sent, ([\d.,]+) records/sec', text)


def kafka_consumer(text):
    """Records a second of the time in which it fetched."""
    lines = [line.split(', ') for line in text.splitlines()]
    heads = [line for line in lines if 'fetch.nMsg.sec' in line]
    if not heads or len(lines[-1]) != len(heads[-1]):
        raise ValueError('no table in the output')
    return float(lines[-1][heads[-1].index('fetch.nMsg.sec')])


def nats(text):
    """Messages a second."""
    return last(r'stats: ([\d,]+) msgs/sec', text)


def nats_micros(percentile, text):
    """Of the latencies that `nats bench` prints in the unit that suits it."""
    found = re.findall(rf'P{percentile}: ([\d.,]+)(us|µs|ms|s)\b', text)
    if not found:
        raise ValueError(f'no P{percentile} in the output')
    value, unit = found[-1]
    return float(value.replace(',', '')) * {'ms': 1e3, 's': 1e6}.get(unit, 1)


def perf_test(text):
    """Messages a second that were received."""
    return last(r'receiving rate avg: (\d+)', text)


def redis(text):
    """Requests a second."""
    return last(r'throughput summary: ([\d.]+) requests', text)


def redis_micros(name, text):
    """A column of the latency summary: avg, min, p50, p95, p99, max."""
    found = re.search(r'latency summary \(msec\):\s*\n([^\n]*)\n([^\n]*)',
                      text.replace('\r', '\n'))
    if not found:
        raise ValueError('no latency summary in the output')
    return float(dict(zip(found[1].split(), found[2].split()))[name]) * 1e3


def slower(publish_rate, events, lag_s):
    """Events a second of publisher and consumer together: the consumer was done `lag_s` later."""
    return events / (events / publish_rate + max(0.0, lag_s))
