"""Pages of docs that are followed: their commands as they stand there and in their order, and that
they print what the page says.

A block `sh` has commands. A block `text` behind it is what the last of them prints; `...` in it is
anything, alone on a line any lines. Other blocks are not looked at. A comment right above a block
may say:

    <!-- exit 4 -->              its last command ends so
    <!-- Ctrl-C -->              its last command goes on until it is interrupted
    <!-- not run: df, dmesg -->  lines that begin with these words are not run: programs of others
    <!-- run by FILE -->         another test runs the block, or the same with other data
"""

import json
import os
import pathlib
import re
import shlex
import signal
import subprocess
import time

from broker import BIN, PATIENCE_S, SOURCE, BrokerTest
from faults import until
from stubs import PYTHON

BLOCK = re.compile(r'(?:^<!-- ([^\n]*?) -->\n)?^```(\w*)\n(.*?)^```$', re.S | re.M)
OURS = ('acta', 'actad', 'acta-inspect', 'acta-bench')
# They change nothing, so one that shows what comes soon is run again until it is there.
LOOKS = re.compile(r'acta (read|journey|questions|status|top|limits|\w+ (list|show|describe|lag|'
                   r'explain))\b')
# What differs from run to run.
VARIES = ((r'\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?Z', 'TIME'),
          (r'\bafter (\d+(\.\d+)?(us|ms|s|m))+', 'after WHILE'),
          (r'\b(\d+(\.\d+)?(ms|us)|\d+\.\d+s)\b', 'WHILE'))


class Block:
    def __init__(self, mark, language, text):
        self.mark = mark or ''
        self.language = language
        # A command goes on behind a backslash or a pipe.
        self.lines = re.sub(r'\|\n\s*', '| ', text.replace('\\\n', '')).splitlines()

    def argument(self, kind):
        """What its mark says of this kind; None without one."""
        found = re.fullmatch(rf'{kind} ?(.*)', self.mark)
        return found and found.group(1)


def blocks(text):
    return [Block(*found) for found in BLOCK.findall(text)]


def split_not_run(block):
    """Its lines that are run, and those that are not. A mark without such lines is an error."""
    words = block.argument('not run:')
    if words is None:
        return block.lines, []
    left = {word: [line for line in block.lines if re.match(rf'{re.escape(word)}( |$)', line)]
            for word in words.split(', ')}
    for word, lines in left.items():
        assert lines, f'not run: {word}: no line begins so'
        assert word.split()[0] not in OURS, f'not run: {word}: what is ours is run'
    out = [line for lines in left.values() for line in lines]
    return [line for line in block.lines if line not in out], out


def commands(text):
    """The words of each command of `acta` that a page names, in blocks and in sentences."""
    lines = [line for block in blocks(text) if block.language == 'sh' for line in block.lines]
    lines += re.findall(r'`(acta [^`]*)`', BLOCK.sub('', text).replace('\n', ' '))
    found = []
    for line in lines:
        # Behind a pipe, in a loop, after another one.
        for part in re.findall(r"(?:^|[|;&] *|do )acta ((?:'[^']*'|\"[^\"]*\"|[^|;&'\"])*)", line):
            found.append(shlex.split(part, comments=True))
    return found


class CommandLine:
    """What `acta --help` knows."""

    def __init__(self):
        self.helps = {}
        self.paths = re.findall(r'^  ([a-z-]+(?: [a-z-]+)*)', self.help(), re.M)

    def help(self, *words):
        if words not in self.helps:
            self.helps[words] = subprocess.run([BIN / 'acta', *words, '--help'], text=True,
                                               capture_output=True, timeout=PATIENCE_S).stdout
        return self.helps[words]

    def problem(self, words):
        """Why there is no such command; empty when there is. COMMAND stands for any."""
        words = [word for word in words if not word.startswith('--help')]
        words = words[1:] if words[:1] == ['help'] else words
        if not words or re.match(r'[A-Z0-9.]|--?[a-z]', words[0]):
            return ''
        named = [path for path in self.paths if words[:len(path.split())] == path.split()]
        if not named:
            part = any(path.startswith(' '.join(words) + ' ') for path in self.paths)
            return '' if part else 'there is no such command'
        text = self.help(*max(named, key=len).split())
        for option in (word.split('=')[0] for word in words if re.match(r'--?[a-z]', word)):
            if not re.search(rf'(?m)^  (-\w, )?{option}\b', text):
                return f'it has no {option}'
        return ''


