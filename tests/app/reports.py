#!/usr/bin/env python3
"""Reports of real sessions in a real browser: two visits of a simulated person.

usage: reports.py LIMBER TEST_REPORTS_SCRIPT

Checks with axe-core, no outside request, no script; screenshots are left in build/report-check.
"""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'support'))
import journal  # noqa: E402


def main():
    binary, script = sys.argv[1], sys.argv[2]
    with journal.workspace() as folder:
        archive = os.path.join(folder, 'archive')
        for patient in ('stiff', 'comfortable'):
            journal.limber(binary, 'demo', '--protocol', 'cat_cow,standing_forward_bend',
                           '--patient', patient, '--fast', '--json', '--archive', archive)
        last = journal.sessions(archive)[-1]
        clinician, patient = os.path.join(folder, 'demo-clinician.html'), os.path.join(
            folder, 'demo-patient.html')
        journal.limber(binary, 'report', 'clinician', last, '-o', clinician)
        journal.limber(binary, 'report', 'patient', '--archive', archive, '--subject', 'DEMO000001',
                       '-o', patient)
        with open(patient) as stream:
            words = stream.read()
        assert 'normal day-to-day variation' in words or 'about the same' in words, words[:2000]
        run = subprocess.run([script, clinician, patient], stdout=subprocess.PIPE, text=True)
    print(run.stdout)
    if 'skipped:' in run.stdout:
        journal.skip('the browser check could not run')
    return run.returncode


if __name__ == '__main__':
    sys.exit(main())
