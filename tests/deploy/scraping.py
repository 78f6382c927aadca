"""A Prometheus that scrapes brokers every second, with the rules of deploy/ in seconds."""

import json
import re
import subprocess
import urllib.error
import urllib.parse
import urllib.request

from broker import PATIENCE_S
from deployed import ALERTS, RULES, tool
from oracle import free_port


class Prometheus:
    """`shorter`: (what rules say, how often, what stands instead), where a rule takes its time."""

    def __init__(self, folder, *targets, shorter=()):
        listed = ', '.join(f"'{target}'" for target in targets)
        config = (RULES / 'prometheus.yml').read_text().replace("'127.0.0.1:7451'", listed)
        config = re.sub(r'_interval: \d+s', '_interval: 1s', config)
        (folder / 'prometheus.yml').write_text(config)
        # Longer than what is usual passes between a write and its sync.
        rules = re.sub(r'(?m)^( +for:) \w+$', r'\1 3s', ALERTS.read_text())
        for said, count, instead in shorter:
            if rules.count(said) != count:
                raise AssertionError(f'{ALERTS.name} does not say {said} so often: {count}')
            rules = rules.replace(said, instead)
        (folder / 'alerts.yml').write_text(rules)
        self.address = f'127.0.0.1:{free_port()}'
        self.log = folder / 'prometheus.log'
        with open(self.log, 'w') as log:
            self.process = subprocess.Popen(
                [tool('prometheus'), '--config.file', folder / 'prometheus.yml',
                 '--storage.tsdb.path', folder / 'tsdb', '--web.listen-address', self.address],
                stdout=log, stderr=log)

    def ask(self, what, **parameters):
        """The data of an answer of the API, None while it does not listen yet."""
        query = urllib.parse.urlencode(parameters)
        try:
            with urllib.request.urlopen(f'http://{self.address}/api/v1/{what}?{query}',
                                        timeout=PATIENCE_S) as answer:
                return json.load(answer)['data']
        except urllib.error.HTTPError as error:
            if error.code == 503:
                return None
            raise AssertionError(f'{what} {parameters}: {error.read().decode()}') from error
        except OSError:
            if self.process.poll() is not None:
                raise AssertionError('prometheus ended:\n' + self.log.read_text()[-2000:])
            return None

    def value(self, expression):
        """Of the first series, None when there is none."""
        data = self.ask('query', query=expression)
        return float(data['result'][0]['value'][1]) if data and data['result'] else None

    def firing(self, label='group'):
        """[(alert, what its label says)]"""
        found = (self.ask('alerts') or {'alerts': []})['alerts']
        return sorted((alert['labels']['alertname'], alert['labels'].get(label, ''))
                      for alert in found if alert['state'] == 'firing')

    def end(self):
        self.process.kill()
        self.process.wait()
