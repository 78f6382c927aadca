#!/usr/bin/env python3
"""Intervals and deadlines are measured since boot (storage/base/clock.h): the wall clock is set by
people and machines. Reports each question for it that is not listed with its reason."""

import re
import sys

import sources

WALL = re.compile(r'absl::Now\(\)|system_clock::now\(\)|\bWall\(\)')
COMMENT = re.compile(r'//.*')

GRPC = 'a deadline of gRPC, which counts what is left from then on'
NEXT = 'a deadline of Next(), which counts what is left from then on'
# File -> how often, and what for.
ALLOWED = {
    'storage/base/clock.cc': (1, 'the clock itself'),
    'storage/base/clock.h': (2, 'the clock itself'),
    'storage/base/log.cc': (2, 'the time of a line'),
    'storage/log/server_clock.cc': (3, 'server time follows it slowly'),
    'storage/log/store_opening.cc': (1, 'server time goes on from what was'),
    'server/otlp/span_exporter.cc': (1, GRPC),
    'server/rpc/completion_loop.cc': (1, GRPC),
    'server/rpc/rpc_server.cc': (1, GRPC),
    'server/rpc/unary_call.cc': (1, GRPC),
    'client/cpp/admin.cc': (1, GRPC),
    'client/cpp/channel.cc': (1, GRPC),
    'client/cpp/examples/consumer.cc': (1, NEXT),
    'client/cpp/examples/handover.cc': (1, NEXT),
    'client/cpp/steady_time.cc': (1, 'what is left until a time of the wall clock'),
    'client/cpp/tell.cc': (1, 'the age of an event'),
    'tools/acta/app/command_context.cc': (1, 'what -15m means'),
    'tools/acta/commands/doctor.cc': (1, 'how far the clocks are apart'),
    'tools/acta/commands/subscribe.cc': (1, NEXT),
    'tools/acta/subscribe/queue_run.cc': (3, NEXT + '; what is left of a lease'),
    'tools/bench/bed.cc': (1, 'a name'),
    'tools/bench/fill.cc': (1, NEXT),
    'tools/bench/journeys.cc': (1, NEXT),
    'tools/bench/limits/grpc_echo.cc': (1, GRPC),
    'tools/bench/machine.cc': (1, 'the time of a report'),
    'tools/bench/publishers.cc': (1, GRPC),
    'tools/bench/queues.cc': (1, NEXT),
    'tools/bench/schedules.cc': (3, 'when events are due'),
}


def find_problems(root):
    problems = []
    for path, name in sources.files(root):
        allowed, _ = ALLOWED.get(name, (0, ''))
        lines = path.read_text(errors='replace').splitlines()
        found = [number for number, line in enumerate(lines, 1)
                 for _ in WALL.findall(COMMENT.sub('', line))]
        if len(found) != allowed:
            problems.append(f'{name}:{found[-1] if found else 1}: asks {len(found)} times for the '
                            f'wall clock, {allowed} are listed with their reason')
    return problems


def main():
    problems = find_problems(sources.parser(__doc__).parse_args().root)
    return sources.report(problems, f'clocks: {len(problems)} files that ask for the wall clock '
                                    'without a reason')


if __name__ == '__main__':
    sys.exit(main())
