"""Small disks that can be filled: a tmpfs, or ext4 in a file behind a loop device. Takes root."""

import functools
import os
import pathlib
import subprocess
import sys
import tempfile

BYTES = 160 << 20


def run(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        return subprocess.CompletedProcess(command, 127, '', f'{command[0]}: {error.strerror}')


def mount_tmpfs(folder, size=BYTES, how=''):
    return run('mount', '-t', 'tmpfs', '-o', f'{how}size={size}', 'acta-test', folder)


def mount_ext4(folder, size=BYTES, *features):
    """In the file FOLDER.image, where it is as it was left. The loop device goes with the mount.
    Blocks are of the size that large disks have; 5 % are kept for root, as everywhere."""
    image = pathlib.Path(f'{folder}.image')
    if not image.exists():
        with open(image, 'wb') as file:
            file.truncate(size)
        made = run('mkfs.ext4', '-q', '-b', '4096', *features, image)
        if made.returncode != 0:
            return made
    mounted = run('mount', '-t', 'ext4', '-o', 'loop', image, folder)
    if mounted.returncode == 0:
        write_by_blocks(folder)
    return mounted


def write_by_blocks(folder):
    """A loop device takes a request that its file has room for in part for one that was written:
    with larger ones a sync succeeds, and what was to be synced is gone."""
    device = pathlib.Path(run('findmnt', '-no', 'SOURCE', folder).stdout.strip()).name
    pathlib.Path(f'/sys/block/{device}/queue/max_sectors_kb').write_text('4')


def unmount(folder):
    """Also when somebody has a file open, who should not: then it goes with that file."""
    if run('umount', folder).returncode != 0:
        left = run('umount', '--lazy', folder)
        raise AssertionError(f'{folder} was in use {left.stderr}')


@functools.cache
def why_not(mount):
    """Why such a disk cannot be mounted here, and what it takes; '' when it can."""
    with tempfile.TemporaryDirectory(prefix='acta-mount-') as folder:
        disk = pathlib.Path(folder) / 'disk'
        disk.mkdir()
        mounted = mount(disk)
        if mounted.returncode == 0:
            unmount(disk)
            return ''
    takes = {mount_tmpfs: 'root that may mount (mount, util-linux)',
             mount_ext4: 'root that may mount, loop devices (/dev/loop-control; containers seldom '
                         'have them) and mkfs.ext4 (e2fsprogs)'}
    return f'{mounted.stderr.strip()}; it takes {takes[mount]}'


def with_own_mounts():
    """Starts this program again where nobody else sees its mounts. They end with the last process
    that is in there, however that ends. Without the right to do so it goes on as it is."""
    own = ('unshare', '--mount', '--propagation', 'private')
    if 'ACTA_OWN_MOUNTS' in os.environ or run(*own, 'true').returncode != 0:
        return
    os.environ['ACTA_OWN_MOUNTS'] = '1'
    os.execvp(own[0], [*own, sys.executable, *sys.argv])
