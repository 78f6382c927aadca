#!/usr/bin/env python3
"""Alerts, runbooks and dashboards: they name what exists, and fire on a real broker.

Needs prometheus and promtool in the folder ACTA_PROMETHEUS, and actad and acta in ACTA_BIN.
"""

import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

import deployed
from deployed import ALERTS, DASHBOARDS, GRAFANA, RULES, RUNBOOKS, promtool

sys.path[:0] = [str(deployed.ROOT / 'tests/e2e'), str(GRAFANA)]

import make_dashboards  # noqa: E402
from broker import BIN, PATIENCE_S, BrokerTest  # noqa: E402
from scraping import Prometheus  # noqa: E402

CONTAINERFILE = (deployed.ROOT / 'deploy/Containerfile').read_text()
SECTIONS = ['What it means', 'What users notice', 'How to look', 'What to do',
            'When it is safe to ignore']


class Names(unittest.TestCase):
    """Every metric and label that is used is on the reference page."""

    def setUp(self):
        self.metrics = deployed.metrics_of(deployed.METRICS.read_text())
        self.assertGreater(len(self.metrics), 50)

    def exists(self, where, text):
        self.assertEqual(list(deployed.problems_of(text, self.metrics)), [], where)

    def test_the_check_notices_what_does_not_exist(self):
        for text in ('acta_log_nothing', 'acta_log_syncs_total{topic="a"}',
                     'sum by (topic) (acta_log_syncs_total)', 'acta_telemetry_collect_seconds',
                     'acta_log_syncs_total {{ $labels.group }}'):
            self.assertNotEqual(list(deployed.problems_of(text, self.metrics)), [], text)

    def test_of_alerts(self):
        for name, rule in deployed.alerts().items():
            self.exists(name, rule)

    def test_of_tests_of_alerts(self):
        for file in sorted(RULES.glob('*_test.yml')):
            self.exists(file.name, file.read_text())

    def test_of_runbooks(self):
        for page in sorted(RUNBOOKS.glob('*.md')):
            self.exists(page.name, page.read_text())

    def test_of_dashboards(self):
        for board in DASHBOARDS:
            for panel, expression, legend in deployed.expressions(board):
                labels = ''.join(f' $labels.{name}' for name in re.findall(r'{{(\w+)}}', legend))
                self.exists(f'{board}: {panel["title"]}', expression + labels)
            for variable in json.loads((GRAFANA / board).read_text())['templating']['list']:
                self.exists(f'{board}: {variable["name"]}', variable.get('definition', ''))


class Runbooks(unittest.TestCase):
    def test_every_alert_has_a_page_and_every_page_an_alert(self):
        pages = {page.stem for page in RUNBOOKS.glob('*.md')} - {'README'}
        self.assertEqual(set(deployed.alerts()), pages)
        for name, rule in deployed.alerts().items():
            self.assertIn(f'\n          runbook: docs/operating/alerts/{name}.md\n', rule)
            self.assertIn('\n          summary: ', rule)
            self.assertRegex(rule, r'\n          description: >-\n(?s:.*)(\d|\$value)', name)

    def test_every_page_has_its_sections_and_says_the_severity(self):
        for name, rule in deployed.alerts().items():
            page = (RUNBOOKS / f'{name}.md').read_text()
            kind = deployed.severity(rule)
            self.assertIn(kind, ('page', 'ticket'))
            self.assertTrue(page.startswith(f'# {name}\n\n{kind.capitalize()}. '), name)
            self.assertEqual(re.findall(r'^## (.*)$', page, re.MULTILINE), SECTIONS, name)

    def test_the_index_has_every_alert_with_its_severity(self):
        index = (RUNBOOKS / 'README.md').read_text()
        rows = re.findall(r'^\| \[(\w+)\]\((\w+)\.md\) \| (\w+) \|', index, re.MULTILINE)
        self.assertEqual(sorted(rows), sorted((name, name, deployed.severity(rule))
                                              for name, rule in deployed.alerts().items()))

    def test_links_lead_somewhere(self):
        for page in RUNBOOKS.glob('*.md'):
            for link in re.findall(r'\]\(([^)#]+)', page.read_text()):
                self.assertTrue((RUNBOOKS / link).exists(), f'{page.name}: {link}')

    def test_every_command_exists_with_its_options(self):
        helps = {}

        def help_of(*words):
            if words not in helps:
                helps[words] = subprocess.run([BIN / 'acta', *words, '--help'], text=True,
                                              capture_output=True, timeout=PATIENCE_S).stdout
            return helps[words]

        known = re.findall(r'^  ([a-z-]+(?: [a-z-]+)*)', help_of(), re.MULTILINE)
        looked_at = 0
        for page in RUNBOOKS.glob('*.md'):
            for words in deployed.commands(page.read_text()):
                looked_at += 1
                named = [name for name in known if words[:len(name.split())] == name.split()]
                self.assertTrue(named, f'{page.name}: acta {" ".join(words)}')
                text = help_of(*max(named, key=len).split())
                for option in (word for word in words if re.match(r'--?[a-z]', word)):
                    self.assertRegex(text, rf'(?m)^  (-\w, )?{option}\b',
                                     f'{page.name}: acta {" ".join(words)}')
        self.assertGreater(looked_at, 50)


