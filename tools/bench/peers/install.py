"""Fetches brokers and load tools from package registries into one folder outside the tree.

Each function makes one part complete or raises Missing; what is there already is left alone, what
was broken off is made again. Nothing of the machine is changed: Debian packages are unpacked, not
installed, so no service of theirs ever starts.
"""

import pathlib
import shutil
import subprocess

from peers.processes import Failed

KAFKA = 'org.apache.kafka:kafka_2.13:4.4.0'
# The newest load tools: there are none of 4.4.
KAFKA_TOOLS = 'org.apache.kafka:kafka-tools:4.3.1'
STREAM_CLIENT = 'com.rabbitmq:stream-client:1.11.0'
PERF_TEST = 'com.rabbitmq:perf-test:2.22.1'
SLF4J = 'org.slf4j:slf4j-simple:1.7.36'
NATS_SERVER = 'github.com/nats-io/nats-server/v2@v2.15.2'
NATS_TOOL = 'github.com/nats-io/natscli/nats@v0.5.1'
SOURCES = pathlib.Path(__file__).resolve().parent / 'load'
POM = """<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>peers</groupId><artifactId>peers</artifactId><version>1</version>
<dependencies>{}</dependencies></project>
"""
DEPENDENCY = ('<dependency><groupId>{}</groupId><artifactId>{}</artifactId>'
              '<version>{}</version></dependency>')


class Missing(Failed):
    """What could not be installed, in one line."""


class Installed:
    """Where things are. `folder` is made when it is not there; `say` takes lines of progress."""

    def __init__(self, folder, say):
        self.folder = folder.resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        self._say = say
        self._log = self.folder / 'install.log'

    def kafka(self):
        """Class paths of the broker and of the load tools."""
        broker = self._jars('kafka', [KAFKA, SLF4J])
        tools = self._jars('kafka-tools', [KAFKA_TOOLS, SLF4J])
        return broker, f'{self._classes("KafkaLoad", tools)}:{tools}'

    def streams_client(self):
        """The class path of the load tool for RabbitMQ streams."""
        jars = self._jars('streams', [STREAM_CLIENT, SLF4J])
        return f'{self._classes("StreamLoad", jars)}:{jars}'

    def queues_tool(self):
        """The class path of the load tool for RabbitMQ queues."""
        return self._jars('queues', [PERF_TEST, SLF4J])

    def nats(self):
        """The folder with nats-server and nats."""
        version = NATS_SERVER.rpartition('@')[2]
        return self._whole(self.folder / 'go' / f'nats-{version}', lambda programs: [
            self._run(['env', f'GOBIN={programs}', 'go', 'install', module], module)
            for module in (NATS_SERVER, NATS_TOOL)])

    def go_load(self):
        """The load tool for what the tools of NATS and Redis cannot do."""
        program = self.folder / 'go' / 'peers-load'
        if is_older(program, SOURCES):
            self._run(['go', 'build', '-o', program, '.'], 'peers-load', cwd=SOURCES)
        return program

    def debian(self, program, package):
        """The root below which /usr/... has the package: '/' when the machine has it."""
        if pathlib.Path(program).exists():
            return pathlib.Path('/')

        def unpack(root):
            archives = self.folder / 'debian' / f'{package}.debs'
            (archives / 'partial').mkdir(parents=True, exist_ok=True)
            # Without locks and into our own folder: needs no rights, changes nothing.
            self._run(['apt-get', 'install', '--download-only', '-y', '--no-install-recommends',
                       '-o', 'Debug::NoLocking=1', '-o', f'Dir::Cache::Archives={archives}',
                       package], package)
            for archive in sorted(archives.glob('*.deb')):
                self._run(['dpkg', '-x', archive, root], package)
            if not (root / program.lstrip('/')).exists():
                raise Missing(f'{package}: the package has no {program}')

        return self._whole(self.folder / 'debian' / package, unpack)

    def _whole(self, folder, make):
        """The folder; when it is not there, made under another name until it is complete."""
        if not folder.exists():
            part = folder.with_name(folder.name + '.part')
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir(parents=True)
            make(part)
            part.rename(folder)
        return folder

    def _jars(self, name, artifacts):
        def fetch(folder):
            wanted = ''.join(DEPENDENCY.format(*one.split(':')) for one in artifacts)
            (folder / 'pom.xml').write_text(POM.format(wanted))
            self._run(['mvn', '-q', '-B', 'dependency:copy-dependencies',
                       '-DincludeScope=runtime', f'-DoutputDirectory={folder}/lib'],
                      artifacts[0], cwd=folder)

        version = artifacts[0].rpartition(':')[2]
        return f'{self._whole(self.folder / "jars" / f"{name}-{version}", fetch)}/lib/*'

    def _classes(self, main, class_path):
        folder = self.folder / 'classes' / main
        if is_older(folder / f'{main}.class', SOURCES):
            self._run(['javac', '-cp', class_path, '-sourcepath', SOURCES, '-d', folder,
                       SOURCES / f'{main}.java'], main)
        return folder

    def _run(self, command, what, cwd=None):
        """Missing when the tool is not there or fails; its output is in the log."""
        command = [str(word) for word in command]
        tool = next(word for word in command if word != 'env' and '=' not in word)
        if not shutil.which(tool):
            raise Missing(f'{what}: this machine has no {tool}')
        self._say(f'  + {" ".join(command)}')
        with open(self._log, 'a') as log:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                  cwd=cwd)
        if done.returncode != 0:
            raise Missing(f'{what}: {tool} failed; see {self._log}')


def is_older(made, sources):
    """Whether it is not there or some source is newer."""
    newest = max(path.stat().st_mtime for path in sources.iterdir())
    return not made.exists() or made.stat().st_mtime < newest
