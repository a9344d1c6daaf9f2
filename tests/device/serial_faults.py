#!/usr/bin/env python3
"""Everything that goes wrong on a serial line, on the real libserialport: the unchanged program
watches live simulated sensors while their wires are cut, muted, garbled and stalled.

usage: serial_faults.py LIMBER RIG_SERIAL [--quick] [CHECKSUM_DRIVER...]
"""
import os
import re
import shutil
import signal
import sys
import time

HERE = os.path.dirname(__file__)
sys.path.insert(0, os.path.join(HERE, '..', 'support'))
sys.path.insert(0, HERE)
import journal  # noqa: E402
from serial_rig import Rig, link  # noqa: E402

RATE_HZ = 250
# Reported within 50 ms of the unplug; a machine that is busy with other tests gets as much again.
REPORT_LIMIT_S = 0.1
# Both ends of a gap are seen when the program looks: every 5 ms, late on a busy machine.
GAP_TOLERANCE_S = 0.1
# A missing port is looked for every 0.5 s and then opened.
RETURN_LIMIT_S = 1.5


def check(truth, *facts):
    if not truth:
        raise AssertionError(' '.join(map(str, facts)))


def total(rig, port):
    return rig.reports(port)[-1][1]['total']


def check_clean(rig, port, rate_hz):
    """Nothing was lost, seconds are full, bytes are those that were sent."""
    counts = total(rig, port)
    check(counts['lost'] == 0 and counts['bad'] == 0, 'port', port, counts, rig.text())
    # The first second begins while the sensor is being configured.
    rates = [report['rate_hz'] for _, report in rig.reports(port)[1:]]
    mean = sum(rates) / len(rates)
    check(abs(mean - rate_hz) < 0.02 * rate_hz, 'port', port, rates)
    check(not rig.events(port, 'silent') and not rig.events(port, 'unplugged'), rig.events(port))
    print(f'port {port}: {mean:.1f} samples/s, {counts["bytes"]} bytes, lost 0')


def check_unplugged(rig, port, away_s):
    lost = rig.events(port, 'unplugged')
    check(len(lost) == 1, 'port', port, rig.events(port), rig.text())
    late_s = lost[0][0] - rig.unplugged[port][0]
    check(late_s < REPORT_LIMIT_S, 'unplug of port', port, 'reported after', late_s)
    returned = rig.events(port, 'returned')
    check(len(returned) == 1, 'port', port, rig.events(port))
    gap_s = returned[0][1]['gap_s']
    check(away_s - GAP_TOLERANCE_S < gap_s < away_s + RETURN_LIMIT_S, gap_s, away_s)
    # The sensor's own clock went on: what it lost is exactly what the gap holds.
    lost_s = (returned[0][1]['lost'] + 1) / RATE_HZ
    check(abs(lost_s - gap_s) < GAP_TOLERANCE_S, 'lost', lost_s, 's in a gap of', gap_s)
    check(rig.reports(port)[-1][1]['state'] == 'ok', rig.reports(port)[-1])
    print(f'port {port}: unplug reported after {late_s * 1e3:.1f} ms, gap {gap_s:.3f} s, '
          f'{lost_s:.3f} s by the clock of the sensor')


def check_muted(rig, port, silences_s):
    check(len(rig.events(port, 'silent')) == len(silences_s), rig.events(port), rig.text())
    returned = [event['gap_s'] for _, event in rig.events(port, 'returned')]
    check(len(returned) == len(silences_s), returned)
    for gap_s, wanted_s in zip(returned, silences_s):
        check(abs(gap_s - wanted_s) < GAP_TOLERANCE_S, gap_s, 'for a silence of', wanted_s)
    lost_s = total(rig, port)['lost'] / RATE_HZ
    check(abs(lost_s - sum(silences_s)) < GAP_TOLERANCE_S, lost_s)
    print(f'port {port}: silences {returned} s, lost {lost_s:.3f} s')


def check_goes_on(rig, port, rate_hz, share_min):
    """Damaged bytes cost what they damage, not the sensor."""
    rates = [report['rate_hz'] for _, report in rig.reports(port)[2:]]
    share = sum(rates) / len(rates) / rate_hz
    counts = total(rig, port)
    check(share >= share_min, 'port', port, 'keeps', share, counts, rig.text())
    check(not rig.events(port, 'silent') and not rig.events(port, 'unplugged'), rig.events(port))
    print(f'port {port}: {100 * share:.1f} % of the samples, lost {counts["lost"]}, bad '
          f'{counts["bad"]}, skipped {counts["skipped"]} B')


