#!/usr/bin/env python3
"""The USB transport through the real libusb on simulated devices: every kind of transfer, rates
without loss, every fault, unplugging in every state.

usage: usb_rig.py CASE RIG_USB USB_CLIENT USBFS_ANSWERER
"""
import os
import re
import shutil
import subprocess
import sys
import threading
import time

HID, CDC, BULK, REQUEST = '1209:0001', '1209:0002', '1209:0003', '1209:0004'
# An unplug is reported within 50 ms (reads are 5 ms apart); a machine that is busy with other
# tests gets as much again.
REPORT_LIMIT_S = 0.1
# Closing waits for transfers that a dead device will never give back, at most 50 ms.
CLOSE_LIMIT_S = 0.2
# Presence is looked for every 0.5 s, opening takes some 20 ms.
RETURN_LIMIT_S = 1.0
SENT_MIN = 0.9  # of the reports that the time would allow: timers of a busy machine run late
ERRNO_EPROTO, ERRNO_EOVERFLOW, ERRNO_EBUSY, ERRNO_ENODEV, ERRNO_EIO = 71, 75, 16, 19, 5


class Rig:
    """The rig with its child; lines of both with the time they tell."""

    def __init__(self, models, child):
        self.lines, self.errors = [], ''
        self.process = subprocess.Popen(
            ['umockdev-wrapper', PROGRAM, models, '--', *child], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1)
        self.changed, self.ended = threading.Condition(), threading.Event()
        self.threads = [threading.Thread(target=self._read, daemon=True),
                        threading.Thread(target=self._read_errors, daemon=True)]
        for thread in self.threads:
            thread.start()

    def _read(self):
        for line in self.process.stdout:
            with self.changed:
                self.lines.append(line.rstrip('\n'))
                self.changed.notify_all()

    def _read_errors(self):
        self.errors = self.process.stderr.read()
        self.ended.set()

    def wait(self, pattern, since=0, timeout=20.0):
        """Index and match of the first line from index since on that matches."""
        end = time.monotonic() + timeout
        with self.changed:
            index = since
            while True:
                while index < len(self.lines):
                    found = re.match(pattern, self.lines[index])
                    if found:
                        return index, found
                    index += 1
                left = end - time.monotonic()
                assert left > 0, f'no line {pattern!r} in {timeout} s:\n' + self.text()
                self.changed.wait(left)

    def text(self):
        return '\n'.join(self.lines) + '\n' + self.errors

    def order(self, text):
        """@return Index of the answer and its time, ns."""
        start = len(self.lines)
        self.process.stdin.write(text + '\n')
        words = text.split()
        index, found = self.wait(rf'rig: {words[0]} {words[1]} (\d+)(.*)', start)
        assert 'no such' not in found[2] and 'unknown' not in found[2], self.lines[index]
        return index, int(found[1])

    def status(self, port=0):
        index, _ = self.order(f'status {port}')
        return {key: int(value, 16 if key in ('claimed', 'bound', 'lines') else 10)
                for key, value in re.findall(r'(\w+)=(\w+)', self.lines[index])}

    def finish(self, code=0, timeout=60):
        """Wait for the child, then end the rig. @return What the child counted."""
        _, found = self.wait(r'rig: child (\d+)', timeout=timeout)
        after = self.status()
        self.process.stdin.close()
        self.process.wait(timeout=20)
        for thread in self.threads:
            thread.join(10)
        assert int(found[1]) == code, self.text()
        counts = [line for line in self.lines if line.startswith('client: counts')]
        all_counts = [{key: int(value) for key, value in re.findall(r'(\w+)=(\d+)', line)}
                      for line in counts]
        return (all_counts[0] if all_counts else {}), after

    def stop(self):
        self.order('kill 15')
        return self.finish()


def client(seconds, protocol, address, *commands):
    return [CLIENT, 'read', str(seconds), protocol, address, *commands]


def reports_flow(rig):
    """The client's counters come at its end only; the rig's tell that it goes on."""
    before = rig.status()['sent']
    time.sleep(0.2)
    return rig.status()['sent'] > before