class Dashboards(unittest.TestCase):
    def test_they_are_what_the_script_makes(self):
        made = make_dashboards.dashboards()
        self.assertEqual(sorted(made), sorted(DASHBOARDS))
        for name, text in made.items():
            self.assertEqual((GRAFANA / name).read_text(), text,
                             f'{name} is old: run deploy/grafana/make_dashboards.py')

    def test_panels_have_ids_and_places_of_their_own(self):
        for name in DASHBOARDS:
            taken = {}
            panels = deployed.panels(name)
            self.assertEqual(len({panel['id'] for panel in panels}), len(panels))
            for panel in panels:
                at = panel['gridPos']
                self.assertLessEqual(at['x'] + at['w'], 24, panel['title'])
                for cell in ((x, y) for x in range(at['x'], at['x'] + at['w'])
                             for y in range(at['y'], at['y'] + at['h'])):
                    self.assertNotIn(cell, taken, f'{panel["title"]} over {taken.get(cell)}')
                    taken[cell] = panel['title']

    def test_panels_say_what_they_show(self):
        for name in DASHBOARDS:
            titles = [panel['title'] for panel in deployed.panels(name) if panel['type'] != 'row']
            for panel, _, legend in deployed.expressions(name):
                self.assertTrue(panel['description'].endswith('.'), panel['title'])
                self.assertTrue(panel['fieldConfig']['defaults']['unit'], panel['title'])
                self.assertTrue(legend, panel['title'])
            self.assertGreater(len(titles), 20)

    def test_they_show_what_an_operator_asks_for(self):
        shown = ' '.join(expression for name in DASHBOARDS
                         for _, expression, _ in deployed.expressions(name))
        for metric in ('groups_lag_events', 'groups_lag_bytes', 'groups_lag_seconds',
                       'groups_headroom_seconds', 'groups_drain_seconds', 'queues_dead_letters',
                       'queues_settled_events_total', 'queues_redelivered_events_total',
                       'log_appended_events_total', 'subscribe_delivered_events_total',
                       'log_commit_seconds_bucket', 'log_sync_seconds_bucket',
                       'log_cache_reads_total', 'log_wal_bytes', 'log_slices',
                       'log_write_stalls_total', 'log_disk_free_bytes', 'rpc_connections',
                       'rpc_rejections_total', 'journeys_index_lag_events', 'app_ready'):
            self.assertRegex(shown, rf'\bacta_{metric}\b')

    def test_expressions_are_right(self):
        """promtool reads no dashboards: as rules it reads their expressions."""
        rules = ['groups:', '  - name: panels', '    rules:']
        for name in DASHBOARDS:
            for at, (_, expression, _) in enumerate(deployed.expressions(name)):
                record = f'{name.split(".")[0].replace("-", "_")}_{at}'
                rules += [f'      - record: {record}',
                          f'        expr: {json.dumps(deployed.without_variables(expression))}']
        with tempfile.NamedTemporaryFile('w', suffix='.yml') as file:
            file.write('\n'.join(rules) + '\n')
            file.flush()
            self.assertIn('SUCCESS', promtool('check', 'rules', file.name))


