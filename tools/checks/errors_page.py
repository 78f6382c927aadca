#!/usr/bin/env python3
"""Makes docs/reference/errors.md of proto/acta/v1/errors.proto: the comments are the manual."""

import re

CODES = {3: 'INVALID_ARGUMENT', 4: 'DEADLINE_EXCEEDED', 5: 'NOT_FOUND', 6: 'ALREADY_EXISTS',
         7: 'PERMISSION_DENIED', 8: 'RESOURCE_EXHAUSTED', 9: 'FAILED_PRECONDITION', 10: 'ABORTED',
         11: 'OUT_OF_RANGE', 12: 'UNIMPLEMENTED', 13: 'INTERNAL', 14: 'UNAVAILABLE',
         15: 'DATA_LOSS', 16: 'UNAUTHENTICATED'}
VALUE = re.compile(r'^  (?P<name>[A-Z_]+) = \d+ \[\(error\) = \{(?P<rule>[^}]*)\}\];')

HEAD = '''# Errors

Made from `proto/acta/v1/errors.proto` by `tools/checks/stale_docs.py --write`; do not edit.

A refused or failed call carries `google.rpc.ErrorInfo` with domain `acta` and one of these reasons,
and `google.rpc.RetryInfo` when the same call may succeed later. Reasons are API; the text of a
message is for people and is not.

| reason | code | retry | what it means | what to do |
|---|---|---|---|---|
'''


def reasons(proto):
    """Yields (name, rule text, comment) in the order of the file."""
    comment = []
    for line in proto.splitlines():
        stripped = line.strip()
        if stripped.startswith('//'):
            comment.append(stripped[2:].strip())
            continue
        match = VALUE.match(line)
        if match:
            yield match['name'], match['rule'], ' '.join(comment)
        comment = []


def retry_text(rule):
    if 'retryable: true' not in rule:
        return 'no'
    after = re.search(r'retry_after_ms: (\d+)', rule)
    return f'after {after[1]} ms' if after else 'yes'


def page(proto):
    rows = []
    for name, rule, comment in reasons(proto):
        meaning, _, action = comment.partition('Client action:')
        code = CODES[int(re.search(r'status_code: (\d+)', rule)[1])]
        cells = [f'`{name}`', code, retry_text(rule), meaning.strip(), action.strip()]
        rows.append('| ' + ' | '.join(cell.replace('|', '\\|') for cell in cells) + ' |\n')
    return HEAD + ''.join(rows)