def check_seconds(counts, seconds, rate):
    assert counts['reports'] >= SENT_MIN * seconds * rate, counts
    assert counts['lost'] == 0 and counts['bad'] == 0, counts


# ---- each kind of transport ----

def case_kinds():
    # Report 5 is there, report 6 is not; the interface number (2) is filled in by the transport.
    rig = Rig('tiny-hid', client(1, 'hid', HID, 'a101050300002900', 'a101060300002900'))
    rig.wait(r'client: open')
    assert rig.status()['claimed'] == 0b100, 'only the interface of the reports'
    assert rig.status()['bound'] == 0xFFFF & ~0b100, 'the others keep their drivers'
    rig.wait(r'client: answer 80 a1 01 05 03 00 00 29 00 05 02')
    rig.wait(r'client: stall 80 a1 01 06 03 00 00 29 00$')
    counts, after = rig.finish()
    check_seconds(counts, 1, 250)
    assert after['claimed'] == 0 and after['bound'] == 0xFFFF, after
    assert after['urbs'] == 0, after

    rig = Rig('tiny-cdc', client(1, 'cdc', CDC, '68656c6c6f', '776f726c64'))
    rig.wait(r'client: open')
    assert rig.status()['claimed'] == 0b110, 'not the memory card'
    first, _ = rig.wait(r'client: answer 82 68 65 6c 6c 6f$')
    rig.wait(r'client: answer 82 77 6f 72 6c 64$', first)
    assert rig.status()['lines'] == 3, 'DTR and RTS'
    counts, after = rig.finish()
    check_seconds(counts, 1, 250)
    assert after['lines'] == 0, 'DTR is down again'
    assert after['claimed'] == 0 and after['bound'] == 0xFFFF, after

    rig = Rig('tiny-bulk', client(1, 'bulk', BULK, 'a8a8', '010203'))
    rig.wait(r'client: answer 82 a9 a9$')
    rig.wait(r'client: answer 82 01 02 03$')
    check_seconds(rig.finish()[0], 1, 250)

    rig = Rig('tiny-request', client(1, 'request', REQUEST, '4011000000000000',
                                     'c02c000000000200', 'c063000000000200'))
    rig.wait(r'client: answer 80 40 11 00 00 00 00 00 00$')
    rig.wait(r'client: answer 80 c0 2c 00 00 00 00 02 00 02 00$')
    rig.wait(r'client: stall 80 c0 63 00 00 00 00 02 00$')
    check_seconds(rig.finish()[0], 1, 250)

    # Without records the bytes come as they are; a request that stalls leaves no trace.
    rig = Rig('tiny-request', client(1, 'request-raw', REQUEST, '4011000000000000',
                                     'c063000000000200'))
    counts, _ = rig.finish()
    check_seconds(counts, 1, 250)
    assert counts['bytes'] == 64 * counts['reports'], counts
    rig = Rig('tiny-cdc', client(1, 'cdc-raw', CDC))
    counts, _ = rig.finish()
    check_seconds(counts, 1, 250)
    assert counts['bytes'] == 64 * counts['reports'], counts


def case_list():
    rig = Rig('tiny-hid,tiny-cdc,tiny-bulk,tiny-request,tiny-request', [CLIENT, 'list'])
    rig.finish()
    devices = [line.split(' ', 2)[2].split('|') for line in rig.lines if ' device ' in line]
    maker = 'Limber tests'
    assert devices == [
        [HID, '1-1', maker, 'Tiny controller', '', '1'],
        [CDC + ':TINY-2', '1-2', maker, 'Tiny line', 'TINY-2', '1'],
        [BULK, '1-3', maker, 'Tiny converter', 'TINY 3 (spaces)', '1'],
        [REQUEST + '@1-4', '1-4', maker, 'Tiny scanner', 'TINY-4', '1'],
        [REQUEST + '@1-5', '1-5', maker, 'Tiny scanner', 'TINY-4', '1'],
    ], devices
    for address, is_there in ((CDC + ':TINY-2', 1), (CDC + ':TINY-3', 0), (CDC + '@1-1', 1),
                              (CDC + '@1-2', 0), ('1209:0009', 0)):
        rig = Rig('tiny-cdc', [CLIENT, 'present', address])
        rig.finish()
        assert f'client: present {is_there}' in rig.lines, (address, rig.lines)


