#!/usr/bin/env python3
"""Makes docs/reference/cli.md of what `acta --help` and `acta COMMAND --help` say."""

import re
import subprocess

HEAD = '''# Command line

Made from `acta --help`; do not edit
(`tools/checks/stale_docs.py --write --acta build/release/bin/acta` renews it).

A test runs each example. What the commands are good for: [guides](../guides/README.md).

'''


def help_of(acta, *words):
    return subprocess.run([acta, *words, '--help'], check=True, text=True, stdout=subprocess.PIPE,
                          timeout=60).stdout


def listed(text):
    """The paths of the commands that a help lists, and what it says behind the list."""
    commands = text.split('\nCommands:\n', 1)[1]
    paths, _, rest = commands.partition('\n\n')
    names = [re.match(r'  ((?:[a-z-]+ )+)', line + ' ') for line in paths.splitlines()
             if line[2] != ' ']  # Not the rest of a long summary.
    return [name.group(1).strip() for name in names], rest


def fence(text):
    return f'```text\n{text.strip()}\n```\n\n'


def parts(text):
    """What a command does, and the rest of its help without what holds for every command."""
    first, _, rest = text.partition('\n\n')
    own = re.sub(r'\nEvery command:\n.*?(\n\n|\Z)', '\n', rest, flags=re.DOTALL)
    return first.strip(), own


def command_text(path, text):
    """One command; what holds for every command is said once, above."""
    first, own = parts(text)
    return f'### acta {path}\n\n{first}\n\n' + fence(own)


def page(acta):
    paths, rest = listed(help_of(acta))
    text = HEAD + '## Every command\n\n' + fence(rest)
    part = None
    for path in paths:
        if path.split()[0] != part:
            part = path.split()[0]
            text += f'## {part}\n\n'
        text += command_text(path, help_of(acta, *path.split()))
    return text.rstrip('\n') + '\n'
