#!/usr/bin/env python3
"""The unchanged program on simulated USB devices through the real libusb: what it lists, asks,
watches and restores, and a whole assessment in which a sensor is pulled out of a hold.

usage: usb_product.py CASE LIMBER RIG_USB USBFS_ANSWERER
"""
import json
import os
import re
import shutil
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import feeder  # noqa: E402
import journal  # noqa: E402
import usb_rig  # noqa: E402


class Device:
    def __init__(self, model, port, maker, product, identity, rate_hz=None, number=''):
        self.driver = model.split(':')[0]
        self.model, self.port, self.maker, self.product = model, port, maker, product
        self.identity, self.rate_hz, self.number = identity, rate_hz, number


# Rates other than those that the devices have when they are found; gamepads have one alone.
DEVICES = (
    Device('sony-dualsense:0:7', 'usb:054C:0CE6', 'Sony Interactive Entertainment',
           'DualSense Wireless Controller', r'DualSense, firmware of Mar  7 2023'),
    Device('sony-dualshock4:0:8', 'usb:054C:05C4', 'Sony Computer Entertainment',
           'Wireless Controller', r'DualShock 4, firmware of Mar  7 2023'),
    Device('labjack-u3:0:330001234', 'usb:0CD5:0003', 'LabJack Corporation', 'LabJack U3',
           r'LabJack U3-HV 330001234, firmware 1\.46', 200),
    Device('xio-ximu3:0:0x51D00042', 'usb:04D8:0057', 'x-io Technologies', 'x-IMU3',
           r'x-IMU3 51D00042', 200),
    Device('xsens-mti', 'usb:2639:0003:03600001', 'Xsens', 'MTi-30 AHRS', None, 200, '03600001'),
    Device('mcc-usb1208fs-plus:0:1234567', 'usb:09DB:00E8', 'Measurement Computing Corp.',
           'USB-1208FS-Plus', r'MCC USB-1208FS-Plus 01234567', 200),
)
MODELS = ','.join(device.model for device in DEVICES)
DEFAULT_HZ = 250
WATCH_S = 5
TRY_COUNT = 3
# Periods of a second are ended by a timer of a busy machine.
RATE_SHARE = 0.03
# The x-IMU3 streams at 50 Hz while it is asked: until it says so, each step counts as three samples
# lost at the 200 Hz that were wanted.
LOST_AT_START = {'xio-ximu3': 15}


class Product(usb_rig.Rig):
    """The program on the rig; what it prints is between the lines of the rig."""

    def __init__(self, models, *arguments, environment=()):
        super().__init__(models, [*environment, BINARY, *arguments])

    def output(self):
        return '\n'.join(line for line in self.lines if not line.startswith('rig:'))

    def objects(self):
        """Lines of --watch --json."""
        return [json.loads(line) for line in self.lines if line.startswith('{')]

    def ask(self, port, command):
        """@return What the device itself answers, None = refused."""
        index, _ = self.order(f'ask {port} {bytes(command).hex()}')
        found = re.search(r'reply=(\w*)', self.lines[index])
        return bytes.fromhex(found[1]) if found else None

    def child_wait(self, code=0):
        _, found = self.wait(r'rig: child (\d+)', timeout=90)
        assert int(found[1]) == code, self.text()


# ---- what the devices themselves say about their settings ----

XIMU3_KEYS = ('binary_mode_enabled', 'usb_data_messages_enabled', 'serial_mode',
              'inertial_message_rate_divisor', 'magnetometer_message_rate_divisor',
              'ahrs_message_rate_divisor', 'high_g_accelerometer_message_rate_divisor',
              'temperature_message_rate_divisor', 'battery_message_rate_divisor')


def ximu3_settings(rig, port):
    return [rig.ask(port, f'{{"{key}":null}}\n'.encode()) for key in XIMU3_KEYS]


def xsens_settings(rig, port):
    """The output configuration, for which it must stop measuring for a moment."""
    assert rig.ask(port, bytes.fromhex('faff3000d1')) == bytes.fromhex('faff3100d0')
    outputs = rig.ask(port, bytes.fromhex('faffc00041'))
    assert rig.ask(port, bytes.fromhex('faff1000f1')) == bytes.fromhex('faff1100f0')
    return outputs