def wires(binary, program):
    """All faults of a wire at once, each on its own port; two ports have none."""
    slow, fast = 10, 1000  # slow: one byte each ms must do
    rates = [RATE_HZ, fast, RATE_HZ, RATE_HZ, RATE_HZ, slow, slow, RATE_HZ, RATE_HZ, RATE_HZ,
             RATE_HZ, fast]
    ports = ','.join(f'xio-ximu3:{rate}' for rate in rates)
    rig = Rig(program, ports, binary, 'devices', '--watch', '--json', '--rate', RATE_HZ,
              '--seconds', 12)
    rig.wait_reports(1)
    start, descriptors = time.monotonic(), rig.descriptors()
    rig.fault(5, 'bytes')
    rig.fault(6, 'split')
    rig.fault(7, 'join')
    rig.fault(8, 'garbage', 7)
    rig.fault(9, 'inside', 5)
    rig.fault(10, 'bit', 10)
    plan = [(0.5, lambda: rig.unplug(2)), (0.7, lambda: rig.unplug(3)),
            (1.0, lambda: rig.fault(4, 'mute', 1000)), (1.5, lambda: rig.fault(11, 'stall', 450)),
            (2.5, lambda: rig.plug(2)), (2.7, lambda: rig.plug(3, 20)),
            (3.5, lambda: rig.fault(4, 'mute', 5000)), (9.7, lambda: None)]
    for when, act in plan:
        time.sleep(max(0.0, start + when - time.monotonic()))
        act()
    check(rig.descriptors() == descriptors, 'descriptors', descriptors, rig.descriptors())
    print(f'{len(rates)} sensors: {rig.cpu_s() / 11 * 100:.1f} % of a core')
    check(rig.finish() == 0, rig.text())
    check_clean(rig, 0, RATE_HZ)
    check_clean(rig, 1, fast)
    check_unplugged(rig, 2, 2.0)
    check_unplugged(rig, 3, 2.0)
    check_muted(rig, 4, [1.0, 5.0])
    check_goes_on(rig, 5, slow, 0.95)
    check_goes_on(rig, 6, slow, 0.95)
    check_goes_on(rig, 7, RATE_HZ, 0.99)
    # Without a checksum a little garbage can look like a frame and take a true one along.
    check_goes_on(rig, 8, RATE_HZ, 0.97)
    check_goes_on(rig, 9, RATE_HZ, 0.74)
    check_goes_on(rig, 10, RATE_HZ, 0.85)
    check_clean(rig, 11, fast)  # 15 kB held back, then at once


def checksum(binary, program, driver):
    """A format with a checksum: damaged frames are lost, all others are found."""
    rig = Rig(program, f'{driver}:100,{driver}:100,{driver}:100', binary, 'devices', '--watch',
              '--json', '--seconds', 6)
    rig.wait_reports(1)
    rig.fault(0, 'bit', 10)
    rig.fault(1, 'inside', 5)
    rig.fault(2, 'garbage', 9)
    check(rig.finish() == 0, rig.text())
    check_goes_on(rig, 0, 100, 0.88)
    check_goes_on(rig, 1, 100, 0.73)
    check_goes_on(rig, 2, 100, 0.99)


def missing(binary, program):
    """A sensor that is pulled out at once while it is being configured, and one that stays away:
    what it costs to wait for it."""
    rig = Rig(program, f'xio-ximu3:{RATE_HZ}', binary, 'devices', '--watch', link(0), '--driver',
              'xio-ximu3', '--json', '--rate', RATE_HZ, '--seconds', 9)
    rig.wait_for(lambda line: isinstance(line, dict), 5.0)
    rig.unplug(0)
    rig.wait_for(lambda line: isinstance(line, dict) and line.get('event') == 'unplugged')
    time.sleep(0.5)
    before, start = rig.cpu_s(), time.monotonic()
    time.sleep(3.0)
    cost = (rig.cpu_s() - before) / (time.monotonic() - start)
    # The whole idle program is counted, loop and ticks; the clock of the kernel counts 10 ms.
    check(cost < 0.01 + 0.01, 'a missing sensor costs', cost)
    check(len(rig.errors) == 0, rig.errors)
    # The first look after the return finds a port that still gives errors: tried again.
    rig.fault(0, 'ioctl', 1)
    seen = len(rig.lines)
    rig.plug(0)
    rig.wait_for(lambda line: isinstance(line, dict) and line.get('event') == 'returned', seen=seen)
    check(rig.finish() == 0, rig.text())
    check(1 <= len(rig.errors) <= 3 and 'cannot open the port' in rig.errors[0], rig.errors, rig.text())
    print(f'missing: {100 * cost:.2f} % of a core; {rig.errors[0]}')


def is_streaming(line):
    return isinstance(line, dict) and line.get('rate_hz', 0) > 0.8 * RATE_HZ


def has_terminal(process):
    """Whether a process has a pseudo-terminal open: what stands for the port."""
    folder = f'/proc/{process}/fd'
    for name in os.listdir(folder):
        try:
            if '/dev/pts' in os.readlink(os.path.join(folder, name)):
                return True
        except FileNotFoundError:
            pass
    return False


