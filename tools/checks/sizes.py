#!/usr/bin/env python3
"""A file has at most 500 lines, a function 60, a line 100 characters: a ratchet.

What was larger before the check came is listed in the baseline (`kind name size`) and may only
shrink; `--write-baseline` takes over smaller numbers and never larger ones.
"""

import pathlib
import re
import sys

import sources

ROOTS = sources.ROOTS + ('tests',)
ENDINGS = ('.h', '.cc', '.proto', '.py', '.sh', '/dev')
LIMITS = {'file': 500, 'function': 60, 'line': 100}
# The head of a function's body at namespace or class level: "...) const {", no control word.
HEAD = re.compile(r'^(?P<indent> *)(?!.*\b(namespace|class|struct|enum|union|extern)\b)'
                  r'[^#/\s}].*[)\w>]\s*\{\s*$')
NAME = re.compile(r'([~\w:]+(?:operator\S+)?)\s*\(')
CONTROL = ('if', 'for', 'while', 'switch', 'do', 'else', 'return', 'catch', 'TEST_CASE', 'SECTION')


def functions(lines):
    """Yields (name, first line, length) of function bodies, by the house's indentation: a body
    ends at the first closing brace that stands as deep as the line its head began on."""
    at = 0
    while at < len(lines):
        if not HEAD.match(lines[at]):
            at += 1
            continue
        start = at
        # A head over several lines: the first line is not indented further than its body's end.
        while start > 0 and lines[start].startswith('    ') and lines[start - 1].strip():
            start -= 1
        name = NAME.search(lines[start])
        indent = re.match(' *', lines[start]).group()
        if len(indent) > 2:
            at += 1
            continue
        end = next((i for i in range(at + 1, len(lines)) if re.match(indent + r'\}', lines[i])),
                   len(lines) - 1)
        word = name.group(1) if name else lines[start].strip()
        if word.split('::')[-1] in CONTROL:
            at += 1
            continue
        yield word, start + 1, end - start + 1
        at = end + 1


def measure(path, name):
    """All (kind, thing, size, line) of one file that are above their limits."""
    text = path.read_text(errors='replace')
    lines = text.splitlines()
    if len(lines) > LIMITS['file']:
        yield 'file', name, len(lines), 1
    for number, line in enumerate(lines, 1):
        if len(line) > LIMITS['line']:
            yield 'line', f'{name}:{line.strip()[:40]}'.replace(' ', '_'), len(line), number
    if path.suffix in ('.h', '.cc'):
        for function, line, length in functions(lines):
            if length > LIMITS['function']:
                yield 'function', f'{name}:{function}', length, line


def read_baseline(path):
    if not path.exists():
        return {}
    rows = (line.split() for line in path.read_text().splitlines() if line.strip())
    return {(kind, name): int(size) for kind, name, size in rows}


def find_problems(root, baseline):
    found = {}
    problems = []
    for path, name in sources.files(root, ROOTS, ENDINGS):
        for kind, thing, size, line in measure(path, name):
            found[kind, thing] = size
            allowed = max(LIMITS[kind], baseline.get((kind, thing), 0))
            if size > allowed:
                what = thing.split(':', 1)[1] if kind == 'function' else 'it'
                problems.append(f'{name}:{line}: {kind}: {what} has {size}, allowed {allowed}')
    return found, problems


def main():
    parser = sources.parser(__doc__)
    parser.add_argument('--baseline', type=pathlib.Path,
                        default=pathlib.Path(__file__).resolve().parent / 'sizes_baseline.txt')
    parser.add_argument('--write-baseline', action='store_true')
    args = parser.parse_args()
    baseline = read_baseline(args.baseline)
    found, problems = find_problems(args.root, baseline)
    if args.write_baseline:
        kept = {key: min(size, baseline[key]) for key, size in found.items() if key in baseline}
        args.baseline.write_text(''.join(f'{k} {n} {s}\n' for (k, n), s in sorted(kept.items())))
    return sources.report(problems, f'sizes: {len(problems)} above their limit, '
                                    f'{len(baseline)} in the baseline')


if __name__ == '__main__':
    sys.exit(main())
