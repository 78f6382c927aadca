#!/usr/bin/env python3
"""Makes the pages of the manual of what the programs say of themselves: man8/actad.8.gz,
man1/acta.1.gz, man1/acta-inspect.1.gz. They are made when a package is, so none is ever old."""

import argparse
import gzip
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'checks'))

import cli_page  # noqa: E402

PROGRAMS = {'actad': 8, 'acta': 1, 'acta-inspect': 1}
DOCS = '/usr/share/doc/acta/docs'
FILES = {'actad': {'/etc/acta/actad.toml': 'what the service actad is configured with',
                   '/var/lib/acta': 'its events'},
         'acta': {'~/.config/acta/contexts.json': 'brokers by name: acta context'},
         'acta-inspect': {}}
ESCAPES = {'\\': r'\e', '-': r'\-', "'": r'\(aq', '`': r'\(ga', '^': r'\(ha', '~': r'\(ti'}


def plain(text):
    """Text that troff shows as it is."""
    text = re.sub(r"[\\'`^~-]", lambda match: ESCAPES[match.group()], text)
    return re.sub(r'^\.', r'\\&.', text, flags=re.M)


def example(text):
    return f'.EX\n{plain(text.strip())}\n.EE\n'


def summary(name, text):
    """What the first sentence of a help says it is."""
    first = text.split('\n')[0].removeprefix(f'{name}: ').split('. ')[0].rstrip('.')
    return first[0].lower() + first[1:]


def commands(acta, text):
    """A part for each command that the help lists."""
    made = '.SH COMMANDS\n'
    for path in cli_page.listed(text)[0]:
        first, own = cli_page.parts(cli_page.help_of(acta, *path.split()))
        made += f'.SS acta {plain(path)}\n{plain(first)}\n.PP\n{example(own)}'
    return made


def files(name):
    """What it reads and keeps."""
    made = ''.join(f'.TP\n.I {plain(path)}\n{plain(what)}\n' for path, what in FILES[name].items())
    return made and f'.SH FILES\n{made}'


def page(program):
    name, section = program.name, PROGRAMS[program.name]
    version = subprocess.run([program, '--version'], check=True, text=True, timeout=60,
                             stdout=subprocess.PIPE).stdout.split()[1]
    text = cli_page.help_of(program)
    others = ', '.join(f'.BR {plain(other)} ({PROGRAMS[other]})'
                       for other in PROGRAMS if other != name).replace(', ', ' ,\n')
    return (f'.TH {plain(name.upper())} {section} "" "acta {version}"\n'
            f'.SH NAME\n{plain(name)} \\- {plain(summary(name, text))}\n'
            f'.SH DESCRIPTION\n{example(text)}'
            + (commands(program, text) if name == 'acta' else '')
            + files(name)
            + f'.SH SEE ALSO\n{others}\n.PP\nGuides and reference: {DOCS}/README.md\n')


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('programs', type=pathlib.Path, help='the folder that has them')
    parser.add_argument('target', type=pathlib.Path)
    args = parser.parse_args()
    for name, section in PROGRAMS.items():
        path = args.target / f'man{section}' / f'{name}.{section}.gz'
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(page(args.programs / name).encode(), 9, mtime=0))


if __name__ == '__main__':
    main()
