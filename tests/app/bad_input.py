#!/usr/bin/env python3
"""Bad input gives one clear line and a documented exit code, and loses nothing.

usage: bad_input.py LIMBER
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'support'))
import feeder  # noqa: E402
import journal  # noqa: E402

USAGE, DEVICE, DATA, DISK, FINDING = 2, 3, 4, 5, 1


class Bench:
    def __init__(self, binary, folder):
        self.binary, self.folder = binary, folder
        self.answers = feeder.answers_yaml(self.path('answers.yaml'))
        self.sensors = self.write('simulated.yaml', self.sensor_text('simulated:comfortable'))
        self.archive = self.path('archive')

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        mode = 'wb' if isinstance(text, bytes) else 'w'
        with open(self.path(name), mode) as stream:
            stream.write(text)
        return self.path(name)

    @staticmethod
    def sensor_text(port, driver='xio-ximu3'):
        return ('sensors:\n'
                f'  - {{role: thorax_dorsal, driver: {driver}, port: "{port}", rate_hz: 100}}\n'
                f'  - {{role: pelvis_dorsal, driver: {driver}, port: "{port}", rate_hz: 100}}\n')

    def assess(self, code, words, **changes):
        options = {'archive': self.archive, 'subject': 'BAD1', 'protocol': 'cat_cow',
                   'sensors': self.sensors, 'answers': self.answers}
        options.update(changes)
        arguments = [item for name, value in options.items() for item in (f'--{name}', value)]
        self.expect(code, words, 'assess', *arguments)

    def expect(self, code, words, *arguments):
        run = journal.limber(self.binary, *arguments, code=code, stdin=-3)
        lines = [line for line in run.stderr.splitlines() if line.startswith('limber:')]
        assert len(lines) == 1, f'{arguments}: {len(lines)} lines on standard error\n{run.stderr}'
        for word in words:
            assert word in lines[0], f'{arguments}: no {word!r} in\n{lines[0]}'
        print(f'ok   exit {code}  {lines[0]}')


def protocol_text(binary, change):
    text = journal.limber(binary, 'protocols', 'show', 'cat_cow', '--yaml').stdout
    changed = change(text)
    assert changed != text
    return changed


def main():
    binary = sys.argv[1]
    with journal.workspace() as folder:
        bench = Bench(binary, folder)

        missing = bench.write('missing.yaml', bench.sensor_text('/dev/ttyNOTHERE'))
        bench.assess(DEVICE, ['/dev/ttyNOTHERE'], sensors=missing)
        gone = bench.write('gone.yaml', bench.sensor_text('file:/nonexistent/a.bin'))
        bench.assess(DATA, ['/nonexistent/a.bin'], sensors=gone)
        bench.assess(DATA, ['nobody.yaml'], sensors=bench.path('nobody.yaml'))
        unknown_role = bench.write('role.yaml', bench.sensor_text('simulated:comfortable')
                                   .replace('thorax_dorsal', 'left_ear'))
        bench.assess(DATA, ['role.yaml:2', 'left_ear'], sensors=unknown_role)
        unknown_driver = bench.write('driver.yaml', bench.sensor_text('simulated:comfortable',
                                                                      'kinect'))
        bench.assess(DATA, ['driver.yaml:2', 'kinect'], sensors=unknown_driver)
        unknown_key = bench.write('key.yaml', bench.sensor_text('simulated:comfortable')
                                  .replace('rate_hz', 'rat_hz'))
        bench.assess(DATA, ['key.yaml:2', 'rat_hz'], sensors=unknown_key)
        bench.assess(DATA, ['--subject', 'Ann Smith'], subject='Ann Smith')
        bench.assess(DATA, ['--subject', '../x'], subject='../x')
        bench.assess(DATA, ['nosuch'], protocol='nosuch')

        bad_key = bench.write('bad_key.yaml', protocol_text(
            binary, lambda text: text.replace('reps:', 'rpes:', 1)))
        bench.expect(DATA, ['bad_key.yaml:', 'rpes'], 'protocols', 'check', bad_key)
        bench.assess(DATA, ['bad_key.yaml:', 'rpes'], protocol=bad_key)
        bad_dose = bench.write('bad_dose.yaml', protocol_text(
            binary, lambda text: text.replace('reps: 12', 'reps: 40', 1)))
        bench.expect(DATA, ['bad_dose.yaml:', '40'], 'protocols', 'check', bad_dose)

        blocked = bench.write('blocked', 'a file where a folder should be')
        bench.assess(DISK, ['blocked'], archive=os.path.join(blocked, 'archive'))

        emergency = bench.write('emergency.yaml', 'all: no\nanswers: {1: yes}\npain_now: 1\n')
        bench.assess(FINDING, ['emergency'], answers=emergency)
        refer = bench.write('refer.yaml', 'all: no\nanswers: {4: yes}\npain_now: 1\n')
        bench.assess(FINDING, [], answers=refer)

        noise = bench.write('noise.bin', bytes(range(256)) * 64)
        bench.expect(DATA, ['noise.bin'], 'decode', '--driver', 'arduino-firmata', noise)
        bench.expect(DATA, ['absent.bin'], 'decode', '--driver', 'xio-ximu3',
                     bench.path('absent.bin'))
        bench.expect(USAGE, ['nosuch'], 'decode', '--driver', 'nosuch', noise)
        bench.expect(DATA, ['noise.bin'], 'verify', noise)
        bench.expect(DATA, ['noise.bin'], 'analyse', noise)
        bench.expect(DATA, ['noise.bin'], 'report', 'clinician', noise)
        bench.expect(USAGE, ['frobnicate'], 'frobnicate')
        bench.expect(USAGE, ['--archive'], 'assess', '--subject', 'A')
        bench.expect(DATA, ['absent.journal'], 'recover', bench.path('absent.journal'))

        # A session file that was cut: found out, named, and not touched.
        journal.limber(binary, 'demo', '--protocol', 'cat_cow', '--fast', '--json', '--archive',
                       bench.path('demo'))
        whole = journal.sessions(bench.path('demo'))[0]
        with open(whole, 'rb') as stream:
            data = stream.read()
        cut = bench.write('cut.h5', data[:len(data) // 2])
        bench.expect(FINDING, ['cut.h5', 'missing'], 'verify', cut)
        bench.expect(DATA, ['cut.h5'], 'analyse', cut)
        assert os.path.getsize(cut) == len(data) // 2
    return 0


if __name__ == '__main__':
    sys.exit(main())
