#!/usr/bin/env python3
"""Each driver in a whole session: one simulated person wears sensors of every kind, and the
measured angles must not depend on which.

usage: every_driver.py LIMBER
"""
import concurrent.futures
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'support'))
import feeder  # noqa: E402
import journal  # noqa: E402

UNITS = ('thorax_dorsal', 'pelvis_dorsal')
TEXT_COLUMNS = ('time_us,gyroscope_x_deg_s,gyroscope_y_deg_s,gyroscope_z_deg_s,'
                'accelerometer_x_g,accelerometer_y_g,accelerometer_z_g')
# Driver, further settings of the sensor file.
INERTIAL = (('xio-ximu3', ''), ('xsens-mti', ''), ('witmotion', ''), ('vectornav-vn100', ''),
            ('microstrain-mip', ''), ('sony-dualsense', ''), ('sony-dualshock4', ''),
            ('bno08x-rvc', ''), ('text', f', columns: "{TEXT_COLUMNS}"'))
# The strip's divider gives these shares of the supply at 0 and 60 deg (10 kOhm flat, doubled at
# 180 deg, worn bent by 30 deg, over 11.5 kOhm).
SHARES = {0: 508 / 1023, 60: 444 / 1023}
# Driver, input, settings, reading of a share of the input's full scale: counts of 10 bits; volts of
# +-10.3 (the simulated LabJack is a U3-HV, whose first four inputs have that range), 0 .. 2.44, +-10,
# 0 .. 3.
FLEX = (('arduino-firmata', 'A0', '', lambda share: 1023 * share),
        ('arduino-firmata', 'A3', '', lambda share: 1023 * share),
        ('labjack-u3', 'A0', '', lambda share: 20.6 * share - 10.31),
        ('labjack-u3', 'A4', '', lambda share: 2.44 * share),
        ('mcc-usb1208fs-plus', 'A0', '', lambda share: 20 * share - 10),
        ('mcc-usb1208fs-plus', 'A5', '', lambda share: 20 * share - 10),
        ('xio-ximu3', 'A1', '', lambda share: 3.0 * share),
        ('text', 'A0', ', columns: "analog_0_count"', lambda share: 1023 * share))
# The same movement seen by sensors with noise, rates (100 to 250 Hz) and cue times of their own: the
# body sways and breathes by some tenths of a degree between two takings.
ROM_LIMIT_DEG = 0.3
# Of strips, on top: one count of 10 bits is 0.9 deg.
FLEX_LIMIT_DEG = 1.0
COUNT = 12  # rounds that cat_cow asks for


def sensors_write(path, sensors):
    with open(path, 'w') as stream:
        stream.write('sensors:\n')
        for role, driver, rest in sensors:
            stream.write(f'  - {{role: {role}, driver: {driver}, '
                         f'port: "simulated:comfortable"{rest}}}\n')
    return path


def session(binary, folder, name, sensors):
    """@return {(id, joint, measure): (value, reason)} over the whole part, and the warnings."""
    archive = os.path.join(folder, name)
    path = sensors_write(archive + '.yaml', sensors)
    answers = feeder.answers_yaml(archive + '.answers.yaml')
    run = journal.limber(binary, 'assess', '--archive', archive, '--subject', 'EVERY1',
                         '--protocol', 'cat_cow', '--sensors', path, '--answers', answers, '--json')
    files = journal.sessions(archive)
    assert len(files) == 1, (name, files)
    left = [file for _, _, names in os.walk(archive) for file in names
            if file.endswith(('.journal', '.part'))]
    assert not left, (name, left)
    journal.limber(binary, 'verify', files[0])
    return json.loads(run.stdout), run.stderr


def total(metrics, name, key='lumbar'):
    """The first of that name over all rounds: the part's own measure."""
    found = [row for row in metrics if row['id'] == name and row['joint'] == key
             and not row['repetition']]
    assert found, (name, key)
    return found[0]['value']


def flex_range(metrics):
    """Ranges of motion are those of lumbar_flexion, the strip, bending to the side."""
    rows = [row for row in metrics if row['id'] == 'range_of_motion' and row['joint'] == 'lumbar'
            and not row['repetition']]
    assert len(rows) == 3, rows
    assert rows[1]['value'] is not None, rows[1]
    return rows[1]['value']


def cases():
    for driver, rest in INERTIAL:
        yield driver, [(role, driver, rest) for role in UNITS]
    for driver, channel, rest, reading in FLEX:
        points = ', '.join(f'{{reading: {reading(share):.5f}, deg: {deg}}}'
                           for deg, share in SHARES.items())
        units = [(role, 'xio-ximu3', '') for role in UNITS]
        yield (f'{driver}-{channel}-flex',
               units + [('flex_lumbar', driver, f', channel: {channel}, flex: [{points}]{rest}')])


def main():
    binary = sys.argv[1]
    with journal.workspace() as folder, concurrent.futures.ThreadPoolExecutor(2) as pool:
        runs = {name: pool.submit(session, binary, folder, name, sensors)
                for name, sensors in cases()}
        results = {name: run.result() for name, run in runs.items()}
    wanted = total(results['xio-ximu3'][0], 'range_of_motion')
    flex_wanted = flex_range(results['arduino-firmata-A0-flex'][0])
    for name, (metrics, errors) in results.items():
        rom = total(metrics, 'range_of_motion')
        line = f'{name}: {rom:.2f} deg'
        assert total(metrics, 'repetition_count') == COUNT, (name, metrics[0])
        assert abs(rom - wanted) <= ROM_LIMIT_DEG, (name, rom, wanted)
        # Nothing but what is true of a real WitMotion, too.
        assert not errors or (name == 'witmotion' and 'its own zeroing' in errors), (name, errors)
        if name.endswith('flex'):
            flex = flex_range(metrics)
            line += f', strip {flex:.2f} deg'
            assert abs(flex - flex_wanted) <= FLEX_LIMIT_DEG, (name, flex, flex_wanted)
        print(line, errors.strip().replace('\n', ' | ')[:200], sep='  ')
    return 0


if __name__ == '__main__':
    sys.exit(main())
