#!/usr/bin/env python3
"""Live equals replay: whatever happened, `limber analyse` finds the same numbers and decisions.

usage: live_replay.py LIMBER

Simulated persons with faulty sensors in virtual time; then real time on pseudo-terminals with
jitter, a sensor that falls silent, and operator keys.
"""
import os
import pty
import subprocess
import sys
import time

import h5py

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'support'))
import feeder  # noqa: E402
import journal  # noqa: E402

ROLES = ('thorax_dorsal', 'pelvis_dorsal')
FAULTY = ('drop_out', 'stall', 'slip', 'corrupted')


def text(value):
    return value.decode() if isinstance(value, bytes) else value


def check_again(binary, path):
    run = journal.limber(binary, 'analyse', path)
    lines = [line for line in run.stdout.splitlines() if 'differ' in line]
    assert len(lines) == 2 and all(', 0 differ' in line for line in lines), lines
    return lines


def simulated(binary, folder):
    for patient in FAULTY:
        archive = os.path.join(folder, patient)
        journal.limber(binary, 'demo', '--protocol', 'standing_forward_bend', '--patient', patient,
                       '--fast', '--json', '--archive', archive)
        path = journal.sessions(archive)[0]
        print(patient, *check_again(binary, path), sep='\n  ')


def live(binary, folder):
    archive = os.path.join(folder, 'source')
    journal.limber(binary, 'demo', '--protocol', 'cat_cow', '--fast', '--json', '--archive', archive)
    recording = feeder.Recording(journal.sessions(archive)[0], ROLES)
    lines = {role: feeder.Line() for role in ROLES}
    sensors = feeder.sensors_yaml(os.path.join(folder, 'sensors.yaml'),
                                  {role: line.path for role, line in lines.items()})
    answers = feeder.answers_yaml(os.path.join(folder, 'answers.yaml'))
    keyboard, console = pty.openpty()
    archive = os.path.join(folder, 'live')
    program = subprocess.Popen(
        [binary, 'assess', '--archive', archive, '--subject', 'LIVE1', '--protocol', 'cat_cow',
         '--sensors', sensors, '--answers', answers],
        stdin=console, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    time.sleep(0.3)
    keys = [(4.0, b'3'), (6.0, b' '), (7.0, b' '), (9.0, b'k'), (11.0, b'u'), (13.0, b's')]

    def press(played):
        while keys and played >= keys[0][0]:
            os.write(keyboard, keys.pop(0)[1])
        return program.poll() is not None

    feeder.play(recording, lines, 16.0, 10.0, silent={'thorax_dorsal': (2.0, 3.2)}, tick=press)
    errors = program.communicate(timeout=60)[1].decode()
    for line in lines.values():
        line.close()
    os.close(keyboard)
    os.close(console)
    assert program.returncode == 0, errors
    path = journal.sessions(archive)[0]
    with h5py.File(path) as file:
        kinds = [(text(event['type']), text(event['label'])) for event in file['events'][:]]
        inputs = [kind for kind, *_ in
                  journal.frames(file['raw/journal'][:].tobytes()) if kind == journal.INPUT]
    assert any(kind == 'sensor' and label == 'stalled' for kind, label in kinds), kinds
    assert any(kind == 'pain' for kind, _ in kinds), kinds
    assert ('phase', 'ABORTED') in kinds, kinds
    assert len(inputs) >= 5, inputs
    print('live with keys and a silent sensor', *check_again(binary, path), sep='\n  ')


def main():
    binary = sys.argv[1]
    with journal.workspace() as folder:
        simulated(binary, folder)
        live(binary, folder)
    return 0


if __name__ == '__main__':
    sys.exit(main())