# ---- rates ----

def case_rate():
    for model, protocol, address in (('tiny-hid', 'hid', HID), ('tiny-cdc', 'cdc-raw', CDC)):
        counts, after = Rig(f'{model}:250', client(4, protocol, address)).finish()
        print(f'{model}: {counts["reports"]} reports in 4 s, lost {counts["lost"]}, '
              f'late {after["late"]}, processor {counts["cpu_us"] / 4e4:.1f} %')
        check_seconds(counts, 4, 250)
        assert after['late'] == 0 and after['lost'] == 0, after


def case_fast():
    environment = ['env', 'RIG_MODEL=tiny-hid', 'RIG_RATE_HZ=4000',
                   f'LD_PRELOAD={ANSWERER}:libumockdev-preload.so.0']
    rig = Rig('tiny-hid:1', environment + client(5, 'fast', HID))
    counts, _ = rig.finish()
    _, fast = rig.wait(r'rig: fast sent=(\d+) late=(\d+) lost=(\d+)')
    print(f'{counts["reports"]} reports in 5 s, lost {counts["lost"]}, late {fast[2]}, '
          f'processor {counts["cpu_us"] / 5e4:.1f} % with the device itself')
    check_seconds(counts, 5, 4000)
    assert fast[2] == '0' and fast[3] == '0', fast[0]


def case_slow():
    """A program that falls behind: the device is held back, what is read stays whole."""
    environment = ['env', 'RIG_MODEL=tiny-hid', 'RIG_RATE_HZ=4000',
                   f'LD_PRELOAD={ANSWERER}:libumockdev-preload.so.0']
    rig = Rig('tiny-hid:1', environment + client(3, 'slow', HID))
    counts, _ = rig.finish()
    _, fast = rig.wait(r'rig: fast sent=(\d+) late=(\d+) lost=(\d+)')
    print(f'{counts}, late {fast[2]}')
    assert int(fast[2]) > 5000, fast[0]
    assert counts['bad'] == 0 and counts['opens'] == 1, counts
    # 64 bytes each 5 ms, 69 bytes a record.
    assert counts['reports'] >= SENT_MIN * 3 * 200 * 64 / 69, counts
    # Once when it begins, once with the count at the end.
    assert rig.errors.count('read too slowly') == 2 and rig.errors.count('\n') == 2, rig.errors


# ---- unplugging ----

def unplug_and_return(rig, order, settle=None):
    """@return Seconds until it was reported, closed, open again."""
    if settle:
        settle(rig)
    index = len(rig.lines)  # the client may be faster than the rig's answer
    _, unplugged = rig.order(f'{order} 0')
    gone = int(rig.wait(r'client: gone (\d+)', index)[1][1])
    closed_at, found = rig.wait(r'client: closed (\d+)', index)
    closed = int(found[1])
    _, plugged = rig.order('plug 0')
    opened = int(rig.wait(r'client: open (\d+)', closed_at)[1][1])
    times = ((gone - unplugged) * 1e-9, (closed - gone) * 1e-9, (opened - plugged) * 1e-9)
    assert times[0] <= REPORT_LIMIT_S, (order, times, rig.text())
    assert times[1] <= CLOSE_LIMIT_S, (order, times, rig.text())
    assert times[2] <= RETURN_LIMIT_S, (order, times, rig.text())
    return times


