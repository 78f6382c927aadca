#!/usr/bin/env python3
"""Generated pages are what their sources say. --write renews them."""

import subprocess
import sys

import api_page
import cli_page
import errors_page
import sources

# Page -> what `actad --generate-reference` calls it.
ACTAD_PAGES = {'docs/reference/configuration.md': 'configuration',
               'docs/reference/metrics.md': 'metrics',
               'deploy/actad.toml': 'example'}


def actad_page(actad, topic):
    return subprocess.run([actad, '--generate-reference', topic], check=True, text=True,
                          stdout=subprocess.PIPE, timeout=60).stdout


def wanted_pages(root, actad=None, acta=None):
    protos = {path.stem: path.read_text() for path in (root / 'proto/acta/v1').glob('*.proto')}
    pages = {'docs/reference/errors.md': errors_page.page(protos['errors']),
             'docs/reference/api.md': api_page.page(protos)}
    if actad:
        pages.update({page: actad_page(actad, topic) for page, topic in ACTAD_PAGES.items()})
    if acta:
        pages['docs/reference/cli.md'] = cli_page.page(acta)
    return pages


def stale(root, pages):
    """Names of pages that are missing or differ."""
    return [name for name, text in pages.items()
            if not (root / name).exists() or (root / name).read_text() != text]


def main():
    parser = sources.parser(__doc__)
    parser.add_argument('--actad', help='the program that knows configuration and metrics')
    parser.add_argument('--acta', help='the program that knows the command line')
    parser.add_argument('--write', action='store_true')
    args = parser.parse_args()
    pages = wanted_pages(args.root, args.actad, args.acta)
    names = stale(args.root, pages)
    for name in names:
        if args.write:
            (args.root / name).parent.mkdir(parents=True, exist_ok=True)
            (args.root / name).write_text(pages[name])
            print(f'{name}: written')
        else:
            print(f'{name}: is stale; run tools/checks/stale_docs.py --write'
                  + (f' --actad {args.actad}' if args.actad else '')
                  + (f' --acta {args.acta}' if args.acta else ''))
    print(f'docs: {len(pages)} generated pages, {0 if args.write else len(names)} stale')
    return 1 if names and not args.write else 0


if __name__ == '__main__':
    sys.exit(main())