def pulled_early(binary, program):
    """Unplugged while the program opens the port and writes its first commands."""
    for delay_s in (0.0, 0.01, 0.05):
        rig = Rig(program, f'xio-ximu3:{RATE_HZ}', binary, 'devices', '--watch', link(0),
                  '--driver', 'xio-ximu3', '--json', '--seconds', 4)
        while not rig.child or not has_terminal(rig.child):
            time.sleep(0.001)
        time.sleep(delay_s)
        rig.unplug(0)
        time.sleep(0.3)
        rig.plug(0)
        while rig.process.poll() is None and not any(is_streaming(line) for _, line in rig.lines):
            time.sleep(0.01)
        goes_on = any(is_streaming(line) for _, line in rig.lines)
        code = rig.finish()
        # Refused while it is being opened for the first time: said and ended, as a wrong port is.
        check((goes_on and code == 0) or (code == 3 and 'cannot open' in rig.errors[0]), rig.text())
        check(goes_on or delay_s == 0.0, rig.text())
        print(f'pulled {delay_s * 1e3:.0f} ms after the opening: '
              f'{"goes on" if goes_on else rig.errors[0]}')


def not_there(binary, program):
    """Missing before the start: a watch waits for it, an assessment says so and ends."""
    rig = Rig(program, f'xio-ximu3:{RATE_HZ}', binary, 'devices', '--watch', '/dev/ttyACM5',
              '--driver', 'xio-ximu3', '--json', '--seconds', 5)
    while not any('/dev/ttyACM5' in line for line in rig.errors):
        time.sleep(0.01)
    rig.unplug(0)
    rig.plug(0, 5)
    rig.wait_for(is_streaming)
    check(rig.finish() == 0, rig.text())
    check(len(rig.errors) == 1, rig.errors)
    with journal.workspace() as folder:
        sensors, answers = os.path.join(folder, 's.yaml'), os.path.join(folder, 'a.yaml')
        with open(sensors, 'w') as stream:
            stream.write('sensors:\n')
            for port, role in enumerate(('sternum', 'pelvis_ventral', 'thigh_l', 'thigh_r')):
                stream.write(f'  - {{role: {role}, driver: xio-ximu3, '
                             f'port: "/dev/ttyACM{port}"}}\n')
        with open(answers, 'w') as stream:
            stream.write('all: no\npain_now: 1\npain_after: 1\n')
        live = ','.join([f'xio-ximu3:{RATE_HZ}'] * 3)
        rig = Rig(program, live, binary, 'assess', '--archive', os.path.join(folder, 'archive'),
                  '--subject', 'K7Q2M9XW4D', '--protocol', 'bridge', '--sensors', sensors,
                  '--answers', answers, '--no-align', '--json')
        code = rig.finish()
        check(code == 3 and any('ttyACM3' in line for line in rig.errors), code, rig.text())
        check(not journal.sessions(os.path.join(folder, 'archive')), 'a session without data')
    print('missing at the start: the watch waits, the assessment says which')


def undrained(binary, program):
    """A device that takes nothing: data go on, the end waits at most half a second."""
    rig = Rig(program, f'xio-ximu3:{RATE_HZ}', binary, 'devices', '--watch', '--json')
    rig.wait_reports(1)
    rig.fault(0, 'undrained', 60000)
    rig.wait_reports(3)
    check(rig.reports(0)[-1][1]['rate_hz'] > 0.9 * RATE_HZ, rig.text())
    start = time.monotonic()
    rig.signal(signal.SIGINT)
    check(rig.finish() == 0, rig.text())
    print(f'undrained: ended after {time.monotonic() - start:.2f} s')
    check(time.monotonic() - start < 3.0, 'Ctrl-C took', time.monotonic() - start)


def listed(binary, program):
    """The list, and between it and the opening the plug is pulled; probing."""
    rig = Rig(program, f'xio-ximu3:{RATE_HZ},text:100', binary, 'devices')
    check(rig.finish() == 0, rig.text())
    text = rig.text(100)
    check(link(0) in text and re.search(r'ttyACM0.*04D8:0057.*SIM0000', text), text)
    rig = Rig(program, f'xio-ximu3:{RATE_HZ}', binary, 'devices', '--probe', '/dev/ttyACM0')
    check(rig.finish() == 0, rig.text())
    check('found:  x-io x-IMU3' in rig.text(), rig.text())
    rig = Rig(program, f'xio-ximu3:{RATE_HZ}', binary, 'devices', '--probe')
    rig.unplug(0)
    code = rig.finish()
    check(code in (0, 3), code, rig.text())
    print(f'unplugged between list and opening: exit {code}, {rig.errors[:1]}')


def main():
    binary, program = sys.argv[1], sys.argv[2]
    if not shutil.which('umockdev-wrapper'):
        journal.skip('umockdev is not installed')
    listed(binary, program)
    if '--quick' not in sys.argv:
        wires(binary, program)
    missing(binary, program)
    pulled_early(binary, program)
    not_there(binary, program)
    undrained(binary, program)
    for driver in (word for word in sys.argv[3:] if not word.startswith('--')):
        checksum(binary, program, driver)
    return 0


if __name__ == '__main__':
    sys.exit(main())