def labjack_sealed(body):
    def fold(value):
        value = value // 256 + value % 256
        return value // 256 + value % 256
    total = sum(body[3:])
    packet = [body[0], body[1], body[2], total % 256, total // 256, *body[3:]]
    return [fold(sum(packet)), *packet]


def labjack_settings(rig, port):
    """ConfigIO without a write: timers, which lines are analog."""
    return rig.ask(port, labjack_sealed([0xF8, 3, 0x0B, 0, 0, 0, 0, 0, 0]))


def mcc_settings(rig, port):
    return rig.ask(port, bytes.fromhex('c014000000000800'))


SETTINGS = {'xio-ximu3': ximu3_settings, 'xsens-mti': xsens_settings,
            'labjack-u3': labjack_settings, 'mcc-usb1208fs-plus': mcc_settings}
LABJACK_NOT_RUNNING = 52


def settings_of(rig, port, device):
    read = SETTINGS.get(device.driver)
    return read(rig, port) if read else None


def check_stopped(rig, port, device):
    """Those that measure only when told have stopped."""
    if device.driver == 'labjack-u3':
        assert rig.ask(port, [0xB0, 0xB0])[1:3] == bytes([0xB1, LABJACK_NOT_RUNNING])
    elif device.driver == 'mcc-usb1208fs-plus':
        assert rig.ask(port, bytes.fromhex('c044000000000200')) == b'\0\0'
    else:
        return
    before = rig.status(port)['sent']
    time.sleep(0.1)
    assert rig.status(port)['sent'] == before, device.driver


# ---- listing and asking ----

def case_list():
    rig = Product(MODELS + ',sony-dualsense:0:9', 'devices', '--json')
    rig.finish()
    ports = json.loads(rig.output())['ports']
    assert len(ports) == len(DEVICES) + 1, rig.output()
    # Two of a kind without serial numbers are told apart by where they are plugged in.
    wanted = ['usb:054C:0CE6@1-1'] + [device.port for device in DEVICES[1:]] + ['usb:054C:0CE6@1-7']
    assert [port['port'] for port in ports] == wanted, ports
    for port, device in zip(ports, DEVICES):
        assert (port['maker'], port['description'], port['serial_number'], port['driver'],
                port['drivers'], port['problem'], port['kind']) == \
               (device.maker, device.product, device.number, device.driver, [device.driver], None,
                'usb'), port
    rig = Product(MODELS + ',sony-dualsense:0:9', 'devices', '--watch', wanted[-1], '--seconds', '1.5',
                  '--json')
    rig.wait(r'\{')
    assert rig.status(6)['claimed'] != 0 and rig.status(0)['claimed'] == 0
    rig.child_wait()
    rig.finish()


def case_probe():
    rig = Product(MODELS, 'devices', '--probe', '--json')
    before = [settings_of(rig, port, device) for port, device in enumerate(DEVICES)]
    rig.child_wait()
    after = [settings_of(rig, port, device) for port, device in enumerate(DEVICES)]
    assert before == after, (before, after)
    states = [rig.status(port) for port in range(len(DEVICES))]
    assert all(state['bound'] == 0xFFFF and state['claimed'] == 0 for state in states), states
    rig.finish()
    for port, device in zip(json.loads(rig.output())['ports'], DEVICES):
        probe = port['probe']
        print(f'{port["port"]}: {probe["identity"]}, {probe["rate_hz"]:.0f} samples/s')
        assert probe['was_opened'] and probe['driver'] == device.driver, port
        if device.identity:
            assert re.fullmatch(device.identity, probe['identity'] or ''), port
    assert not rig.errors, rig.errors


# ---- watching ----

def watch(rig, driver):
    """@return Last report, rate over all but the first second, events."""
    objects = rig.objects()
    reports = [one for one in objects if 'rate_hz' in one]
    events = [one for one in objects if 'event' in one and one['event'] != 'plugged in']
    assert len(reports) >= 3, (driver, rig.text())
    rates = [one['rate_hz'] for one in reports[1:]]
    return reports[-1], sum(rates) / len(rates), events


def watched(device, *options, environment=(), model=None):
    return Product(model or device.model, 'devices', '--watch', device.port, '--driver',
                   device.driver, '--seconds', str(WATCH_S), '--json', *options,
                   environment=environment)


def watch_check(device):
    options = ['--rate', str(device.rate_hz)] if device.rate_hz else []
    rig = watched(device, *options)
    before = settings_of(rig, 0, device)
    rig.child_wait()
    after, state = settings_of(rig, 0, device), rig.status()
    check_stopped(rig, 0, device)
    rig.finish()
    last, rate_hz, events = watch(rig, device.driver)
    print(f'{device.driver}: {rate_hz:.1f} Hz, {last["total"]}, jitter {last["jitter_ms"]:.1f} ms, '
          f'rig late {state["late"]}')
    assert before == after, (device.driver, before, after)
    assert state['bound'] == 0xFFFF and state['claimed'] == 0 and state['urbs'] == 0, state
    assert last['total']['bad'] == 0 and last['total']['skipped'] == 0, last
    assert last['total']['restarts'] == 0, last
    assert not [event for event in events if event['event'] == 'notice'], events
    if state['late'] > 0:
        return False
    wanted_hz = device.rate_hz or DEFAULT_HZ
    assert abs(rate_hz / wanted_hz - 1) <= RATE_SHARE, (device.driver, rate_hz)
    assert last['total']['lost'] <= LOST_AT_START.get(device.driver, 0), last
    assert last['lost'] == 0, last
    assert not events and not rig.errors, (device.driver, events, rig.errors)
    return True


def case_watch():
    for device in DEVICES:
        # Where the machine kept both from running for long, only another try tells of losses.
        assert any(watch_check(device) for _ in range(TRY_COUNT)), device.driver


def fast_environment(model, rate_hz, serial):
    return ['env', f'RIG_MODEL={model}', f'RIG_RATE_HZ={rate_hz}', f'RIG_SERIAL={serial}',
            f'LD_PRELOAD={ANSWERER}:libumockdev-preload.so.0']


def case_fast():
    """4000 a second with the device inside the process: a gamepad that is forced to it, a LabJack
    that is told to."""
    for device, forced_hz, options in ((DEVICES[0], 4000, ()),
                                       (DEVICES[2], 0, ('--rate', '4000'))):
        rig = watched(device, *options, model=device.driver + ':1',
                      environment=fast_environment(device.driver, forced_hz, 7))
        rig.finish()
        last, rate_hz, events = watch(rig, device.driver)
        _, fast = rig.wait(r'rig: fast sent=(\d+) late=(\d+) lost=(\d+)')
        print(f'{device.driver}: {rate_hz:.0f} Hz, {last["total"]}, {fast[0]}')
        assert abs(rate_hz / 4000 - 1) <= RATE_SHARE, rate_hz
        assert last['total']['lost'] == 0 and last['total']['bad'] == 0, last
        assert not events and not rig.errors, (events, rig.errors)
        assert fast[2] == '0' and fast[3] == '0', fast[0]


# ---- devices whose host is too slow ----

# The fourth digit from the right: the model's host falls behind every 1000 scans until 37 are lost.
SLOW_LABJACK, STALL_SCANS = 'labjack-u3:0:320009000', 1000
# Of 4 inputs each packet has 6 scans. 512 samples wait; with the 37th lost scan the first packet
# leaves, one more with each scan until fewer than 24 samples are left after 21; the scan after that is
# the dummy, which stands for all and counts as one of them.
STALL_LOST = 37 + 21
SLOW_MCC = 'mcc-usb1208fs-plus:0:9000'


def case_overflow():
    device = DEVICES[2]
    rig = watched(device, '--rate', '1000', model=SLOW_LABJACK)
    rig.finish()
    last, _, events = watch(rig, device.driver)
    lost = [one['total']['lost'] for one in rig.objects() if 'rate_hz' in one]
    print(f'{device.driver}: lost {lost}, {len(events)} notices')
    assert lost[-1] >= 3 * STALL_LOST, lost
    assert all(count % STALL_LOST == 0 for count in lost), lost
    assert len(events) - lost[-1] / STALL_LOST in (0, 1), (lost, events)
    assert all(event['event'] == 'notice' and 'buffer is full' in event['text'] for event in events)
    assert last['state'] == 'ok' and last['total']['bad'] == 0 and last['total']['restarts'] == 0, last

    # The MCC stops when its buffer runs over and says no more than that: a restart. On a busy machine
    # it may be silent for half a second then, which is told, too.
    device = DEVICES[5]
    rig = watched(device, '--rate', '1000', model=SLOW_MCC)
    rig.finish()
    last, _, events = watch(rig, device.driver)
    notices = [event['text'] for event in events if event['event'] == 'notice']
    print(f'{device.driver}: {last["total"]}, {len(notices)} notices')
    restarts = last['total']['restarts']
    assert restarts >= 2 and len(notices) - restarts in (0, 1), (last, events)
    assert all('ran over' in notice for notice in notices), notices
    assert last['total']['lost'] == 0 and last['total']['samples'] >= restarts * STALL_SCANS * 0.9, last


# ---- an assessment ----

# Every sensor of the set is another device.
WORN = (('sternum', DEVICES[3], 'rate_hz: 100'), ('pelvis_ventral', DEVICES[0], 'rate_hz: 250'),
        ('thigh_l', DEVICES[1], 'rate_hz: 250'), ('thigh_r', DEVICES[4], 'rate_hz: 100'))
PULLED = 1  # the DualSense
AWAY_S = 1.5
TICK_S = 0.02  # the runner looks so often
LOW_DEG = -30
MOVE_MS = 1500
# Factory scales are off the nominal ones by up to 5 %; what the model rounds to counts by 1e-4.
GRAVITY_LIMIT = 2e-3


def assess_start(folder):
    path = os.path.join(folder, 'sensors.yaml')
    with open(path, 'w') as stream:
        stream.write('sensors:\n')
        for role, device, rest in WORN:
            stream.write(f'  - {{role: {role}, driver: {device.driver}, port: "{device.port}", {rest}}}\n')
    answers = feeder.answers_yaml(os.path.join(folder, 'answers.yaml'))
    return Product(','.join(device.model for _, device, _ in WORN), 'assess', '--archive',
                   os.path.join(folder, 'archive'), '--subject', 'USB1', '--protocol', 'bridge',
                   '--sensors', path, '--answers', answers, '--no-align')


def text(value):
    return value.decode() if isinstance(value, bytes) else value


def turn(rig, ports, degrees, milliseconds):
    for port in ports:
        rig.order(f'pose {port} {degrees} {milliseconds}')


def hold_and_pull(rig):
    """In line at first, thighs low, lift; a sensor is lost two seconds into the hold."""
    turn(rig, range(len(WORN)), 0, 1)
    rig.wait(r'.* GET READY .* Lie', timeout=40)
    turn(rig, (2, 3), LOW_DEG, MOVE_MS)
    rig.wait(r'.* START .* lift', timeout=40)
    turn(rig, (2, 3), 0, MOVE_MS)
    rig.wait(r'.* HOLD ', timeout=20)
    time.sleep(1.0)
    rig.order(f'press {PULLED} 1')
    time.sleep(0.3)
    rig.order(f'press {PULLED} 0')
    time.sleep(0.7)
    rig.order(f'unplug {PULLED}')
    time.sleep(AWAY_S)
    rig.order(f'plug {PULLED}')
    turn(rig, (PULLED,), 0, 1)
    time.sleep(4.0)
    rig.order('kill 15')
    rig.child_wait()


def check_calibrated(file):
    """Without its factory calibration a gamepad feels some other gravity and flags its samples."""
    import numpy
    stream = file['streams/pelvis_ventral/inertial']
    # The first reports come before the answer to the request for the calibration.
    flags, values = stream['flags'][100:500], stream['accelerometer'][100:500]
    norms = numpy.linalg.norm(values, axis=1)
    print(f'gravity of the DualSense {norms.min():.4f} to {norms.max():.4f} g')
    assert abs(norms - 1).max() <= GRAVITY_LIMIT, norms
    assert not flags.any(), flags


def case_assess():
    import h5py
    with journal.workspace() as folder:
        rig = assess_start(folder)
        before = [settings_of(rig, port, device) for port, (_, device, _) in enumerate(WORN)]
        hold_and_pull(rig)
        after = [settings_of(rig, port, device) for port, (_, device, _) in enumerate(WORN)]
        states = [rig.status(port) for port in range(len(WORN))]
        rig.finish()
        assert before == after, (before, after)
        assert all(state['bound'] == 0xFFFF and state['claimed'] == 0 for state in states), states
        path = journal.sessions(os.path.join(folder, 'archive'))[0]
        with h5py.File(path) as file:
            events = [(text(event['type']), text(event['label']), text(event['source']),
                       float(event['onset_s']), float(event['duration_s']))
                      for event in file['events'][:]]
            data = file['raw/journal'][:].tobytes()
            check_calibrated(file)
        check_gap(events, data)
        markers = [event for event in events if event[0] == 'marker']
        print(f'markers {markers}')
        assert len(markers) == 1 and markers[0][2] == 'pelvis_ventral', markers
        again = journal.limber(BINARY, 'analyse', path).stdout
        print([line for line in again.splitlines() if 'differ' in line])
        assert ', 0 differ from the file' in again and ', 0 differ from the recording' in again


def check_gap(events, data):
    """The event's gap against the journal's own bytes; each end may be one tick late."""
    role = WORN[PULLED][0]
    arrivals = [host_ns * 1e-9 for kind, device, _, host_ns, _ in journal.frames(data)
                if kind == journal.BYTES and device == PULLED]
    gap = max(after - before for before, after in zip(arrivals, arrivals[1:]))
    returned = [event for event in events if event[:3] == ('sensor', 'returned', role)]
    print(f'gap in the bytes {gap:.3f} s, events '
          f'{[event for event in events if event[0] == "sensor"]}')
    assert len(returned) == 1, events
    assert gap >= AWAY_S and abs(returned[0][4] - gap) <= 2 * TICK_S, (gap, returned)
    assert any(event[:2] == ('phase', 'HOLD') for event in events), events
    assert arrivals[-1] - (returned[0][3] + returned[0][4]) >= 2.0, (arrivals[-1], returned)
    unplugged = [event for event in events if event[:2] == ('sensor', 'unplugged')]
    assert [event[2] for event in unplugged] == [role], events


def main():
    global BINARY, ANSWERER
    case, BINARY, usb_rig.PROGRAM, ANSWERER = sys.argv[1:5]
    if not shutil.which('umockdev-wrapper'):
        journal.skip('umockdev is not installed')
    globals()['case_' + case]()
    return 0


if __name__ == '__main__':
    sys.exit(main())
