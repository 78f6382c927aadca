#!/usr/bin/env python3
"""Makes the dashboards acta-overview.json and acta-groups.json beside this file.

For Grafana 10 and newer. A dashboard is a list of rows, a row a title with panels, which flow from
left to right: overview_panels.py and group_panels.py have them, panels.py the pieces.
"""

import json
import pathlib

from group_panels import GROUPS
from overview_panels import OVERVIEW
from panels import RED, SOURCE, expand

HERE = pathlib.Path(__file__).resolve().parent
WIDTH = 24


def lay_out(rows):
    """Panels with ids and places, none over another."""
    panels = []
    top = 0
    for title, members in rows:
        panels.append({'type': 'row', 'title': title, 'collapsed': False, 'panels': [],
                       'gridPos': {'x': 0, 'y': top, 'w': WIDTH, 'h': 1}})
        left, top, height = 0, top + 1, 0
        for panel in members:
            place = panel['gridPos']
            if left + place['w'] > WIDTH:
                left, top, height = 0, top + height, 0
            panels.append({**panel, 'gridPos': {'x': left, 'y': top, **place}})
            left, height = left + place['w'], max(height, place['h'])
        top += height
    return [{'id': at, **panel} for at, panel in enumerate(panels, 1)]


def variable(name, label, query):
    return {'name': name, 'label': label, 'type': 'query', 'datasource': SOURCE, 'hide': 0,
            'definition': query, 'query': {'query': query, 'refId': name}, 'refresh': 2, 'sort': 1,
            'multi': True, 'includeAll': True, 'allValue': '.*', 'regex': '',
            'current': {'text': ['All'], 'value': ['$__all']}, 'options': []}


INSTANCE = variable('instance', 'Instance', 'label_values(acta_app_ready, instance)')
GROUP = variable('group', 'Group',
                 'label_values(acta_groups_members{instance=~"$instance"}, group)')


def dashboard(uid, title, description, variables, rows):
    source = {'name': 'DS_PROMETHEUS', 'label': 'Data source', 'type': 'datasource',
              'query': 'prometheus', 'hide': 0, 'refresh': 1, 'regex': '', 'multi': False,
              'includeAll': False, 'current': {'text': 'default', 'value': 'default'},
              'options': []}
    starts = {'name': 'Starts', 'enable': True, 'hide': False, 'iconColor': RED,
              'datasource': SOURCE, 'titleFormat': 'the broker started',
              'textFormat': '{{instance}}', 'step': '60s',
              'expr': expand('changes(acta_app_start_timestamp_seconds{I}[2m]) > 0')}
    links = {'type': 'dashboards', 'title': 'Acta', 'tags': ['acta'], 'asDropdown': False,
             'includeVars': True, 'keepTime': True, 'targetBlank': False, 'icon': 'dashboard',
             'tooltip': ''}
    return {'uid': uid, 'title': title, 'description': description, 'tags': ['acta'],
            'schemaVersion': 38, 'version': 1, 'editable': True, 'graphTooltip': 1,
            'refresh': '30s', 'time': {'from': 'now-3h', 'to': 'now'}, 'timezone': 'browser',
            'annotations': {'list': [starts]}, 'links': [links],
            'templating': {'list': [source, *variables]}, 'panels': lay_out(rows)}


def dashboards():
    """{file name: what is in it}"""
    made = {
        'acta-overview.json': dashboard(
            'acta-overview', 'Acta: overview', 'Is the broker well, and what does it do?',
            [INSTANCE], OVERVIEW),
        'acta-groups.json': dashboard(
            'acta-groups', 'Acta: groups', 'Do groups keep up, and what became of their events?',
            [INSTANCE, GROUP], GROUPS)}
    return {name: json.dumps(board, indent=2) + '\n' for name, board in made.items()}


if __name__ == '__main__':
    for file, text in dashboards().items():
        (HERE / file).write_text(text)
