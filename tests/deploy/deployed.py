"""What deploy/ and its runbooks say, taken apart: metrics, expressions, alerts, commands.

Files of alerts are read as text, by the layout that they have; promtool checks that it is YAML.
"""

import json
import os
import pathlib
import re
import shlex
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROMETHEUS = pathlib.Path(os.environ.get('ACTA_PROMETHEUS', '/usr/bin'))
RULES = ROOT / 'deploy/prometheus'
ALERTS = RULES / 'alerts.yml'
GRAFANA = ROOT / 'deploy/grafana'
RUNBOOKS = ROOT / 'docs/operating/alerts'
METRICS = ROOT / 'docs/reference/metrics.md'
DASHBOARDS = ('acta-overview.json', 'acta-groups.json')
# Prometheus gives these to every sample.
OF_SCRAPES = {'instance', 'job'}


def tool(name):
    """The path of prometheus or promtool."""
    path = PROMETHEUS / name
    if not path.exists():
        raise AssertionError(f'{path} is missing: run `tools/dev setup`, or set ACTA_PROMETHEUS to '
                             'the folder that has prometheus and promtool')
    return path


def promtool(*args, stdin=None):
    """The output of promtool, which must find nothing wrong."""
    done = subprocess.run([tool('promtool'), *map(str, args)], input=stdin, capture_output=True,
                          text=True, timeout=60)
    said = done.stdout + done.stderr
    if done.returncode != 0:
        raise AssertionError(f'promtool {" ".join(map(str, args))}:\n{said}')
    return said


def metrics_of(page):
    """{name of a series: its labels} by the reference page."""
    rows = re.findall(r'^\| `(acta_\w+)` \| (\w+) \| ([\w, ]*) \|', page, re.MULTILINE)
    series = {}
    for name, kind, labels in rows:
        labels = set(re.findall(r'\w+', labels))
        if kind == 'histogram':
            series.update({f'{name}_sum': labels, f'{name}_count': labels,
                           f'{name}_bucket': labels | {'le'}})
        else:
            series[name] = labels
    return series


def problems_of(text, metrics):
    """What an expression, or a text with some, says of series that do not exist."""
    # What label_replace() adds.
    allowed = OF_SCRAPES | set(re.findall(r'"(\w+)", "[^"]*", "", ""\)', text))
    for name, matchers in re.findall(r'\b(acta_[a-z]\w*)(\{[^}]*\})?', text):
        if name not in metrics:
            yield f'no metric {name}'
            continue
        allowed |= metrics[name]
        unquoted = re.sub(r'"[^"]*"', '""', matchers)
        for label in re.findall(r'(\w+) *(?:=~|!~|!=|=)', unquoted):
            if label not in metrics[name] | OF_SCRAPES:
                yield f'{name} has no label {label}'
    used = re.findall(r'\$labels\.(\w+)', text)
    for labels in re.findall(r'\b(?:by|without|on|ignoring|group_left) *\(([\w, ]*)\)', text):
        used += re.findall(r'\w+', labels)
    for label in used:
        if label not in allowed:
            yield f'no series here has the label {label}'


def alerts():
    """{name: text of the rule}"""
    parts = re.split(r'^ +- alert: (\w+)\n', ALERTS.read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2]))


def severity(rule):
    return re.search(r'severity: (\w+)\n', rule).group(1)


def panels(name):
    return json.loads((GRAFANA / name).read_text())['panels']


def expressions(name):
    """(panel, expression, legend) of each target of a dashboard."""
    for panel in panels(name):
        for target in panel.get('targets', ()):
            yield panel, target['expr'], target['legendFormat']


def without_variables(expression):
    """As Prometheus takes it, without Grafana."""
    return expression.replace('$__rate_interval', '1m').replace('$instance', '.*').replace(
        '$group', '.*')


def commands(page):
    """The words of each command of `acta` in a page, in blocks and in the text."""
    blocks = re.findall(r'^```sh\n(.*?)^```', page, re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    lines += re.findall(r'`(acta [^`]*)`', re.sub(r'^```sh\n.*?^```', '', page,
                                                  flags=re.MULTILINE | re.DOTALL))
    for line in lines:
        if line.startswith('acta '):
            yield shlex.split(re.split(r' (?:\||&&) ', line)[0])[1:]
