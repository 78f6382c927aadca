#!/usr/bin/env python3
"""Makes docs/reference/api.md of proto/acta/v1/*.proto: the comments are the manual.

It reads what our protos are written in: a comment stands above what it is about, one declaration a
line. A line that it does not know is an error, so that nothing is left out unseen.
"""

import re

HEAD = '''# API

Made from `proto/acta/v1` by `tools/checks/stale_docs.py --write`; do not edit.

Package `acta.v1`. A method's comment says its errors, limits and order;
[errors](errors.md) lists every reason, [errors](../concepts/errors.md) says where a reason stands.
`reserved` numbers are never used again. Times are Unix microseconds where a name ends with `_us`.

'''
# What one looks for first comes first; others follow by name.
ORDER = ('event', 'publisher', 'subscriber', 'groups', 'topics', 'dead_letters', 'schedules',
         'claims', 'journeys', 'admin', 'context', 'errors')
BLOCK = re.compile(r'^(?P<kind>service|message|enum|extend) (?P<name>[\w.]+) \{(?P<end>\})?$')
ONEOF = re.compile(r'^oneof (?P<name>\w+) \{$')
METHOD = re.compile(r'^rpc (?P<name>\w+)\((?P<asks>(?:stream )?\w+)\)'
                    r' returns \((?P<answers>(?:stream )?\w+)\);$')
FIELD = re.compile(r'^(?P<label>repeated |optional )?(?P<type>map<\w+, [\w.]+>|[\w.]+)'
                   r' (?P<name>\w+) = (?P<number>\d+);$')
VALUE = re.compile(r'^(?P<name>[A-Z0-9_]+) = (?P<number>\d+)(?: \[.*\])?;$')
IGNORED = re.compile(r'^(syntax|package|import|option) .*;$|^reserved .*;$')


class Declaration:
    def __init__(self, kind, name, comment):
        self.kind = kind
        self.name = name
        self.comment = comment
        self.rows = []  # (match, comment, the oneof it belongs to)


def text_of(comment):
    return ' '.join(line for line in comment if line).replace('<', '&lt;')


def statements(proto):
    """Yields (statement, lines of the comment above it)."""
    comment, pending = [], ''
    for line in proto.splitlines():
        text = line.strip()
        if not pending and text.startswith('//'):
            comment.append(text[2:].strip())
            continue
        if not text:
            continue
        pending = f'{pending} {text}'.strip()
        # One declaration may go on over lines.
        if re.search(r'[;{}]$', pending):
            yield re.sub(r'\s+', ' ', pending), comment
            comment, pending = [], ''


def parse(proto):
    """The comment of the file, and its declarations."""
    about, found, oneof, open_ = [], [], '', None
    for statement, comment in statements(proto):
        if statement.startswith('syntax'):
            about = comment
        elif block := BLOCK.match(statement):
            open_ = Declaration(block['kind'], block['name'], comment)
            found.append(open_)
            open_ = None if block['end'] else open_
        elif match := ONEOF.match(statement):
            oneof = match['name']
        elif statement == '}':
            open_, oneof = (open_, '') if oneof else (None, '')
        elif match := METHOD.match(statement) or VALUE.match(statement) or FIELD.match(statement):
            open_.rows.append((match, comment, oneof))
        elif not IGNORED.match(statement):
            raise ValueError(f'api_page.py does not know this: {statement}')
    return about, [declaration for declaration in found if declaration.kind != 'extend']


def cell(comment):
    return text_of(comment).replace('|', '\\|')


def type_text(text, known):
    """A type, with links to those of ours."""
    def one(word):
        return f'[{word[0]}](#{word[0].lower()})' if word[0] in known else word[0]
    return re.sub(r'[\w.]+', one, text).replace('<', '&lt;')


def row_text(match, comment, oneof, known):
    parts = match.groupdict()
    if 'asks' in parts:
        return (f"| `{parts['name']}` | {type_text(parts['asks'], known)} | "
                f"{type_text(parts['answers'], known)} | {cell(comment)} |")
    if 'type' not in parts:
        return f"| `{parts['name']}` | {parts['number']} | {cell(comment)} |"
    kind = (parts['label'] or '') + type_text(parts['type'], known)
    kind += f', one of `{oneof}`' if oneof else ''
    return f"| `{parts['name']}` | {parts['number']} | {kind} | {cell(comment)} |"


def declaration_text(declaration, known):
    heads = {'service': '| method | asks | answers | |\n|---|---|---|---|',
             'message': '| field | number | type | |\n|---|---|---|---|',
             'enum': '| value | number | |\n|---|---|---|'}
    name = declaration.name
    lines = [f'### service {name}' if declaration.kind == 'service' else f'### {name}', '']
    if declaration.comment:
        lines += [text_of(declaration.comment), '']
    if name == 'ErrorReason':
        lines += ['Its values: [errors](errors.md).', '']
    elif declaration.rows:
        lines.append(heads[declaration.kind])
        lines += [row_text(*row, known) for row in declaration.rows]
        lines.append('')
    return '\n'.join(lines) + '\n'


def page(protos):
    """The page of a dictionary: the name of a proto without its suffix, and its text."""
    parsed = {name: parse(text) for name, text in protos.items()}
    known = {declaration.name for _, found in parsed.values() for declaration in found
             if declaration.kind != 'service'}
    text = HEAD
    rest = sorted(name for name in protos if name not in ORDER)
    for name in [*(name for name in ORDER if name in protos), *rest]:
        about, found = parsed[name]
        text += f'## {name}.proto\n\n' + (f'{text_of(about)}\n\n' if about else '')
        text += ''.join(declaration_text(declaration, known) for declaration in found)
    return text.rstrip('\n') + '\n'
