#!/usr/bin/env python3
"""Every relative link of every page leads to a file or folder that is there, and its #anchor to a
heading of that page. No network: links to other hosts are not followed. And every page of docs is
in the navigation of the site, or among those that may be left out there."""

import fnmatch
import os
import pathlib
import re
import sys
import urllib.parse

import sources

FENCE = re.compile(r'^( *)(```+|~~~+).*?^\1\2[`~]* *$', re.S | re.M)
CODE = re.compile(r'(`+)(?!`)((?:(?!\n\n).)*?)(?<!`)\1(?!`)', re.S)
COMMENT = re.compile(r'<!--.*?-->', re.S)
# [text](target), also with a picture as its text, [name]: target, and HTML.
LINKS = (re.compile(r'\]\(\s*<?([^)\s>]*)>?(?:\s+"[^"]*")?\s*\)'),
         re.compile(r'^ {0,3}\[[^\]]+\]:\s+<?([^\s>]+)', re.M),
         re.compile(r'<(?:a|img)\s[^>]*?(?:href|src)="([^"]*)"'))
HEADING = re.compile(r'^ {0,3}#{1,6} +(.*?)(?: +#+)? *$', re.M)
ELSEWHERE = re.compile(r'^[a-z][a-z0-9+.-]*:', re.I)
# What is made, fetched, or somebody's own.
IGNORED = {'build', 'node_modules', '__pycache__'}
# Of the site; both lists in it are lines of their own.
SITE = 'tools/docs/mkdocs.yml'
ENTRY = re.compile(r' +- (?:[^:]+: +)?(\S+\.md)$')


def pages(root):
    """The paths of all pages, sorted."""
    found = []
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders
                            if name not in IGNORED and not name.startswith('.'))
        found += [pathlib.Path(folder) / name for name in sorted(files) if name.endswith('.md')]
    return found


def blank(match):
    """As many lines with nothing in them: what is behind keeps its line."""
    return '\n' * match.group().count('\n')


def links(text):
    """Yields (target, line) of each link of a page. What is code or a comment is none."""
    text = CODE.sub(blank, FENCE.sub(blank, COMMENT.sub(blank, text)))
    found = [(match.group(1), text.count('\n', 0, match.start()) + 1)
             for pattern in LINKS for match in pattern.finditer(text)]
    yield from sorted(found, key=lambda link: link[1])


def slug(heading):
    """The anchor that a heading gets."""
    heading = re.sub(r'!?\[([^\]]*)\]\([^)]*\)', r'\1', heading)
    heading = re.sub(r'[^\w\- ]', '', heading.replace('`', '').strip().lower())
    return heading.replace(' ', '-')


def anchors(text):
    """The anchors of a page: its headings, a repeated one with its number, and ids in HTML."""
    text = FENCE.sub(blank, COMMENT.sub(blank, text))
    found, count = set(re.findall(r'\bid="([^"]+)"', text)), {}
    for match in HEADING.finditer(text):
        name = slug(match.group(1))
        count[name] = count.get(name, 0) + 1
        found.add(name if count[name] == 1 else f'{name}-{count[name] - 1}')
    return found


def problem(root, page, target):
    """What is wrong with a link of this page; empty when nothing is."""
    if ELSEWHERE.match(target):
        return ''
    if target.startswith('/'):
        return 'begins at the root of a host'
    name, _, anchor = target.partition('#')
    path = (page.parent / urllib.parse.unquote(name)).resolve() if name else page
    if not path.is_relative_to(root):
        return 'leaves the repository'
    if not path.exists():
        return 'there is no such file'
    if not anchor:
        return '' if name else 'is empty'
    if path.suffix != '.md':
        return '' if re.fullmatch(r'L\d+', anchor) else 'an anchor needs a page'
    return '' if anchor in anchors(path.read_text()) else 'that page has no such heading'


def find_problems(root):
    """All problems, and how many links were looked at."""
    root, problems, count = root.resolve(), [], 0
    for page in pages(root):
        for target, line in links(page.read_text()):
            count += 1
            why = problem(root, page, target)
            if why:
                problems.append(f'{page.relative_to(root).as_posix()}:{line}: {target}: {why}')
    return problems, count


def site_lists(text):
    """Of the site's configuration: (page, line) of each entry of its navigation, and the patterns
    of the pages that are not in it."""
    entries, patterns, key = [], [], ''
    for number, line in enumerate(text.splitlines(), 1):
        if re.match(r'\w', line):
            key = line.partition(':')[0]
        elif key == 'nav' and (found := ENTRY.match(line)):
            entries.append((found.group(1), number))
        elif key == 'not_in_nav' and line.startswith(' '):
            patterns.append(line.strip())
    return entries, patterns


def is_left_out(page, pattern):
    """Whether a pattern as in .gitignore speaks of this page."""
    names, parts = page.split('/'), pattern.strip('/').split('/')
    if '/' not in pattern:
        return fnmatch.fnmatchcase(names[-1], pattern)
    fits = len(names) > len(parts) if pattern.endswith('/') else len(names) == len(parts)
    return fits and all(map(fnmatch.fnmatchcase, names, parts))


def find_unlisted(root):
    """Pages of docs that the navigation lacks, and pages in it that are not there."""
    root, problems = root.resolve(), []
    if not (root / SITE).exists():
        return problems
    entries, patterns = site_lists((root / SITE).read_text())
    for page, line in entries:
        if not (root / page).exists():
            problems.append(f'{SITE}:{line}: {page}: there is no such file')
    listed = {page for page, _ in entries}
    for page in (path.relative_to(root).as_posix() for path in pages(root / 'docs')):
        if page not in listed and not any(is_left_out(page, pattern) for pattern in patterns):
            problems.append(f'{page}:1: is not in the navigation: add it to {SITE}')
    return problems


def main():
    root = sources.parser(__doc__).parse_args().root
    problems, count = find_problems(root)
    unlisted = find_unlisted(root)
    return sources.report(problems + unlisted,
                          f'links: {count} looked at, {len(problems)} lead nowhere; navigation: '
                          f'{len(unlisted)} problems')


if __name__ == '__main__':
    sys.exit(main())
