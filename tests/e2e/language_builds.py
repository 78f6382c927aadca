#!/usr/bin/env python3
"""The programs of docs/start in Go, Node and Java, each with what its own package manager brings
and stubs of now, in build/LANGUAGE. `tools/dev test` runs this before the tests: what is downloaded
and compiled is no part of their time."""

import fcntl
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys

SOURCE = pathlib.Path(__file__).resolve().parents[2]
BUILD_S = 600  # The first time on a machine; with warm caches it takes seconds.
MADE = ('actav1', 'node_modules', 'target')  # What somebody has made beside the sources.


class Build:
    """The sources of a language beside the protos, as they lie in the repository, and the commands
    of its page. One is up to date while tools, sources and protos are the same."""

    def __init__(self, name, tools, version, needed, download, errors, commands):
        self.name = name
        self.tools = tools
        self.version_command = version
        self.needed = needed  # (file, pattern) that say which version it takes.
        self.download = download
        self.errors = errors  # What a download says when the sources are wrong, not the network.
        self.commands = commands
        self.program = SOURCE / 'docs/start' / name
        self.folder = SOURCE / 'build' / name
        self.root = self.folder / 'source'
        self.here = self.root / 'docs/start' / name
        self.ready = self.folder / 'ready'
        # npm tries for a minute where nobody answers.
        self.environment = {**os.environ, 'GOTOOLCHAIN': 'local',
                            'npm_config_fetch_retry_mintimeout': '1000',
                            'npm_config_fetch_retry_maxtimeout': '5000'}

    def version(self):
        return subprocess.run(self.version_command, capture_output=True, text=True, check=True,
                              env=self.environment).stdout.strip()

    def files(self):
        for path in sorted(self.program.rglob('*')):
            if path.is_file() and not set(MADE) & set(path.relative_to(self.program).parts):
                yield path
        yield from sorted((SOURCE / 'proto/acta/v1').glob('*.proto'))

    def inputs(self):
        """What it is made of, as one hash."""
        digest = hashlib.sha256(self.version().encode())
        for path in self.files():
            name = path.relative_to(SOURCE).as_posix()
            digest.update(name.encode() + b'\0' + path.read_bytes())
        return digest.hexdigest()

    def missing(self):
        """Why it cannot be built here; empty when it can."""
        for tool in self.tools:
            if not shutil.which(tool):
                return f'there is no {tool}'
        file, pattern = self.needed
        needed = re.search(pattern, (self.program / file).read_text(), re.M).group(1)
        if numbers(self.version()) < numbers(needed):
            return f'{self.version()} is here, and {self.name} {needed} is needed'
        return ''

    def run(self, *command):
        try:
            done = subprocess.run(command, cwd=self.here, capture_output=True, text=True,
                                  timeout=BUILD_S, env=self.environment)
        except subprocess.TimeoutExpired:
            return 1, f'no end of it within {BUILD_S} s'
        return done.returncode, done.stdout + done.stderr

    def build(self):
        """Builds what is not up to date. Returns why it could not, empty when it did; a program
        that does not compile is an error."""
        why = self.missing()
        if why:
            return why
        self.folder.parent.mkdir(exist_ok=True)
        with open(self.folder.with_suffix('.lock'), 'w') as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # Of tests that begin at the same time one builds.
            if self.ready.exists() and self.ready.read_text() == self.inputs():
                return ''
            return self.build_anew()

    def build_anew(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        for path in self.files():
            copy = self.root / path.relative_to(SOURCE)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, copy)
        code, said = self.run(*self.download)
        if code != 0 and re.search(self.errors, said):
            sys.exit(f'{" ".join(self.download)}: {said}')
        if code != 0:
            return f'{" ".join(self.download)}: {reason_in(said)}'
        for command in self.commands:
            code, said = self.run(*command)
            if code != 0:
                sys.exit(f'{" ".join(command)}: {said}')
        self.ready.write_text(self.inputs())
        return ''


def numbers(text):
    return tuple(map(int, re.findall(r'\d+', text)[:2]))


def reason_in(said):
    """The line of a package manager that tells why, or its last."""
    lines = [line.strip() for line in said.splitlines() if line.strip()] or ['it says nothing']
    found = re.compile('Could not|Unable to|Unknown host|failed, reason|npm error 4')
    return next((line for line in lines if found.search(line)), lines[-1])


GO = Build('go', ('go', 'gofmt', 'protoc'), ('go', 'env', 'GOVERSION'), ('go.mod', r'^go (.*)$'),
           ('go', 'mod', 'download'), r'SECURITY ERROR|go\.sum|go\.mod',
           (('./generate.sh',), ('go', 'vet', '.', './events'),
            ('go', 'build', '-mod=readonly', '-o', 'bin/', '.', './events')))
NODE = Build('node', ('node', 'npm'), ('node', '--version'),
             ('package.json', r'"node": ">=(.*)"'), ('npm', 'ci'),
             r'EUSAGE|EINTEGRITY|EJSONPARSE|package\.json', ())
JAVA = Build('java', ('java', 'javac', 'mvn'), ('javac', '--version'),
             ('pom.xml', r'<maven\.compiler\.release>(.*)<'), ('mvn', '-q', '-B', 'compile'),
             r'COMPILATION ERROR|protoc did not exit cleanly|Non-parseable POM|Malformed POM', ())
GO_WORKER = GO.here / 'bin/worker'
GO_EVENTS = GO.here / 'bin/events'


def require(built):
    """Builds it, or ends this test program as one that CTest takes for skipped."""
    skipped = built.build()
    if skipped:
        print(f'skipped: {skipped}')
        sys.exit(77)


if __name__ == '__main__':
    for each in (GO, NODE, JAVA):
        not_built = each.build()
        if not_built:
            print(f'the programs of docs/start/{each.name} are not built: {not_built}')
