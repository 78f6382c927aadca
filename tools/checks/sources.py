"""What the checks of sources have in common: the files they read, where, and what they say."""

import argparse
import pathlib

ROOTS = ('proto', 'storage', 'server', 'client', 'tools')


def files(root, tops=ROOTS, endings=('.h', '.cc')):
    """Yields (path, name within the root) of the files that end so, in order."""
    for top in tops:
        for path in sorted((root / top).rglob('*')):
            if path.as_posix().endswith(endings):
                yield path, path.relative_to(root).as_posix()


def parser(text):
    """With the root of the repository."""
    made = argparse.ArgumentParser(description=text)
    made.add_argument('--root', type=pathlib.Path,
                      default=pathlib.Path(__file__).resolve().parents[2])
    return made


def report(problems, summary):
    """Says both, and returns the exit code."""
    for problem in problems:
        print(problem)
    print(summary)
    return 1 if problems else 0
