#!/usr/bin/env python3
"""The Go worker of docs/start, with stubs generated now, in build/go. `tools/dev test` runs this
before the tests: what Go downloads and compiles is no part of their time."""

import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys

SOURCE = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = SOURCE / 'docs/start/go'
FOLDER = SOURCE / 'build/go'
WORKER = FOLDER / 'worker'
READY = FOLDER / 'ready'
BUILD_S = 600  # The first time on a machine; with warm caches it takes seconds.


def inputs():
    """What the worker is made of, as one hash."""
    digest = hashlib.sha256(version().encode())
    for path in sorted([*PROGRAM.iterdir(), *(SOURCE / 'proto/acta/v1').glob('*.proto')]):
        if path.is_file():
            digest.update(path.name.encode() + b'\0' + path.read_bytes())
    return digest.hexdigest()


def version():
    return subprocess.run(['go', 'env', 'GOVERSION'], capture_output=True, text=True, check=True,
                          env={**os.environ, 'GOTOOLCHAIN': 'local'}).stdout.strip()


def number(text):
    return tuple(map(int, re.findall(r'\d+', text)[:2]))


def run(*command):
    done = subprocess.run(command, cwd=FOLDER / 'source', capture_output=True, text=True,
                          timeout=BUILD_S, env={**os.environ, 'GOTOOLCHAIN': 'local'})
    return done.returncode, done.stdout + done.stderr


def missing():
    """Why it cannot be built here; empty when it can."""
    for program in ('go', 'protoc'):
        if not shutil.which(program):
            return f'there is no {program}'
    needed = re.search(r'^go (.*)$', (PROGRAM / 'go.mod').read_text(), re.M).group(1)
    if number(version()) < number(needed):
        return f'{version()} is here, and go {needed} is needed'
    return ''


def build():
    """Builds what is not up to date. Returns why it could not, empty when it did; a program that
    does not compile is an error."""
    why = missing()
    if why:
        return why
    if WORKER.exists() and READY.exists() and READY.read_text() == inputs():
        return ''
    shutil.rmtree(FOLDER, ignore_errors=True)
    # Without stubs that somebody has made there.
    shutil.copytree(PROGRAM, FOLDER / 'source', ignore=lambda folder, names: [
        name for name in names if (PROGRAM / name).is_dir()])
    code, said = run('go', 'mod', 'download')
    if code != 0 and not re.search(r'SECURITY ERROR|go\.sum|go\.mod', said):
        return f'the modules cannot be downloaded: {said.strip().splitlines()[-1]}'
    for command in (['./generate.sh', SOURCE / 'proto'], ['go', 'vet', '.'],
                    ['go', 'build', '-mod=readonly', '-o', WORKER, '.']):
        code, said = run(*map(str, command))
        if code != 0:
            sys.exit(f'{command}: {said}')
    READY.write_text(inputs())
    return ''


if __name__ == '__main__':
    skipped = build()
    if skipped:
        print(f'the Go worker is not built: {skipped}')
