#!/usr/bin/env python3
"""A peer that is not ours: StandardFirmata as its authors built it, run by an emulated processor,
against the unchanged program. Content is checked, not time: the emulator is slow.

usage: firmata_board.py LIMBER RIG_AVR WORK_FOLDER
"""
import json
import os
import re
import subprocess
import sys
import tarfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'support'))
import journal  # noqa: E402

# Carries ready firmware of many boards (MIT; the firmware itself LGPL-2.1): installed for the
# test, never part of the tree.
PACKAGE, HEX = 'avrgirl-arduino@5.0.1', 'package/junk/hex'
SUPPLY_MV, STEPS = 5000, 1023


def firmware(folder, board):
    """Fetched without the packages that it depends on: only the firmware in it is used."""
    member = f'{HEX}/{board}/StandardFirmata.cpp.hex'
    path = os.path.join(folder, member)
    if not os.path.exists(path):
        os.makedirs(folder, exist_ok=True)
        try:
            name = run('npm', 'pack', '--silent', '--pack-destination', folder, PACKAGE,
                       seconds=120).stdout.split()[-1]
            with tarfile.open(os.path.join(folder, name)) as package:
                package.extract(member, folder)
        except (OSError, IndexError, subprocess.SubprocessError, tarfile.TarError, KeyError):
            journal.skip('npm cannot fetch the firmware; is there a network?')
    return path


def expected_count(channel):
    """What rig_avr puts on the inputs; A0 moves by 400 mV either way."""
    return (500 + 400 * channel % 4400) * 1024 / SUPPLY_MV


class Board:
    def __init__(self, rig, path, mcu, seconds):
        self.process = subprocess.Popen([rig, path, mcu, str(seconds)], stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True)
        self.port = self.process.stdout.readline().strip()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def run(*command, seconds=60):
    return subprocess.run(command, capture_output=True, text=True, timeout=seconds)


def probe(limber, board):
    """The banner of a board that boots, or the answer to the question, names it."""
    for _ in range(3):
        found = json.loads(run(limber, 'devices', '--probe', board.port, '--driver',
                               'arduino-firmata', '--json').stdout)['ports'][0]['probe']
        if found['identity']:
            return found['identity']
        time.sleep(1.0)
    return None


def record(limber, folder, port):
    """Channels as an assessment records them; nobody wears anything, so it is stopped."""
    sensors = os.path.join(folder, 'sensors.yaml')
    with open(sensors, 'w') as stream:
        stream.write('sensors:\n  - {role: flex_lumbar, driver: arduino-firmata, '
                     f'port: {port}, channel: A0}}\n')
    watched = run(limber, 'devices', '--watch', '--sensors', sensors, '--seconds', '8', '--json')
    reports = [json.loads(line) for line in watched.stdout.splitlines()]
    return [item for item in reports if 'total' in item], watched.stderr


def bytes_of(port):
    """Reads what the board still sends, then switches one channel on and listens."""
    descriptor = os.open(port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    os.write(descriptor, bytes([0xF9, 0xF0, 0x79, 0xF7, 0xF0, 0x6B, 0xF7, 0xF0, 0x69, 0xF7]))
    data, end = b'', time.monotonic() + 6.0
    is_on = False
    while time.monotonic() < end:
        if not is_on and time.monotonic() > end - 4.0:
            is_on = True
            os.write(descriptor, b''.join(bytes([0xF4, 14 + channel, 2, 0xC0 | channel, 1])
                                          for channel in range(6)))
        try:
            data += os.read(descriptor, 4096)
        except BlockingIOError:
            time.sleep(0.01)
    os.close(descriptor)
    return data


def values_check(limber, folder, data):
    capture, table = os.path.join(folder, 'board.bin'), os.path.join(folder, 'board.csv')
    with open(capture, 'wb') as stream:
        stream.write(data)
    decoded = run(limber, 'decode', '--driver', 'arduino-firmata', capture, '-o', table)
    assert decoded.returncode == 0, decoded.stderr
    assert re.search(r'lost samples 0 ', decoded.stderr), decoded.stderr
    with open(table) as stream:
        titles = stream.readline().strip().split(',')
        rows = [dict(zip(titles, line.strip().split(','))) for line in stream]
    scans = [row for row in rows if row['stream'] == 'analog']
    assert len(scans) > 20, f'{len(scans)} scans of {len(rows)} rows'
    for row in scans:
        for channel in range(1, 6):
            count = float(row[f'analog_{channel}_count'])
            # One step of the converter, and one for its rounding.
            assert abs(count - expected_count(channel)) <= 2.0, (channel, row)
    first = [float(row['analog_0_count']) for row in scans]
    assert max(first) - min(first) > 20.0, 'A0 should move'
    assert expected_count(0) - 84 <= min(first) and max(first) <= expected_count(0) + 84
    return len(scans)


def main():
    limber, rig, folder = sys.argv[1:4]
    with journal.workspace() as work:
        with Board(rig, firmware(folder, 'uno'), 'atmega328p', 120) as board:
            identity = probe(limber, board)
            assert identity and identity.startswith('StandardFirmata'), identity
            reports, errors = record(limber, work, board.port)
            assert reports, errors
            total = reports[-1]['total']
            # A port that was closed while the board went on gives the rest of a scan first.
            assert total['samples'] > 40 and total['bad'] == 0 and total['lost'] <= 2, total
            scans = values_check(limber, work, bytes_of(board.port))
            print(f'{identity}: {total["samples"]} scans watched, none lost; {scans} scans with '
                  'every input at its voltage')
    return 0


if __name__ == '__main__':
    sys.exit(main())