def case_unplug():
    def nothing(rig):
        assert reports_flow(rig)

    states = {
        'reading': ('tiny-hid', 'hid', HID, (), nothing),
        'silence': ('tiny-hid', 'hid', HID, (), lambda rig: rig.order('silence 0 1')),
        'halted': ('tiny-hid', 'hid', HID, (),
                   lambda rig: (rig.order('stubborn 0 1'), rig.order('stall 0'))),
        'failing': ('tiny-hid', 'hid', HID, (),
                    lambda rig: rig.order(f'error 0 {ERRNO_EPROTO} 3')),
        'held': ('tiny-hid', 'hid', HID, (), lambda rig: rig.order('hold 0 1')),
        'line': ('tiny-cdc', 'cdc', CDC, (), nothing),
        'writing': ('tiny-bulk', 'bulk', BULK, ('a8a8', '0102', '0304'), nothing),
        'requesting': ('tiny-request', 'request', REQUEST, ('4011000000000000',), nothing),
    }
    for state, (model, protocol, address, commands, settle) in states.items():
        for order in ('unplug', 'unplug-silent', 'unplug-left', 'unplug-hangup'):
            rig = Rig(model, client(30, protocol, address, *commands))
            rig.wait(r'client: open')
            time.sleep(0.1)
            times = unplug_and_return(rig, order, settle)
            assert reports_flow(rig), rig.text()
            counts, after = rig.stop()
            print(f'{state}, {order}: reported after {times[0] * 1e3:.0f} ms, closed in '
                  f'{times[1] * 1e3:.0f} ms, open {times[2]:.2f} s after the return')
            assert counts['opens'] == 2 and counts['lost'] == 0, (state, counts)
            assert after['bound'] == 0xFFFF and after['urbs'] == 0, (state, after)


def case_unplug_deaf():
    """A device that takes no command when it is pulled out, and when it is let go."""
    rig = Rig('tiny-bulk', client(30, 'bulk', BULK, 'a8a8', '0102'))
    rig.wait(r'client: open')
    rig.order('unplug 0')
    rig.wait(r'client: closed')
    index, _ = rig.order('plug 0')
    rig.order('deaf 0 1')
    rig.wait(r'client: open', index)
    unplug_and_return(rig, 'unplug-silent')
    rig.order('deaf 0 1')
    rig.order('kill 15')
    closing, found = rig.wait(r'client: closing (\d+)')
    end = int(rig.wait(r'client: end (\d+)', closing)[1][1])
    # 200 ms for the commands, then they are taken back.
    assert (end - int(found[1])) * 1e-9 < 0.5, rig.text()
    rig.finish()


def case_cycles():
    rig = Rig('tiny-hid', client(60, 'hid', HID))
    rig.wait(r'client: open')
    start = int(re.search(r'descriptors (\d+)', rig.lines[0])[1])
    slowest = 0.0
    for cycle in range(20):
        times = unplug_and_return(rig, 'unplug-silent' if cycle % 2 else 'unplug')
        slowest = max(slowest, times[0])
    counts, _ = rig.stop()
    closed = [int(found[1]) for line in rig.lines
              for found in [re.match(r'client: (?:closed|end) \d+ descriptors (\d+)', line)] if found]
    print(f'20 cycles: reported after {slowest * 1e3:.0f} ms at most, descriptors {closed}')
    assert len(closed) == 21 and set(closed) == {start}, (start, closed)
    assert counts['opens'] == 21, counts


def case_missing():
    """What a missing device costs; what the one beside it notices."""
    both = (f'{CLIENT} read 6 hid {HID} & {CLIENT} read 6 cdc-raw {CDC} & wait')
    rig = Rig('tiny-hid,tiny-cdc', ['sh', '-c', both])
    index, _ = rig.wait(r'client: open')
    rig.wait(r'client: open', index + 1)
    time.sleep(0.5)
    rig.order('unplug 0')
    rig.wait(r'client: gone')
    rig.wait(r'rig: child')
    status = rig.status(1)
    rig.finish()
    counts = [{key: int(value) for key, value in re.findall(r'(\w+)=(\d+)', line)}
              for line in rig.lines if line.startswith('client: counts')]
    missing, other = sorted(counts, key=lambda count: count['reports'])
    share = missing['away_cpu_us'] / missing['away_us']
    print(f'missing for {missing["away_us"] / 1e6:.1f} s: {share * 100:.2f} % of a core; the '
          f'other lost {other["lost"]} of {other["reports"]}')
    assert missing['away_us'] > 4e6 and share < 0.01, missing
    check_seconds(other, 6, 250)
    assert status['late'] == 0, status


