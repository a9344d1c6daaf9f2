#!/usr/bin/env python3
"""SIGKILL at random moments of an assessment on two serial lines, then `limber recover`.

usage: killed.py LIMBER [RUNS]      default 50

Each recovered session must hold, byte for byte, the beginning of what was sent, and at most the last
0.1 s may be missing (the recorder wakes every few milliseconds; the rest is the machine's jitter).
"""
import concurrent.futures
import os
import random
import signal
import subprocess
import sys
import time

import h5py

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'support'))
import feeder  # noqa: E402
import journal  # noqa: E402

ROLES = ('thorax_dorsal', 'pelvis_dorsal')
MISSING_LIMIT_S = 0.1
SIDE_BY_SIDE = 3


def received(path):
    with h5py.File(path) as file:
        data = file['raw/journal'][:].tobytes()
        recovered = bool(file.attrs['recovered'])
    streams = {}
    for kind, device, _, _, payload in journal.frames(data, check=False):
        if kind == journal.BYTES:
            streams.setdefault(device, bytearray()).extend(payload)
    return streams, recovered


def run(binary, recording, number):
    chance = random.Random(number)
    with journal.workspace() as folder:
        lines = {role: feeder.Line() for role in ROLES}
        archive = os.path.join(folder, 'archive')
        sensors = feeder.sensors_yaml(os.path.join(folder, 'sensors.yaml'),
                                      {role: line.path for role, line in lines.items()})
        answers = feeder.answers_yaml(os.path.join(folder, 'answers.yaml'))
        with open(os.path.join(folder, 'log'), 'w') as log:
            program = subprocess.Popen(
                [binary, 'assess', '--archive', archive, '--subject', f'K{number}', '--protocol',
                 'cat_cow', '--sensors', sensors, '--answers', answers],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        log_path = os.path.join(folder, 'log')
        while program.poll() is None and not os.path.getsize(log_path):
            time.sleep(0.01)  # its first cue says that the ports are open
        moments = {}

        def kill(played):
            if played < chance_at:
                return False
            program.send_signal(signal.SIGKILL)
            moments['kill'] = time.monotonic()
            return True

        chance_at = chance.uniform(0.05, 3.0)
        feeder.play(recording, lines, 10.0, chance.uniform(0.0, recording.end_s - 12.0), tick=kill)
        program.wait()
        for line in lines.values():
            line.close()
        journal.limber(binary, 'recover', archive)
        found = journal.sessions(archive)
        if len(found) != 1:
            return f'run {number}: {len(found)} session files after recover', 0.0
        streams, recovered = received(found[0])
        if not recovered:
            return f'run {number}: not marked as recovered', 0.0
        worst = 0.0
        for index, role in enumerate(ROLES):
            got = bytes(streams.get(index, b''))
            sent = bytes(lines[role].sent)
            if got != sent[:len(got)]:
                return f'run {number}: {role} differs from what was sent', 0.0
            lost_from = [when for when, total in lines[role].sent_at if total > len(got)]
            if lost_from:
                worst = max(worst, moments['kill'] - lost_from[0])
        if worst > MISSING_LIMIT_S:
            return f'run {number}: the last {worst:.3f} s are missing', worst
        return '', worst


def main():
    binary = sys.argv[1]
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 50
    with journal.workspace() as folder:
        archive = os.path.join(folder, 'archive')
        journal.limber(binary, 'demo', '--protocol', 'cat_cow', '--fast', '--json', '--archive',
                       archive)
        recording = feeder.Recording(journal.sessions(archive)[0], ROLES)
    with concurrent.futures.ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        results = list(pool.map(lambda number: run(binary, recording, number), range(count)))
    failures = [text for text, _ in results if text]
    for failure in failures:
        print(failure)
    print(f'{count} kills, {count - len(failures)} recovered whole, '
          f'at most {max(worst for _, worst in results):.3f} s missing')
    return 1 if failures else 0


if __name__ == '__main__':
    sys.exit(main())
