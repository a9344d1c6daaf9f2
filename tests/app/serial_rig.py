#!/usr/bin/env python3
"""The unchanged program on simulated serial ports through the real libserialport: a sensor is
unplugged and plugged in again in the middle of a hold.

usage: serial_rig.py LIMBER RIG_SERIAL
"""
import os
import re
import shutil
import struct
import subprocess
import sys
import time

import h5py

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'support'))
import feeder  # noqa: E402
import journal  # noqa: E402

ROLES = ('sternum', 'pelvis_ventral', 'thigh_l', 'thigh_r')
AWAY_S = 1.5
TICK_S = 0.02
# Reported within 50 ms of the unplug; a machine that is busy with other tests gets as much again.
REPORT_LIMIT_S = 0.1


def text(value):
    return value.decode() if isinstance(value, bytes) else value


class Rig:
    def __init__(self, rig, binary, arguments, log):
        self.process = subprocess.Popen(
            ['umockdev-wrapper', rig, str(len(ROLES)), '--', binary, *arguments],
            stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT, bufsize=0)

    def order(self, letter, port, payload=b''):
        size = struct.pack('<H', len(payload)) if letter == b'W' else b''
        self.process.stdin.write(letter + bytes([port]) + size + payload)

    def finish(self):
        self.process.stdin.close()
        return self.process.wait(timeout=60)


def holding_since(path):
    with open(path) as stream:
        return ' HOLD ' in stream.read()


def record(binary, folder, answers):
    """A simulated person whose bytes are then sent over the wire."""
    sensors = feeder.sensors_yaml(os.path.join(folder, 'source.yaml'),
                                  {role: 'simulated:comfortable' for role in ROLES})
    archive = os.path.join(folder, 'source')
    journal.limber(binary, 'assess', '--archive', archive, '--subject', 'SOURCE', '--protocol',
                   'bridge', '--sensors', sensors, '--answers', answers, '--no-align', '--json')
    return feeder.Recording(journal.sessions(archive)[0], ROLES)


def play(rig, recording, log):
    """Send everything at its own pace; unplug two seconds into the first hold."""
    queue = sorted((when, port, payload) for port, role in enumerate(ROLES)
                   for when, payload in recording.chunks[role])
    start, unplug_at, back_at, stop_at = time.monotonic(), None, None, None
    away = False
    for when, port, payload in queue:
        while time.monotonic() - start < when:
            time.sleep(0.002)
        now = time.monotonic()
        if unplug_at is None and holding_since(log):
            unplug_at, back_at, stop_at = now + 2.0, now + 2.0 + AWAY_S, now + 9.0
        if unplug_at and not away and unplug_at <= now < back_at:
            rig.order(b'U', 2)
            away = True
        if away and now >= back_at:
            rig.order(b'P', 2)
            away = False
        if stop_at and now >= stop_at:
            rig.order(b'K', 15)
            return True
        if not (away and port == 2):
            rig.order(b'W', port, payload)
    return False


def main():
    binary, program = sys.argv[1], sys.argv[2]
    if not shutil.which('umockdev-wrapper'):
        journal.skip('umockdev is not installed')
    with journal.workspace() as folder:
        answers = feeder.answers_yaml(os.path.join(folder, 'answers.yaml'))
        recording = record(binary, folder, answers)
        sensors = feeder.sensors_yaml(
            os.path.join(folder, 'sensors.yaml'),
            {role: f'/dev/ttyACM{port}' for port, role in enumerate(ROLES)})
        archive, log = os.path.join(folder, 'archive'), os.path.join(folder, 'log')
        with open(log, 'w') as stream:
            rig = Rig(program, binary,
                      ['assess', '--archive', archive, '--subject', 'RIG1', '--protocol', 'bridge',
                       '--sensors', sensors, '--answers', answers, '--no-align'], stream)
            held = play(rig, recording, log)
            code = rig.finish()
        with open(log) as stream:
            output = stream.read()
        assert held, f'no hold was reached\n{output}'
        assert code == 0, output
        path = journal.sessions(archive)[0]
        with h5py.File(path) as file:
            events = [(text(event['type']), text(event['label']), text(event['source']),
                       float(event['onset_s']), float(event['duration_s']))
                      for event in file['events'][:]]
            data = file['raw/journal'][:].tobytes()
        links = [(device, host_ns * 1e-9, payload[0]) for kind, device, _, host_ns, payload
                 in journal.frames(data) if kind == journal.LINK]
        lost = [when for device, when, is_open in links if device == 2 and not is_open]
        found = [when for device, when, is_open in links if device == 2 and is_open]
        assert lost and any(when > lost[0] for when in found), links
        returned = [event for event in events if event[:3] == ('sensor', 'returned', 'thigh_l')]
        assert returned, events
        # The event's gap against the journal's own bytes: the runner looks once a tick (20 ms), so
        # each end may be one tick late.
        arrivals = [host_ns * 1e-9 for kind, device, _, host_ns, _ in journal.frames(data)
                    if kind == journal.BYTES and device == 2]
        gap = max(after - before for before, after in zip(arrivals, arrivals[1:]))
        print(f'gap in the bytes {gap:.3f} s, in the event {returned[0][4]:.3f} s')
        assert gap >= AWAY_S, gap
        assert abs(returned[0][4] - gap) <= 2 * TICK_S, (returned, gap)
        last = [when for when, payload in recording.chunks['thigh_l'] if when < lost[0]][-1]
        print(f'unplug noted {lost[0] - last:.3f} s after the last bytes, away for '
              f'{returned[0][4]:.2f} s')
        assert re.search(r'unplugged 2 \d+', output), output
        assert lost[0] - last <= REPORT_LIMIT_S, (lost, last)
        again = journal.limber(binary, 'analyse', path).stdout
        assert ', 0 differ from the file' in again and ', 0 differ from the recording' in again
    return 0


if __name__ == '__main__':
    sys.exit(main())
