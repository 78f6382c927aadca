#!/usr/bin/env python3
"""Lays out what the site is made of: the pages of docs, the README, and whatever of the repository
they link to, each where it lies there. So links mean the same in both. A folder that is linked to
is its README, or a page with the files in it.
"""

import argparse
import os
import pathlib
import shutil
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'tools/checks'))

import links  # noqa: E402

START = 'README.md'


def index_page(folder, root):
    """A page for a folder without a README."""
    name = folder.relative_to(root).as_posix()
    files = sorted(path.name for path in folder.iterdir() if path.is_file())
    return f'# {name}\n\n' + ''.join(f'- [{file}]({file})\n' for file in files)


class Stage:
    def __init__(self, root, target):
        self.root = root.resolve()
        self.target = target
        self.done = set()
        self.waiting = []

    def run(self):
        self.waiting = [self.root / START, *links.pages(self.root / 'docs')]
        while self.waiting:
            path = self.waiting.pop()
            if path in self.done:
                continue
            self.done.add(path)
            self.put(path)

    def put(self, path):
        place = self.target / path.relative_to(self.root)
        place.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == '.md':
            text = path.read_text() if path.exists() else index_page(path.parent, self.root)
            place.write_text(self.with_pages_for_folders(text, path))
        else:
            shutil.copyfile(path, place)

    def with_pages_for_folders(self, text, page):
        """The same page; what it links to is laid out too."""
        for target in {target for target, _ in links.links(text)}:
            name = target.partition('#')[0]
            if links.ELSEWHERE.match(target) or not name:
                continue
            path = pathlib.Path(os.path.normpath(page.parent / name))
            if path.is_dir():
                path /= 'README.md' if (path / 'README.md').exists() else 'index.md'
                text = text.replace(f']({target})', f']({name.rstrip("/")}/{path.name})')
            self.waiting.append(path)
        return text


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('target', type=pathlib.Path)
    parser.add_argument('--root', type=pathlib.Path, default=ROOT)
    args = parser.parse_args()
    shutil.rmtree(args.target, ignore_errors=True)
    stage = Stage(args.root, args.target)
    stage.run()
    print(f'docs: {len(stage.done)} files in {args.target}')


if __name__ == '__main__':
    main()
