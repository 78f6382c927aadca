"""The stubs any language has: made from the protos by protoc, once for all test programs."""

import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from broker import PATIENCE_S, SOURCE

# Made by `tools/dev test`, once.
PYTHON = pathlib.Path(os.environ.get('ACTA_VENV', SOURCE / 'build/venv')) / 'bin/python'


def require():
    if not PYTHON.exists():
        sys.exit('no build/venv; `tools/dev test` makes it')


def generate(folder):
    protos = sorted((SOURCE / 'proto/acta/v1').glob('*.proto'))
    subprocess.run([PYTHON, '-m', 'grpc_tools.protoc', '-I', SOURCE / 'proto',
                    f'--python_out={folder}', f'--grpc_python_out={folder}', *protos],
                   check=True, timeout=PATIENCE_S)


def use():
    """Starts this program again inside the environment that has grpcio, then imports the stubs."""
    if pathlib.Path(sys.prefix).resolve() != PYTHON.parents[1].resolve():
        require()
        os.execv(PYTHON, [str(PYTHON), *sys.argv])
    sys.path.insert(0, str(kept_stubs()))


def kept_stubs():
    """A folder with those of the protos as they are now; made when it is not there."""
    digest = hashlib.sha256()
    for proto in sorted((SOURCE / 'proto/acta/v1').glob('*.proto')):
        digest.update(proto.read_bytes())
    folder = PYTHON.parents[1] / 'stubs' / digest.hexdigest()[:16]
    if not folder.exists():
        folder.parent.mkdir(exist_ok=True)
        made = tempfile.mkdtemp(dir=folder.parent)
        generate(made)
        try:
            os.rename(made, folder)
        except OSError:
            shutil.rmtree(made)  # Another test program was quicker.
    return folder


def reason_of(error):
    """The reason in the trailer of a failed call, and its details."""
    from acta.v1 import errors_pb2
    for key, value in error.trailing_metadata() or ():
        if key != 'grpc-status-details-bin':
            continue
        for detail in errors_pb2.StatusDetails.FromString(value).details:
            if detail.type_url.endswith('google.rpc.ErrorInfo'):
                info = errors_pb2.ErrorInfo.FromString(detail.value)
                return info.reason, dict(info.metadata)
    return '', {}


def retry_of(error):
    """The delay in seconds that a failed call names, None without one."""
    from acta.v1 import errors_pb2
    for key, value in error.trailing_metadata() or ():
        if key != 'grpc-status-details-bin':
            continue
        for detail in errors_pb2.StatusDetails.FromString(value).details:
            if detail.type_url.endswith('google.rpc.RetryInfo'):
                delay = errors_pb2.RetryInfo.FromString(detail.value).retry_delay
                return delay.ToTimedelta().total_seconds()
    return None


def reason_in(status):
    """The reason in a Status that travels inside a message."""
    from acta.v1 import errors_pb2
    return errors_pb2.ErrorReason.Name(status.reason)
