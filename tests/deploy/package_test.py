#!/usr/bin/env python3
"""The Debian packages: what is in them; that the broker's installs, runs, is upgraded and removed,
and that programs are built with the client's.

They are installed for real, over the files of this machine, in a mount namespace of its own with an
overlay: nothing of the machine changes. That needs root; skipped with the reason without.
"""

import gzip
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'tools/checks'))

import links  # noqa: E402

BUILD = pathlib.Path(os.environ['ACTA_BIN']).parent
PATIENCE_S = 120

# In the namespace: $1 the layers, $2 the package, $3 a script that runs in the overlay, $4 the
# folder of ccache, where there is one: what was compiled from the same words is not again.
ENTER = '''set -e
mount -t tmpfs none "$1"
mkdir "$1/upper" "$1/work" "$1/merged"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/merged"
mount -t proc proc "$1/merged/proc"
mount --rbind /dev "$1/merged/dev"
cp "$2" "$1/merged/root/acta.deb"
if [ -n "$4" ]; then
  mkdir -p "$1/merged/root/ccache"
  mount --bind "$4" "$1/merged/root/ccache"
fi
exec chroot "$1/merged" bash -c "$3"'''

# As deploy/actad.service starts it, but for systemd.
LIFE = '''set -eu
export DEBIAN_FRONTEND=noninteractive
# Or each installation makes the index of all manuals of this machine anew.
rm -f /var/lib/man-db/auto-update
# Instead of systemd: what it is asked for is written down, and whether the unit is enabled.
mkdir -p /run/systemd/system /root/fake
cat >/root/fake/systemctl <<'FAKE'
#!/bin/sh
echo "$*" >>/root/asked
case "$1" in
  enable) touch /root/enabled ;;
  disable) rm -f /root/enabled ;;
  is-enabled) test -e /root/enabled ;;
  daemon-reload|restart) test ! -e /root/broken ;;
esac
FAKE
chmod +x /root/fake/systemctl
export PATH=/root/fake:$PATH
asked() { grep -c "^$1" /root/asked || true; }
dpkg -i /root/acta.deb >/dev/null
test "$(stat -c '%U:%G %a' /var/lib/acta)" = 'acta:acta 700'
test -e /root/enabled
test "$(asked restart)" = 1
acta version >/dev/null
start() {
  rm -f /run/acta.json
  touch /run/acta.log; chown acta /run/acta.log
  runuser -u acta -- /usr/bin/actad --config /etc/acta/actad.toml --data /var/lib/acta \\
    --listen.grpc=127.0.0.1:0 --listen.http=127.0.0.1:0 \\
    --listen.ready_file=/var/lib/acta/ready.json >>/run/acta.log 2>&1 &
  broker=$!
  for _ in $(seq 600); do [ -f /var/lib/acta/ready.json ] && break; sleep 0.1; done
  export ACTA_SERVER=$(sed 's/.*"grpc": "\\([^"]*\\)".*/\\1/' /var/lib/acta/ready.json)
}
stop() { kill "$broker"; wait "$broker" || true; rm -f /var/lib/acta/ready.json; }
start
acta topic create orders >/dev/null
acta publish orders 'paid' >/dev/null
acta doctor >/dev/null
stop
# An upgrade keeps what was configured, and the events.
echo '# mine' >> /etc/acta/actad.toml
dpkg -i /root/acta.deb >/dev/null 2>&1
grep -q '^# mine$' /etc/acta/actad.toml
test "$(asked restart)" = 2
start
test "$(acta subscribe orders --from earliest --until-end)" = paid
stop
acta-inspect verify --data /var/lib/acta >/dev/null
# Who has disabled it finds it so after the next one.
rm /root/enabled
dpkg -i /root/acta.deb >/dev/null 2>&1
test ! -e /root/enabled -a "$(asked restart)" = 2
touch /root/enabled
dpkg -r acta >/dev/null 2>&1
test "$(asked stop)" = 1 -a -e /root/enabled
dpkg -i /root/acta.deb >/dev/null 2>&1
test "$(asked restart)" = 3
# A broker that does not start, or a systemd that does not answer, leaves no package that is half
# installed, or half removed.
touch /root/broken
dpkg -i /root/acta.deb >/dev/null 2>&1
test "$(asked restart)" = 4
dpkg -r acta >/dev/null 2>&1
test ! -e /usr/bin/actad -a -d /var/lib/acta -a -f /etc/acta/actad.toml
dpkg -P acta >/dev/null 2>/root/purge
grep -q 'events stay in /var/lib/acta' /root/purge
test ! -e /etc/acta/actad.toml -a -d /var/lib/acta/db -a ! -e /root/enabled
# In an image that boots later it is enabled too, and nothing of that is left.
rm -r /run/systemd
dpkg -i /root/acta.deb >/dev/null 2>&1
test -e /root/enabled -a "$(asked restart)" = 4
dpkg -P acta >/dev/null 2>&1
test ! -e /root/enabled
echo LIVED'''