class PageTest(BrokerTest):
    """Follows a page in a folder that looks like the root of a built repository."""
    maxDiff = None
    varies = VARIES

    def setUp(self):
        super().setUp()
        self.where = self.folder
        self.environment = {**os.environ, 'ACTA_SERVER': self.broker.address,
                            'PYTHONDONTWRITEBYTECODE': '1',
                            'XDG_CONFIG_HOME': os.path.join(self.folder, 'config'),
                            'PATH': f'{BIN}:{PYTHON.parent}:{os.environ["PATH"]}'}
        self.http = self.broker.http
        self.library = os.path.join(self.folder, 'library')  # Instead of /var/lib/acta.
        self.instead = {}  # Other words of a page, with what stands for them here.
        self.not_run = []
        self.started = 0

    def like_a_checkout(self):
        self.where = os.path.join(self.folder, 'checkout')
        root = pathlib.Path(self.where)
        if root.exists():
            return
        (root / 'build/release').mkdir(parents=True)
        for entry in SOURCE.iterdir():
            if entry.name not in ('build', '.git'):
                (root / entry.name).symlink_to(entry)
        (root / 'build/release/bin').symlink_to(BIN)
        (root / 'build/venv').symlink_to(PYTHON.parents[1])

    def run_here(self, line, code=0):
        """What a command prints that must end with this code."""
        got, printed = self.try_here(line)
        self.assertEqual(got, code, f'{line}: {printed}')
        return printed

    def try_here(self, line):
        """How a command ends, and what it prints. What it exports and where it goes holds for the
        next one."""
        state = os.path.join(self.folder, 'state')
        script = f'{line}\ncode=$?; {{ env -0; pwd; }} >{state}; exit $code'
        done = subprocess.run(['sh', '-c', script], cwd=self.where, text=True, timeout=PATIENCE_S,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              env=self.environment)
        with open(state) as file:
            *variables, where = file.read().split('\0')
        self.environment = dict(variable.split('=', 1) for variable in variables)
        self.where = where.rstrip('\n')
        return done.returncode, done.stdout

    def start_here(self, name, words, folder=None):
        """What runs beside the others; its output is a file of this name."""
        with open(os.path.join(self.folder, name), 'wb') as out:
            process = subprocess.Popen(words, cwd=folder or self.where, env=self.environment,
                                       stdout=out, stderr=out)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def read_here(self, name):
        with open(os.path.join(self.folder, name)) as file:
            return file.read()

    def start_line(self, line):
        """A line of a page that goes on by itself; a broker gets free ports, and is the one that
        the lines behind it talk to."""
        self.started += 1
        name = f'started-{self.started}'
        if not re.match(r'(\S*/)?actad ', line):
            return name, self.start_here(name, ['sh', '-c', f'exec env {line}'])
        ready = pathlib.Path(self.folder) / f'{name}.json'
        mine = self.environment
        self.environment = {**mine, 'ACTAD_LISTEN__GRPC': '127.0.0.1:0',
                            'ACTAD_LISTEN__HTTP': '127.0.0.1:0',
                            'ACTAD_LISTEN__READY_FILE': str(ready)}
        broker = self.start_here(name, ['sh', '-c', f'exec env {line}'])
        until(lambda: ready.exists() or broker.poll() is not None, 'it is ready', PATIENCE_S)
        self.assertIsNone(broker.poll(), self.read_here(name))
        addresses = json.loads(ready.read_text())
        self.environment = {**mine, 'ACTA_SERVER': addresses['grpc']}
        self.http = addresses['http']
        return name, broker

    def stable(self, text):
        for pattern, word in self.varies:
            text = re.sub(pattern, word, text)
        return text

    def is_printed(self, printed, lines):
        """These lines, one behind the other; `...` stands for anything, alone for any lines."""
        wanted = ['.*' if line == '...' else
                  re.escape(self.stable(line)).replace(r'\.\.\.', '[^\n]*') for line in lines]
        return re.fullmatch('\n'.join(wanted), self.stable(printed).rstrip('\n'), re.S)

    def prints(self, printed, lines):
        if not self.is_printed(printed, lines):
            self.assertEqual('\n'.join(lines), printed)


class FollowedPage(PageTest):
    """Whole pages. Numbers that stand in columns may be wider or narrower."""
    varies = (*VARIES, (r'  +', ' '), (r' +(?=\n|$)', ''))

    def follow(self, page):
        self.like_a_checkout()
        found = blocks(page.read_text())
        for at, block in enumerate(found):
            if block.language == 'sh' and block.argument('run by') is None:
                behind = found[at + 1] if at + 1 < len(found) else None
                shown = behind.lines if behind and behind.language == 'text' else None
                with self.subTest(page.name, block=block.lines):
                    self.follow_block(block, shown)

    def here(self, line):
        """With this broker's addresses and folders instead of the usual ones."""
        for word, own in {'127.0.0.1:7451': self.http, '/var/lib/acta': self.library,
                          **self.instead}.items():
            line = line.replace(word, own)
        return line

    def follow_block(self, block, shown):
        lines, left = split_not_run(block)
        self.not_run += left
        for number, line in enumerate(map(self.here, lines)):
            last = number == len(lines) - 1
            if last and block.argument('Ctrl-C') is not None:
                self.interrupted(line, shown)
            elif line.endswith('&'):
                self.start_line(line[:-1])
            else:
                code = int(block.argument('exit') or 0) if last else 0
                self.shows(line, code, shown if last else None)

    def shows(self, line, code, shown):
        """Runs it, and compares what it prints where that is shown."""
        deadline = time.monotonic() + PATIENCE_S / 4
        while LOOKS.match(line) and time.monotonic() < deadline:
            got, printed = self.try_here(line)
            if got == code and (shown is None or self.is_printed(printed, shown)):
                return
            time.sleep(0.1)
        printed = self.run_here(line, code)
        if shown is not None:
            self.prints(printed, shown)

    def interrupted(self, line, shown):
        name, process = self.start_line(line)
        done = time.monotonic() + PATIENCE_S / 4
        while process.poll() is None and time.monotonic() < done:
            printed = self.read_here(name)
            if self.is_printed(printed, shown) if shown else printed:
                break
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        code = process.wait(PATIENCE_S)
        self.assertIn(code, (0, -signal.SIGINT), f'{line}: {self.read_here(name)}')
        if shown:
            self.prints(self.read_here(name), shown)
