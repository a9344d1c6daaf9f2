"""Plays the bytes of a recorded session through pseudo-terminals, at the pace of the recording."""
import os
import pty
import time
import tty

import h5py

import journal


class Recording:
    """Bytes of chosen roles with their arrival times, taken from a session file."""

    def __init__(self, path, roles):
        import json
        with h5py.File(path) as file:
            data = file['raw/journal'][:].tobytes()
        self.chunks = {role: [] for role in roles}
        header = None
        for kind, device, _, host_ns, payload in journal.frames(data):
            if kind == journal.HEADER:
                header = json.loads(payload)
            elif kind == journal.BYTES:
                role = header['sensors'][device]['role']
                if role in self.chunks:
                    self.chunks[role].append((host_ns * 1e-9, payload))
        self.header = header
        self.end_s = max(chunks[-1][0] for chunks in self.chunks.values())


class Line:
    """One simulated serial line: a pseudo-terminal whose other end the program opens."""

    def __init__(self):
        self.master, self.slave = pty.openpty()
        tty.setraw(self.master)
        tty.setraw(self.slave)
        os.set_blocking(self.master, False)
        self.path = os.ttyname(self.slave)
        self.sent = bytearray()
        self.sent_at = []  # (time, bytes sent so far)
        self.refused = 0

    def write(self, payload, now):
        try:
            written = os.write(self.master, payload)
        except (BlockingIOError, OSError):
            written = 0
        self.refused += len(payload) - written
        self.sent += payload[:written]
        self.sent_at.append((now, len(self.sent)))

    def drop_input(self):
        """Commands of the program; a simulated unit that never answers is allowed."""
        try:
            os.read(self.master, 4096)
        except (BlockingIOError, OSError):
            pass

    def sent_before(self, moment):
        size = 0
        for when, total in self.sent_at:
            if when > moment:
                break
            size = total
        return size

    def close(self):
        for descriptor in (self.master, self.slave):
            try:
                os.close(descriptor)
            except OSError:
                pass


def play(recording, lines, seconds, from_s=0.0, silent=None, tick=None):
    """Feed lines {role: Line} for some seconds; silent = {role: (from, to)} in played seconds.
    tick(played_s) is called every few milliseconds and may end the play by returning True."""
    position = {role: 0 for role in lines}
    for role in lines:
        chunks = recording.chunks[role]
        while position[role] < len(chunks) and chunks[position[role]][0] < from_s:
            position[role] += 1
    start = time.monotonic()
    while True:
        played = time.monotonic() - start
        if played >= seconds or (tick and tick(played)):
            return
        for role, line in lines.items():
            line.drop_input()
            chunks = recording.chunks[role]
            while position[role] < len(chunks) and chunks[position[role]][0] - from_s <= played:
                quiet = silent and role in silent and silent[role][0] <= played < silent[role][1]
                if not quiet:
                    line.write(chunks[position[role]][1], time.monotonic())
                position[role] += 1
        time.sleep(0.002)


def sensors_yaml(path, ports, driver='xio-ximu3'):
    """Write a sensor file for {role: port}."""
    with open(path, 'w') as stream:
        stream.write('sensors:\n')
        for role, port in ports.items():
            stream.write(f'  - {{role: {role}, driver: {driver}, port: "{port}", rate_hz: 100}}\n')
    return path


def answers_yaml(path):
    with open(path, 'w') as stream:
        stream.write('all: no\npain_now: 1\npain_after: 1\n')
    return path


__all__ = ['Recording', 'Line', 'play', 'sensors_yaml', 'answers_yaml']
