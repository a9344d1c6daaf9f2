"""Reads journals and drives the program in end-to-end tests; independent of the program's code."""
import json
import os
import struct
import subprocess
import sys
import tempfile

HEAD = struct.Struct('<4sBBHIIqI')
HEADER, BYTES, EVENT, INPUT, TICK, LINK, END = range(1, 8)


def _table():
    table = []
    for index in range(256):
        value = index
        for _ in range(8):
            value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


_CRC_TABLE = _table()


def crc32c(data):
    """CRC-32C (Castagnoli, reflected polynomial 0x82F63B78)."""
    value = 0xFFFFFFFF
    for byte in data:
        value = _CRC_TABLE[(value ^ byte) & 0xFF] ^ (value >> 8)
    return value ^ 0xFFFFFFFF


def frames(data, check=False):
    """Yields (type, device, sequence, host_ns, payload) of all whole frames."""
    offset = 0
    while offset + HEAD.size <= len(data):
        magic, kind, device, _, sequence, size, host_ns, crc = HEAD.unpack_from(data, offset)
        if magic != b'LBJ1' or offset + HEAD.size + size > len(data):
            return
        payload = data[offset + HEAD.size:offset + HEAD.size + size]
        if check and crc32c(data[offset:offset + 24] + payload) != crc:
            return
        yield kind, device, sequence, host_ns, payload
        offset += HEAD.size + size


def limber(binary, *arguments, code=0, **options):
    """Runs the program; fails unless it ends with the expected exit code."""
    run = subprocess.run([binary, *map(str, arguments)], stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, text=True, **options)
    if run.returncode != code:
        raise AssertionError(f'limber {" ".join(map(str, arguments))}: exit {run.returncode}, '
                             f'expected {code}\n{run.stdout[-2000:]}\n{run.stderr[-2000:]}')
    return run


def sessions(archive):
    """Session files below an archive, oldest first."""
    found = [os.path.join(folder, name) for folder, _, names in os.walk(archive)
             for name in names if name.endswith('.h5')]
    return sorted(found)


def workspace():
    return tempfile.TemporaryDirectory(prefix='limber-test-')


def skip(reason):
    """ctest shows exit code 77 as skipped."""
    print(f'skipped: {reason}')
    sys.exit(77)


def shared(root):
    """Folder of recordings that some tests use, or None."""
    folder = os.environ.get('LIMBER_SHARED', os.path.join(root, '..', 'shared'))
    return folder if os.path.isdir(os.path.join(folder, 'data')) else None


def metrics_json(text):
    return json.loads(text)
