#!/usr/bin/env python3
"""Real recordings through the whole program: a person bending, and mechanical joints with optics.

usage: real_recordings.py LIMBER [--markdown]

The recordings are not part of the project; LIMBER_SHARED names the folder that has them. Joints: the
inclination part of the relative orientation (what is left when the free relative heading is taken
out in every sample) against the optical reference, whole recording, no fit of parameters.
"""
import os
import subprocess
import sys

import h5py
import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'support'))
import feeder  # noqa: E402
import journal  # noqa: E402

# Mean of the best published filters on the same recordings, online and offline, is 1.9 deg.
JOINT_LIMIT_DEG = 2.2
ROLES = ('pelvis_dorsal', 'thorax_dorsal')


def multiply(a, b):
    w, x, y, z = a.T
    W, X, Y, Z = b.T
    return np.stack([w * W - x * X - y * Y - z * Z, w * X + x * W + y * Z - z * Y,
                     w * Y - x * Z + y * W + z * X, w * Z + x * Y - y * X + z * W], axis=1)


def conjugate(q):
    return q * np.array([1.0, -1.0, -1.0, -1.0])


def assess(binary, folder, files, protocol, rate_hz):
    sensors = os.path.join(folder, 'sensors.yaml')
    with open(sensors, 'w') as stream:
        stream.write('sensors:\n')
        for role, path in files.items():
            stream.write(f'  - {{role: {role}, driver: xio-ximu3, port: "file:{path}", '
                         f'rate_hz: {rate_hz}}}\n')
    archive = os.path.join(folder, 'archive')
    journal.limber(binary, 'assess', '--archive', archive, '--subject', 'REAL1', '--protocol',
                   protocol, '--sensors', sensors, '--json')
    return journal.sessions(archive)[0]


def joint_error(binary, data, name):
    files = {role: os.path.join(data, f'{name}.segment{number}.ximu3')
             for number, role in enumerate(ROLES, 1)}
    with journal.workspace() as folder:
        path = assess(binary, folder, files, 'cat_cow', 50)
        with h5py.File(path) as file:
            est = [file[f'derived/orientation/{role}/quaternion'][:].astype(float)
                   for role in ROLES]
        journal.limber(binary, 'verify', path)
    with h5py.File(os.path.join(data, f'{name}.hdf5')) as file:
        ref = [file['opt_quat1'][:], file['opt_quat2'][:]]
    count = min(len(est[0]), len(est[1]), len(ref[0]))
    est = [q[:count] for q in est]
    ref = [q[:count] for q in ref]
    relative = multiply(conjugate(ref[0]), ref[1])
    error = multiply(multiply(est[0], relative), conjugate(est[1]))
    valid = np.all(np.isfinite(error), axis=1)
    cosine = np.clip(np.hypot(error[valid, 0], error[valid, 3]), 0.0, 1.0)
    angle = np.degrees(2.0 * np.arccos(cosine))
    return float(np.sqrt(np.mean(angle ** 2))), int(valid.sum())


def joints(binary, shared, markdown):
    data = os.path.join(shared, 'data', 'joints')
    names = sorted(name[:-5] for name in os.listdir(data) if name.endswith('.hdf5'))
    rows = [(name, *joint_error(binary, data, name)) for name in names]
    mean = float(np.mean([row[1] for row in rows]))
    if markdown:
        print('| joint | inclination part, RMSE (deg) | samples |\n| --- | --- | --- |')
        for name, error, count in rows:
            print(f'| {name} | {error:.2f} | {count} |')
        print(f'| **mean** | **{mean:.2f}** | |')
    else:
        print(f'{len(rows)} joints: mean inclination part {mean:.2f} deg, '
              f'worst {max(row[1] for row in rows):.2f} deg')
    assert mean <= JOINT_LIMIT_DEG, mean


def human(binary, shared):
    data = os.path.join(shared, 'data', 'human')
    files = {'pelvis_dorsal': os.path.join(data, 'human.hip.ximu3'),
             'thorax_dorsal': os.path.join(data, 'human.lower_back.ximu3')}
    with journal.workspace() as folder:
        path = assess(binary, folder, files, 'standing_forward_bend', 100)
        journal.limber(binary, 'verify', path)
        again = journal.limber(binary, 'analyse', path).stdout
        assert ', 0 differ from the file' in again, again
        report = os.path.join(folder, 'report.html')
        journal.limber(binary, 'report', 'clinician', path, '-o', report)
        assert os.path.getsize(report) > 10000
        with h5py.File(path) as file:
            assert file['streams/thorax_dorsal/inertial/gyroscope'].shape == (10000, 3)
            time_s = file['derived/angles/time'][:]
            lumbar = file['derived/angles/lumbar_flexion'][:]
            side = file['derived/angles/lumbar_lateral'][:]
        early = time_s < 50.0
        span = max(np.nanmax(a[early]) - np.nanmin(a[early]) for a in (lumbar, side))
        print(f'person bending: {len(time_s)} poses, coverage '
              f'{100 * np.mean(np.isfinite(lumbar)):.1f} %, range in the first 50 s {span:.0f} deg')
        # The recording is known to hold trunk movements of up to 60 deg in its first 50 s; sitting
        # and lying on the pelvis add to it, a wrongly turned unit would show far more.
        assert 40.0 <= span <= 120.0, span
        # Angles begin when the sensors are aligned to the body, after a still moment.
        first = int(np.argmax(np.isfinite(lumbar)))
        assert time_s[first] < 15.0, time_s[first]
        assert np.mean(np.isfinite(lumbar[first:])) > 0.97


def main():
    binary = sys.argv[1]
    root = os.environ.get('LIMBER_SOURCE', os.path.join(os.path.dirname(__file__), '..', '..'))
    shared = journal.shared(root)
    if not shared:
        journal.skip('the folder of recordings is absent (LIMBER_SHARED)')
    joints(binary, shared, '--markdown' in sys.argv)
    human(binary, shared)
    return 0


if __name__ == '__main__':
    try:
        sys.exit(main())
    except subprocess.CalledProcessError as error:
        print(error)
        sys.exit(1)
