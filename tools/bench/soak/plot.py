#!/usr/bin/env python3
"""Draws the samples of a soak as small multiples, for light and dark pages.

plot.py CSV SVG [CAPTION]
"""

import csv
import sys

import matplotlib
import judge

matplotlib.use('svg')
import matplotlib.pyplot as pyplot  # noqa: E402

MOST_POINTS = 240
GREY = '#848d97'
COLOURS = ('#2f81f7', '#3fb950', '#d29922', '#f85149')
# Title, columns with their names, what a unit is, whether the scale is logarithmic.
PANELS = (
    ('events/s, thousands', {'events_per_second': ''}, 1e3, False),
    ('due to delivered, ms',
     {'p50_ms': 'p50', 'p99_ms': 'p99', 'p999_ms': 'p99.9', 'max_ms': 'max'}, 1, True),
    ('group that is away: millions behind', {'behind_events': ''}, 1e6, False),
    ('memory, MiB', {'rss_mib': ''}, 1, False),
    ('CPU, % of a core', {'cpu_percent': 'broker', 'load_cpu_percent': 'load',
                          'others_cpu_percent': 'others'}, 1, False),
    ('threads', {'threads': ''}, 1, False),
    ('descriptors', {'descriptors': ''}, 1, False),
    ('write-ahead log, MiB', {'wal_mib': ''}, 1, False),
    ('slices', {'slices': ''}, 1, False),
    ('disk used, GiB', {'disk_mib': ''}, 1024, False),
    ('written, MB/s', {'written_mb_s': ''}, 1, False),
    ('groups that follow: thousands behind', {'follow_behind': ''}, 1e3, False),
)
STYLE = {
    'svg.fonttype': 'none', 'svg.hashsalt': 'acta', 'font.family': 'sans-serif', 'font.size': 8,
    'text.color': GREY, 'axes.edgecolor': GREY, 'axes.labelcolor': GREY, 'xtick.color': GREY,
    'ytick.color': GREY, 'axes.spines.top': False, 'axes.spines.right': False,
    'axes.linewidth': 0.6, 'path.simplify_threshold': 0.3,
}


def load(path):
    def value(column, text):
        return text if column == 'alarms' else float(text) if text else None
    with open(path, newline='') as file:
        return [{column: value(column, text) for column, text in row.items()}
                for row in csv.DictReader(file)]


def values(rows, column, unit):
    return [float('nan') if row[column] is None else row[column] / unit for row in rows]


def draw(csv_path, svg_path, caption=''):
    rows = judge.thin(load(csv_path), MOST_POINTS)
    minutes = [row['seconds'] / 60 for row in rows]
    with matplotlib.rc_context(STYLE):
        figure, grid = pyplot.subplots(4, 3, figsize=(9, 7.6), sharex=True, layout='constrained')
        for axes, (title, columns, unit, logarithmic) in zip(grid.flat, PANELS):
            axes.set_title(title, loc='left', fontsize=8)
            axes.grid(axis='y', color=GREY, alpha=0.25, linewidth=0.5)
            for colour, (column, name) in zip(COLOURS, columns.items()):
                axes.plot(minutes, values(rows, column, unit), color=colour, linewidth=0.9,
                          label=name)
            if logarithmic:
                axes.set_yscale('log')
                axes.yaxis.set_major_formatter('{x:g}')
            else:
                axes.set_ylim(bottom=0)
            if len(columns) > 1:
                axes.legend(frameon=False, fontsize=6.5, ncols=4, loc='upper right')
                axes.set_ylim(top=axes.get_ylim()[1] * (3 if logarithmic else 1.2))
        figure.suptitle(caption, fontsize=8, x=0.01, ha='left')
        for axes in grid[-1]:
            axes.set_xlabel('minutes')
        figure.savefig(svg_path, transparent=True, metadata={'Date': None})
        pyplot.close(figure)


if __name__ == '__main__':
    draw(*sys.argv[1:])