# Of every driver that speaks USB: its model and itself, over the real libusb.
DRIVERS = {'sony-dualsense': '054C:0CE6', 'sony-dualshock4': '054C:05C4',
           'labjack-u3': '0CD5:0003', 'mcc-usb1208fs-plus': '09DB:00E8',
           'xio-ximu3': '04D8:0057', 'xsens-mti': '2639:0003'}
# The x-IMU3 is told another rate while it streams: the step between the two counts as one.
LOST_AT_START = {'xio-ximu3': 1}


def case_drivers():
    checked = 0
    for driver, address in DRIVERS.items():
        rig = Rig(driver, client(3, driver, address))
        rig.ended.wait(1.0)
        if 'no model' in rig.errors:
            print(f'{driver}: its model has no USB face')
            continue
        counts, after = rig.finish()
        identity = [line for line in rig.lines if line.startswith('client: identity')]
        print(f'{driver}: {counts["reports"]} samples in 3 s, lost {counts["lost"]}, '
              f'{identity[0] if identity else "nameless"}')
        assert counts['reports'] > 100 and counts['bad'] == 0, (driver, counts)
        assert counts['lost'] <= LOST_AT_START.get(driver, 0), (driver, counts)
        assert after['late'] == 0 and after['bound'] == 0xFFFF, (driver, after)
        checked += 1
    if checked == 0:
        print('skipped: no model has a USB face')
        sys.exit(77)


def case_open():
    """Pulled out before it is opened, and between being listed and being opened."""
    rig = Rig('tiny-hid', ['sh', '-c', f'sleep 0.5; exec {" ".join(client(1, "hid", HID))}'])
    rig.order('unplug 0')
    rig.finish(code=3)
    assert f'usb:{HID}: not plugged in' in rig.errors, rig.errors
    rig = Rig('tiny-hid', ['sh', '-c', f'sleep 0.5; exec {" ".join(client(1, "hid", HID))}'])
    rig.order('node-gone 0')
    rig.finish(code=3)
    assert f'usb:{HID}: cannot open it' in rig.errors and rig.errors.count('\n') == 1, rig.errors


# ---- faults ----

def started(model='tiny-hid', protocol='hid', address=HID):
    rig = Rig(model, client(60, protocol, address))
    rig.wait(r'client: open')
    time.sleep(0.2)
    return rig


def case_faults():
    rig = started()
    rig.order('stall 0')
    rig.wait(r'client: stall 84$')
    assert reports_flow(rig)
    rig.order(f'error 0 {ERRNO_EPROTO} 3')
    time.sleep(0.2)
    rig.order(f'error 0 {ERRNO_EOVERFLOW} 3')
    time.sleep(0.2)
    rig.order('empty 0 4')
    rig.order('short 0 5')
    time.sleep(0.3)
    assert reports_flow(rig)
    counts, after = rig.stop()
    print(f'stall, 3 EPROTO, 3 EOVERFLOW, 4 empty, 5 short: {counts}')
    assert counts['opens'] == 1, counts
    assert counts['stalls'] == 1 and counts['overflows'] == 3 and counts['short'] == 5, counts
    # Each spoiled report is one that is missing, and no other is.
    assert counts['lost'] == 3 + 3 + 4 + 5 and counts['bad'] == 0, counts
    assert after['late'] == 0, after

    # The same without records: half reports are bytes that fit nowhere, the rest is found again.
    rig = started(protocol='hid-raw')
    rig.order('stall 0')
    rig.order(f'error 0 {ERRNO_EIO} 2')
    rig.order('short 0 1')
    time.sleep(0.3)
    counts, _ = rig.stop()
    assert counts['opens'] == 1 and counts['lost'] == 3 and counts['bad'] == 32, counts


def case_silence():
    for seconds in (1, 5):
        rig = started()
        rig.order('silence 0 1')
        time.sleep(seconds)
        rig.order('silence 0 0')
        assert reports_flow(rig)
        counts, _ = rig.stop()
        # Silence is no unplugging, and what was never measured is not lost on the way.
        assert counts['opens'] == 1 and counts['lost'] == 0, (seconds, counts)
    # 250 reports of 64 bytes at once: 16 kB.
    rig = started()
    rig.order('hold 0 1')
    time.sleep(1.05)
    rig.order('hold 0 0')
    time.sleep(0.2)
    counts, after = rig.stop()
    print(f'16 kB after a second: {counts}, {after}')
    assert counts['opens'] == 1 and counts['bad'] == 0, counts
    assert counts['lost'] == 0 and after['late'] == 0, (counts, after)