# As its page says: by pkg-config, and by CMake with the examples that came with it.
BUILT = '''set -eu
dpkg -i /root/acta.deb >/dev/null
cd /root
examples=/usr/share/doc/acta-client-dev/examples
launcher=$([ ! -d ccache ] || echo ccache)
export CCACHE_DIR=/root/ccache
$launcher c++ -std=c++17 $(pkg-config --cflags acta-client) -c $examples/producer.cc -o producer.o
c++ producer.o $(pkg-config --libs acta-client) -o producer
cmake -G Ninja -S $examples -B built -DCMAKE_CXX_COMPILER_LAUNCHER=$launcher >/dev/null
cmake --build built --target producer >&2
for program in ./producer built/producer; do
  ldd $program | grep -q 'libacta_client.so.0 => /\\(usr/\\)\\?lib/libacta_client.so.0 '
  $program 2>&1 | grep -q '^usage: producer'
done
dpkg -r acta-client-dev >/dev/null
test ! -e /usr/include/acta -a ! -e /usr/lib/libacta_client.so.0 -a ! -e $examples
echo LIVED'''


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True,
                          timeout=PATIENCE_S).stdout


def ccache():
    """Its folder; empty where there is none."""
    if not shutil.which('ccache'):
        return ''
    folder = output('ccache', '--get-config=cache_dir').strip()
    return folder if pathlib.Path(folder).is_dir() else ''


def setUpModule():
    made = subprocess.run(['cpack', '-G', 'DEB'], cwd=BUILD, capture_output=True, text=True,
                          timeout=PATIENCE_S)
    assert made.returncode == 0, made.stdout + made.stderr


def package_of(name):
    package, = (BUILD / 'package').glob(f'{name}_*.deb')
    return package


def entries_of(package):
    """{path: (mode, owner)} of all that it holds; of a link, without where it leads."""
    entries = {}
    for line in output('dpkg-deb', '-c', package).splitlines():
        mode, owner, *_, name = line.split(maxsplit=5)
        entries[name.lstrip('.').partition(' -> ')[0]] = (mode, owner)
    return entries


class PackageTest(unittest.TestCase):
    """Its subclasses have the name of the package."""

    @classmethod
    def setUpClass(cls):
        cls.package = package_of(cls.name)
        cls.files = pathlib.Path(tempfile.mkdtemp(prefix='acta-files-'))
        cls.addClassCleanup(shutil.rmtree, cls.files)
        output('dpkg-deb', '-x', cls.package, cls.files)

    def skip(self, reason):
        """unittest keeps the reason to itself."""
        print(f'skipped: {self.id()}: {reason}', flush=True)
        self.skipTest(reason)

    def field(self, name):
        return output('dpkg-deb', '-f', self.package, name).strip()

    def check_it_lives(self, script):
        """Runs the script in an overlay over this machine, with the package as /root/acta.deb."""
        if os.geteuid() != 0:
            self.skip('an overlay over the machine needs root')
        layers = pathlib.Path(tempfile.mkdtemp(prefix='acta-package-'))
        self.addCleanup(shutil.rmtree, layers, ignore_errors=True)
        probe = subprocess.run(['unshare', '--mount', '--pid', '--fork', 'true'],
                               capture_output=True, text=True)
        if probe.returncode != 0:
            self.skip(f'no namespaces here: {probe.stderr.strip()}')
        # A process namespace: what the test starts ends with it.
        done = subprocess.run(['unshare', '--mount', '--pid', '--fork', '--kill-child',
                               'bash', '-c', ENTER, 'enter', layers, self.package, script,
                               ccache()],
                              capture_output=True, text=True, timeout=PATIENCE_S)
        self.assertEqual((done.returncode, done.stdout.strip()), (0, 'LIVED'), done.stderr)


