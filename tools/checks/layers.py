#!/usr/bin/env python3
"""Arrows point down: reads every #include and reports those that the layers do not allow."""

import re
import sys
from typing import NamedTuple

import sources

INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', re.M)


class Room(NamedTuple):
    """A folder, what of ours its files may include, and which libraries they may name.

    Prefixes of files; the room itself is always allowed. `libraries` are keys of LIBRARIES.
    """
    path: str
    ours: tuple
    libraries: tuple


# Prefix of an include -> library. Libraries that are in no list may be included everywhere.
LIBRARIES = {
    'grpc/': 'grpc', 'grpcpp/': 'grpc', 'grpc++/': 'grpc',
    'rocksdb/': 'rocksdb',
    'asio.hpp': 'asio', 'asio/': 'asio', 'boost/asio': 'asio', 'boost/beast': 'asio',
    'CLI/': 'cli11',
    'nlohmann/': 'json',
}
STUBS = re.compile(r'^(acta|grpc|opentelemetry)/.*\.grpc\.pb\.h$')

BASE = ('storage/base/',)
SUPPORT = ('proto/support/', 'acta/v1/')
STORED = ('acta/storage/v1/', 'acta/v1/')
STORAGE = ('storage/',)
PLAIN = ('storage/base/', 'proto/support/', 'acta/v1/')
# Records of topics and groups are core's own: storage keeps them as bytes.
CORE = STORAGE + SUPPORT + ('acta/storage/v1/', 'server/exec/', 'server/telemetry/',
                            'server/config/')
EDGE = PLAIN + ('server/core/', 'server/exec/', 'server/telemetry/', 'server/config/',
                'grpc/health/v1/')

# The longest path that fits decides.
ROOMS = [
    Room('storage/base', (), ()),
    Room('proto/support', ('acta/v1/',), ()),
    Room('storage', BASE + ('proto/support/',) + STORED, ()),
    Room('storage/layout', BASE + ('proto/support/',) + STORED, ()),
    Room('storage/rocks', BASE + ('proto/support/', 'storage/layout/') + STORED, ('rocksdb',)),
    Room('storage/log', STORAGE + ('proto/support/',) + STORED, ()),
    Room('storage/state', STORAGE + ('proto/support/',) + STORED, ()),
    Room('server/exec', PLAIN, ('asio',)),
    Room('server/telemetry', PLAIN, ('asio',)),
    Room('server/config', PLAIN, ()),
    Room('server/core', CORE + ('server/core/',), ()),
    Room('server/rpc', EDGE, ('grpc', 'asio')),
    Room('server/otlp', PLAIN + ('server/core/traces/', 'opentelemetry/'), ('grpc',)),
    Room('server/http', EDGE, ('asio',)),
    Room('server/app', ('server/', 'storage/', 'proto/', 'acta/', 'grpc/'),
         ('grpc', 'asio', 'json')),
    Room('server', ('server/', 'storage/', 'proto/', 'acta/'), ('asio',)),
    Room('client', PLAIN + ('client/',), ('grpc',)),
    # As others compile them: by what is installed.
    Room('client/cpp/examples', ('acta/client/', 'acta/v1/'), ()),
    Room('tools/acta', PLAIN + ('client/',), ('cli11', 'json')),
    Room('tools/bench/limits', BASE + ('tools/bench/', 'acta/v1/'), ('grpc', 'rocksdb', 'json')),
    Room('tools/bench/queue_machine', BASE + ('server/core/delivery/',), ()),
    Room('tools/bench', PLAIN + ('client/',), ('grpc', 'cli11', 'json')),
    Room('tools/inspect', ('storage/', 'proto/support/') + STORED, ('cli11', 'json')),
]
# What the rooms of core may know of each other. Leaves know nobody but `access`, the lowest: who
# calls is asked everywhere.
CORE_LEAVES = ('topics', 'access', 'schemas', 'catalog')
CORE_MAY = {
    'access': (), 'topics': ('access',), 'schemas': ('access',), 'catalog': ('access',),
    'schedules': CORE_LEAVES, 'publish': CORE_LEAVES + ('schedules',),
    'delivery': CORE_LEAVES, 'routing': CORE_LEAVES,
    'queues': CORE_LEAVES + ('delivery',),
    'groups': CORE_LEAVES + ('delivery', 'queues'),
    'claims': CORE_LEAVES + ('delivery', 'queues', 'groups'),
    'journeys': CORE_LEAVES + ('delivery', 'queues', 'groups'),
    'traces': CORE_LEAVES + ('delivery', 'queues', 'groups', 'journeys'),
    'settle': CORE_LEAVES + ('schedules', 'publish', 'delivery', 'queues', 'groups', 'claims'),
    'subscribe': CORE_LEAVES + ('delivery', 'queues', 'groups', 'routing', 'journeys'),
    'replay': CORE_LEAVES + ('delivery', 'groups', 'routing', 'journeys'),
    'processes': CORE_LEAVES + ('delivery', 'groups', 'routing', 'journeys'),
}


def room_of(path):
    fitting = [room for room in ROOMS if path.startswith(room.path + '/')]
    return max(fitting, key=lambda room: len(room.path), default=None)


def library_of(include):
    if STUBS.match(include):
        return 'grpc'
    for prefix, library in LIBRARIES.items():
        if include.startswith(prefix) and not include.startswith('grpc/health/'):
            return library
    return None


def is_ours(include):
    top = include.split('/')[0]
    return (top in sources.ROOTS + ('tests', 'acta', 'opentelemetry')
            or include.startswith('grpc/health/'))


def core_problem(path, include):
    """The order of the rooms within core; rooms without a row may use all of it."""
    here, there = path.split('/'), include.split('/')
    if there[:2] != ['server', 'core'] or len(here) < 4 or here[2] not in CORE_MAY:
        return None
    if len(there) < 4 or there[2] == here[2] or there[2] in CORE_MAY[here[2]]:
        return None
    return f'core/{here[2]} may not include core/{there[2]}'


def problem_of(path, include):
    """Why the file at `path` may not include it; None when it may."""
    room = room_of(path)
    if room is None:
        return 'the file is in no room of the layers'
    library = library_of(include)
    if library and library not in room.libraries:
        return f'{room.path} may not name {library}'
    if not is_ours(include):
        return None
    if room.path == 'server/core' and core_problem(path, include):
        return core_problem(path, include)
    if include.startswith(room.path + '/') or any(include.startswith(p) for p in room.ours):
        return None
    return f'{room.path} may not include {include}'


def find_problems(root):
    problems = []
    for path, name in sources.files(root):
        text = path.read_text(errors='replace')
        for match in INCLUDE.finditer(text):
            problem = problem_of(name, match.group(1))
            if problem:
                line = text.count('\n', 0, match.start()) + 1
                problems.append(f'{name}:{line}: {problem}')
    return problems


def main():
    problems = find_problems(sources.parser(__doc__).parse_args().root)
    return sources.report(problems, f'layers: {len(problems)} wrong includes')


if __name__ == '__main__':
    sys.exit(main())