def storm(order, limit_s):
    """A fault that never ends: taken for unplugged, without a busy processor.
    @return Seconds until then."""
    rig = started()
    index = len(rig.lines)
    _, begun = rig.order(order)
    gone = (int(rig.wait(r'client: gone (\d+)', index)[1][1]) - begun) * 1e-9
    assert gone <= limit_s, (order, gone)
    time.sleep(2.0)
    counts, _ = rig.stop()
    seconds = (int(rig.wait(r'client: end (\d+)')[1][1]) - begun) * 1e-9
    share = counts['cpu_us'] * 1e-6 / seconds
    # Reading 250 reports a second costs some 8 % through the rig; an endless loop would cost 100 %.
    print(f'{order}: gone after {gone:.3f} s, processor {share * 100:.0f} %')
    assert share < 0.5, (order, share)
    return rig


def case_storm():
    rig = storm(f'error 0 {ERRNO_EPROTO} -1', 0.5)
    assert 'taken for unplugged' in rig.errors, rig.errors
    storm(f'error 0 {ERRNO_EIO} -1', 0.5)
    # A halt that comes back is given half a second of patience: a command may end it. Each
    # round is some 70 calls through the rig, so that it takes longer here.
    rig = started()
    rig.order('stubborn 0 1')
    rig.order('stall 0')
    rig.wait(r'client: gone (\d+)', timeout=15)
    rig.order('stubborn 0 0')
    rig.stop()


# ---- refused ----

def refused(rig, text, code=3):
    rig.finish(code=code)
    print(rig.errors.strip())
    assert text in rig.errors, rig.errors
    assert rig.errors.count('\n') == 1, f'one line, not more:\n{rig.errors}'


def case_refused():
    def late(*arguments):
        return ['sh', '-c', f'sleep 0.5; exec {" ".join(client(*arguments))}']

    rig = Rig('tiny-hid', late(1, 'hid', HID))
    rig.order(f'claim 0 {ERRNO_EBUSY}')
    refused(rig, f'usb:{HID}: another program uses it; close that program')
    rig = Rig('tiny-hid', late(1, 'hid', HID))
    rig.order(f'claim 0 {ERRNO_ENODEV}')
    refused(rig, f'usb:{HID}: cannot take its interface')
    refused(Rig('tiny-hid', client(1, 'hid', '1209:0009')), 'not plugged in')
    refused(Rig('tiny-hid', client(1, 'hid', 'controller')), 'not an address')
    refused(Rig('tiny-hid', client(1, 'request', HID)), 'no interface of the kind')
    refused(Rig('tiny-request,tiny-request', client(1, 'request', REQUEST)),
            f'write usb:{REQUEST}@1-1 or usb:{REQUEST}@1-2')
    if os.geteuid() != 0 or shutil.which('setpriv'):
        nobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups']
        prefix = ' '.join(nobody) + ' ' if os.geteuid() == 0 else ''
        rig = Rig('tiny-hid', ['sh', '-c', 'sleep 0.5; exec ' + prefix
                               + ' '.join(client(1, 'hid', HID))])
        rig.order('node-closed 0')
        refused(rig, 'no permission for /dev/bus/usb/001/005; ')
        assert re.search(r'udev|group', rig.errors), rig.errors
    # Two of a kind, told apart.
    rig = Rig('tiny-request,tiny-request', client(1, 'request', REQUEST + '@1-2',
                                                  '4011000000000000'))
    check_seconds(rig.finish()[0], 1, 250)


def main():
    global PROGRAM, CLIENT, ANSWERER
    case, PROGRAM, CLIENT, ANSWERER = sys.argv[1:5]
    if not shutil.which('umockdev-wrapper'):
        print('skipped: umockdev is not installed')
        return 77
    globals()['case_' + case]()
    return 0


if __name__ == '__main__':
    sys.exit(main())