class Broker(PackageTest):
    name = 'acta'

    def test_it_says_what_it_is_and_what_it_needs(self):
        self.assertEqual(self.field('Package'), 'acta')
        self.assertEqual(self.field('Section'), 'net')
        self.assertRegex(self.field('Version'), r'^\d+\.\d+\.\d+$')
        self.assertRegex(self.field('Maintainer'), r'^\w.* <\S+@\S+>$')
        self.assertRegex(self.field('Description'), r'^event-streaming broker.*\n +\w')
        for library in ('adduser', 'librocksdb7.8', 'libgrpc++1.51', 'libprotobuf32'):
            self.assertIn(library, self.field('Depends'))
        self.assertNotIn('-dev', self.field('Depends'))

    def test_it_holds_the_broker_and_what_belongs_to_it(self):
        entries = entries_of(self.package)
        for program in ('actad', 'acta', 'acta-inspect'):
            self.assertEqual(entries[f'/usr/bin/{program}'], ('-rwxr-xr-x', 'root/root'))
        for name in ('/etc/acta/actad.toml', '/usr/lib/systemd/system/actad.service',
                     '/usr/share/bash-completion/completions/acta',
                     '/usr/share/zsh/vendor-completions/_acta',
                     '/usr/share/fish/vendor_completions.d/acta.fish',
                     '/usr/share/acta/proto/acta/v1/event.proto',
                     '/usr/share/acta/prometheus/alerts.yml',
                     '/usr/share/acta/grafana/acta-overview.json',
                     '/usr/share/doc/acta/docs/README.md', '/usr/share/doc/acta/copyright',
                     '/usr/share/doc/acta/changelog.gz', '/usr/share/man/man8/actad.8.gz',
                     '/usr/share/man/man1/acta.1.gz', '/usr/share/man/man1/acta-inspect.1.gz'):
            self.assertEqual(entries[name], ('-rw-r--r--', 'root/root'), name)
        self.assertFalse([name for name in entries if '/include/' in name or 'storage/v1' in name])

    def test_no_link_of_its_pages_leads_out_of_it(self):
        problems, count = links.find_problems(self.files / 'usr/share/doc/acta')
        self.assertEqual(problems, [])
        self.assertGreater(count, 500)

    def test_each_program_has_a_page_of_the_manual_that_says_what_its_help_says(self):
        pages = {}
        for section, program in ((8, 'actad'), (1, 'acta'), (1, 'acta-inspect')):
            path = self.files / f'usr/share/man/man{section}/{program}.{section}.gz'
            pages[path] = gzip.decompress(path.read_bytes()).decode()
            shown = pages[path].replace(r'\-', '-').replace(r'\(aq', "'").replace(r'\(ga', '`')
            self.assertIn(output(BUILD / 'bin' / program, '--help').strip(), shown)
        self.assertIn('.SS acta topic create\ncreates topics\n', ''.join(pages.values()))
        self.assertIn('.SH FILES\n.TP\n.I /etc/acta/actad.toml\n', ''.join(pages.values()))
        if not shutil.which('man'):
            self.skip('whether troff finds nothing wrong: install man-db')
        for path in pages:
            shown = subprocess.run(['man', '--warnings', '-l', path], capture_output=True,
                                   text=True, timeout=PATIENCE_S)
            self.assertEqual((shown.returncode, shown.stderr), (0, ''), path)

    def test_it_says_under_which_licence_it_is_and_which_version(self):
        folder = self.files / 'usr/share/doc/acta'
        paragraphs = [dict(re.findall(r'^([A-Z][\w-]*): *(.*)$', paragraph, re.M))
                      for paragraph in (folder / 'copyright').read_text().split('\n\n')]
        self.assertEqual(paragraphs[0]['Format'],
                         'https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/')
        of_files = [paragraph for paragraph in paragraphs if 'Files' in paragraph]
        texts = {paragraph['License'] for paragraph in paragraphs[1:] if 'Files' not in paragraph}
        self.assertEqual(of_files[0]['Files'], '*')
        for paragraph in of_files:
            self.assertTrue(paragraph['Copyright'])
            self.assertIn(paragraph['License'], texts)
            self.assertTrue(list(folder.glob(paragraph['Files'])), paragraph['Files'])
        version = self.field('Version')
        changes = gzip.decompress((folder / 'changelog.gz').read_bytes()).decode()
        self.assertTrue(changes.startswith(f'acta ({version}) '), changes)

    def test_it_is_installed_runs_is_upgraded_and_removed(self):
        before = pathlib.Path('/usr/bin/actad').exists()
        self.check_it_lives(LIFE)
        self.assertEqual(pathlib.Path('/usr/bin/actad').exists(), before)  # Of this machine.