# Not in containers, which mostly have no systemd: a package for one test is not installed there. It
# runs wherever the unit can be of use.
@unittest.skipUnless(shutil.which('systemd-analyze'), 'no systemd-analyze: install systemd')
class Unit(unittest.TestCase):
    """By systemd itself, which needs not run for it."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.unit = pathlib.Path(folder.name) / 'actad.service'
        self.unit.write_text((deployed.ROOT / 'deploy/actad.service').read_text()
                             .replace('/usr/bin/actad', str(BIN / 'actad')))

    def analyze(self, *words):
        done = subprocess.run(['systemd-analyze', *words, self.unit], text=True,
                              capture_output=True, timeout=PATIENCE_S)
        return done.returncode, done.stdout + done.stderr

    def test_systemd_understands_every_line(self):
        self.assertEqual(self.analyze('verify'), (0, ''))
        self.unit.write_text(self.unit.read_text().replace('ProtectHome=', 'ProtectHomes='))
        self.assertRegex(self.analyze('verify')[1], "Unknown key.* 'ProtectHomes'")

    def test_it_gives_away_what_it_does_not_need(self):
        """100 gives nothing away; 14 are the network and the files of the machine (systemd 252)."""
        code, said = self.analyze('security', '--offline=true', '--threshold=20')
        self.assertEqual(code, 0, said)


class Container(unittest.TestCase):
    """It is not built here: images are fetched from where tests may not go."""

    def test_what_builds_it_stays_outside_and_its_user_is_not_root(self):
        stages = re.split(r'(?m)^FROM ', CONTAINERFILE)[1:]
        self.assertEqual(len(stages), 2)
        self.assertIn(' AS build\n', stages[0])
        last = [line.split() for line in stages[1].splitlines()]
        self.assertEqual([line[1] for line in last if line[:1] == ['USER']], ['acta'])
        self.assertEqual({line[1] for line in last if line[:1] == ['COPY']},
                         {'--from=build', 'deploy/actad.toml'})

    def test_it_installs_what_its_programs_are_linked_with(self):
        installed = set(re.search(r'no-install-recommends \\\n(.*?)\n', CONTAINERFILE).group(1)
                        .strip(' \\').split())
        programs = set(re.findall(r'/src/build/release/bin/([a-z-]+)', CONTAINERFILE))
        self.assertEqual(programs, {'actad', 'acta', 'acta-inspect'})

        def query(*words):
            return subprocess.run(words, text=True, capture_output=True, check=True).stdout
        there = {'libc6', 'libgcc-s1', 'libstdc++6'}  # In every image.
        for package in installed:
            depends = query('dpkg-query', '-W', '-f', '${Depends}', package)
            there |= {package, *re.findall(r'[a-z0-9+.-]+', depends)}
        for program in programs:
            for library in re.findall(r'=> (/\S+)', query('ldd', BIN / program)):
                direct = pathlib.Path(library).name in query('readelf', '-d', BIN / program)
                if not direct:
                    continue
                of = query('dpkg-query', '-S', '*/' + pathlib.Path(library).name)
                packages = {line.split(':')[0] for line in of.splitlines()}
                self.assertTrue(packages & there, f'{program} needs {library} of {packages}')


class Promtool(unittest.TestCase):
    def test_the_rules_and_the_configuration_are_right(self):
        self.assertIn(f'SUCCESS: {len(deployed.alerts())} rules found',
                      promtool('check', 'rules', ALERTS))
        self.assertIn('SUCCESS', promtool('check', 'config', RULES / 'prometheus.yml'))

    def test_alerts_fire_when_they_should(self):
        promtool('test', 'rules', *sorted(RULES.glob('*_test.yml')))

    def test_every_alert_is_tested_both_ways(self):
        text = ''.join(file.read_text() for file in RULES.glob('*_test.yml'))
        tested = re.findall(r'alertname: (\w+)\n +exp_alerts:( \[\])?\n', text)
        for name in deployed.alerts():
            self.assertEqual({empty for alert, empty in tested if alert == name}, {'', ' []'},
                             f'{name}: once firing, once not')


class Live(BrokerTest):
    # Whatever the disk of the machine has.
    options = tuple(f'--storage.disk_{level}_percent=0' for level in ('warn', 'soft', 'hard'))

    def until(self, condition, what):
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            self.assertLess(time.monotonic(), deadline, f'not within {PATIENCE_S} s: {what}')
            time.sleep(0.1)

    def watch(self):
        folder = self.broker.folder / 'prometheus'
        folder.mkdir()
        prometheus = Prometheus(folder, self.broker.http)
        self.addCleanup(prometheus.end)
        self.until(lambda: prometheus.value('up{job="acta"}') == 1, 'the broker is scraped')
        return prometheus

    def scraped(self, prometheus, times):
        """Waits for so many scrapes more."""
        count = 'count_over_time(up{job="acta"}[10m])'
        enough = prometheus.value(count) + times
        self.until(lambda: prometheus.value(count) >= enough, f'{times} scrapes')

    def queue(self):
        self.acta('topic', 'create', 'jobs', '--partitions', 1)
        self.acta('group', 'create', 'workers', '--topic', 'jobs', '--from', 'earliest', '--mode',
                  'queue')

    def test_the_page_is_well_formed(self):
        self.queue()
        self.broker.acta('group', 'describe', 'nobody')
        with urllib.request.urlopen(f'http://{self.broker.http}/metrics', timeout=10) as answer:
            page = answer.read().decode()
        self.assertIn('acta_rpc_rejections_total{reason="GROUP_NOT_FOUND"} 1', page)
        self.assertEqual(promtool('check', 'metrics', stdin=page), '')

    def are_answered(self, prometheus):
        """Panels and rules."""
        for name in DASHBOARDS:
            for panel, expression, _ in deployed.expressions(name):
                data = prometheus.ask('query', query=deployed.without_variables(expression))
                self.assertIsNotNone(data, panel['title'])
        rules = [rule for group in prometheus.ask('rules')['groups'] for rule in group['rules']]
        self.assertEqual(len(rules), len(deployed.alerts()))
        self.assertEqual({(rule['health'], rule.get('lastError')) for rule in rules},
                         {('ok', None)})

    def test_the_health_check_of_the_container_tells_whether_it_works(self):
        health = re.search(r'(?m)^HEALTHCHECK [^\n]*\\\n +CMD (\[.*\])$', CONTAINERFILE).group(1)
        program, *words = json.loads(health)
        self.assertEqual(program, '/usr/bin/acta')
        self.assertEqual(self.broker.acta(*words)[0], 0)
        self.broker.kill()
        self.assertNotEqual(self.broker.acta(*words)[0], 0)

    def test_panels_are_answered_and_dead_letters_and_a_stop_raise_alerts_and_nothing_else(self):
        self.queue()
        prometheus = self.watch()
        new = 'sum(acta_queues_dead_lettered_events_total{group="workers"})'
        self.until(lambda: prometheus.value(new) == 0, 'the group is scraped')
        self.scraped(prometheus, 6)
        self.are_answered(prometheus)
        self.assertEqual(prometheus.firing(), [])
        self.acta('publish', 'jobs', 'bad')
        self.acta('subscribe', 'jobs', '--group', 'workers', '--exec', 'exit 65', '--max', 1)
        self.until(lambda: prometheus.firing() == [('ActaDeadLetters', 'workers')],
                   'the alert of the dead letter')
        self.assertEqual(self.broker.stop(), 0)
        self.until(lambda: ('ActaDown', '') in prometheus.firing(), 'the alert of the stop')


if __name__ == '__main__':
    unittest.main()