class Client(PackageTest):
    name = 'acta-client-dev'

    def test_it_says_what_it_is(self):
        self.assertEqual(self.field('Package'), 'acta-client-dev')
        self.assertEqual(self.field('Source'), 'acta')
        self.assertEqual(self.field('Section'), 'libdevel')
        self.assertEqual(self.field('Version'),
                         output('dpkg-deb', '-f', package_of('acta'), 'Version').strip())
        self.assertRegex(self.field('Description'), r'^C\+\+ client.*\n +\w')
        self.assertEqual(output('dpkg-deb', '-I', self.package, 'shlibs').strip(),
                         f'libacta_client 0 acta-client-dev (>= {self.field("Version")})')

    def test_it_asks_for_the_packages_that_its_files_name(self):
        needs = {need.split()[0] for need in self.field('Depends').split(', ')}
        for library in ('libgrpc++1.51', 'libprotobuf32', 'libisal2'):
            self.assertIn(library, needs)
        # What find_package() tells users to install.
        named = re.findall(r'^acta_needs\(\w+ ([\w-]+)',
                           (self.files / 'usr/lib/cmake/Acta/ActaConfig.cmake').read_text(), re.M)
        # What pkg-config goes on reading, and whose it is.
        read = re.search(r'^Requires: (.*)',
                         (self.files / 'usr/lib/pkgconfig/acta-client.pc').read_text(), re.M)
        for name in read.group(1).split():
            owner = output('dpkg-query', '-S', f'*/pkgconfig/{name}.pc')
            named.append(re.match(r'[^:,]+', owner).group())
        self.assertEqual({need for need in needs if need.endswith('-dev')}, set(named))

    def test_it_holds_what_programs_are_built_with(self):
        entries = entries_of(self.package)
        docs = '/usr/share/doc/acta-client-dev'
        wanted = [f'/usr/lib/libacta_client.so.{self.field("Version")}',
                  '/usr/lib/pkgconfig/acta-client.pc', '/usr/include/acta/client/publisher.h',
                  f'{docs}/copyright', f'{docs}/changelog.gz', f'{docs}/README.md']
        wanted += [f'/usr/lib/cmake/Acta/Acta{name}.cmake'
                   for name in ('Config', 'ConfigVersion', 'Targets', 'Targets-release')]
        wanted += [f'/usr/include/acta/v1/{path.stem}.pb.h'
                   for path in (ROOT / 'proto/acta/v1').glob('*.proto')]
        wanted += [f'{docs}/examples/{path.name}'
                   for path in (ROOT / 'client/cpp/examples').iterdir()]
        for name in wanted:
            self.assertEqual(entries[name], ('-rw-r--r--', 'root/root'), name)
        for link in ('/usr/lib/libacta_client.so', '/usr/lib/libacta_client.so.0'):
            self.assertEqual(entries[link], ('lrwxrwxrwx', 'root/root'))
        self.assertIn('Library soname: [libacta_client.so.0]',
                      output('readelf', '-d', f'{self.files}/usr/lib/libacta_client.so'))
        # Or dpkg would install only one of the two.
        self.assertEqual([name for name in entries.keys() & entries_of(package_of('acta')).keys()
                          if not name.endswith('/')], [])

    def test_its_page_licence_and_changelog_are_there(self):
        folder = self.files / 'usr/share/doc/acta-client-dev'
        problems, count = links.find_problems(folder)
        self.assertEqual(problems, [])
        self.assertGreater(count, 5)
        debian = ROOT / 'deploy/debian'
        self.assertEqual((folder / 'copyright').read_bytes(), (debian / 'copyright').read_bytes())
        self.assertEqual(gzip.decompress((folder / 'changelog.gz').read_bytes()),
                         (debian / 'changelog').read_bytes())

    def test_an_example_is_built_with_what_is_installed(self):
        self.check_it_lives(BUILT)


if __name__ == '__main__':
    unittest.main()
