#!/usr/bin/env python3
"""What the program said inside the virtual machine, against what must be.

usage: check.py CONSOLE
"""
import json
import sys

FAILURES = []


def check(name, is_good, text):
    print(f'{"ok  " if is_good else "FAIL"} {name}: {text}')
    if not is_good:
        FAILURES.append(name)


def parts(path):
    """(case, part) -> lines."""
    found, case, part = {}, '', ''
    with open(path, errors='replace') as stream:
        for line in stream:
            line = line.rstrip('\r\n')
            if line.startswith('@@ case '):
                case, part = line[8:], 'list'
            elif line in ('@@ watch', '@@ unplug'):
                part = line[3:]
            found.setdefault((case, part), []).append(line)
    return found


def objects(lines):
    result = []
    for line in lines:
        if line.startswith('{"') and line.endswith('}'):
            try:
                result.append(json.loads(line))
            except ValueError:
                pass
    return result


def watch_check(name, lines, rate_least):
    reports = [item for item in objects(lines) if 'total' in item]
    if not reports:
        check(name, False, 'no report; ' + ' | '.join(lines[-3:]))
        return
    # What stood in the kernel's buffers before the port was opened comes first, with its gaps.
    first, total = reports[min(1, len(reports) - 1)]['total'], reports[-1]['total']
    best = max(item['rate_hz'] for item in reports)
    lost, bad = total['lost'] - first['lost'], total['bad'] - first['bad']
    check(name, lost == 0 and bad == 0 and best >= rate_least and len(reports) > 2,
          f'{total["samples"]} samples, {best:.0f}/s, lost {lost} after 2 s, bad {bad}, '
          f'in all lost {total["lost"]}, bad {total["bad"]}, skipped {total["skipped"]}')


def unplug_check(name, lines):
    events = [item['event'] for item in objects(lines) if 'event' in item]
    check(name, 'unplugged' in events, f'events {sorted(set(events))}')


def count_after(lines, text):
    for line in lines:
        if line.startswith(text):
            return int(line.split(':')[1])
    return -1


def main():
    found = parts(sys.argv[1])
    check('the run', any('@@ end' in lines for lines in found.values()), 'came to its end')
    # Emulated machines are slow: rates are what the devices were set to, less a tenth.
    for driver, rate in (('xio-ximu3', 90), ('sony-dualsense', 90), ('labjack-u3', 90),
                         ('xsens-mti', 90), ('mcc-usb1208fs-plus', 90)):
        case = f'usb-{driver}'
        watch_check(case, found.get((case, 'watch'), []), rate)
        unplug_check(case + ', pulled out', found.get((case, 'unplug'), []))
    lines = sum((found.get(('usb-xio-ximu3', part), []) for part in ('list', 'watch')), [])
    before, after = count_after(lines, '@@ ttys before'), count_after(lines, '@@ ttys after')
    check('kernel driver put back', before == after == 1, f'{before} before, {after} after')
    watch_check('serial-acm', found.get(('serial-acm', 'watch'), []), 90)
    unplug_check('serial-acm, pulled out', found.get(('serial-acm', 'unplug'), []))
    events = [item['event'] for item in objects(found.get(('serial-acm', 'unplug'), []))
              if 'event' in item]
    check('serial-acm, plugged in again', 'returned' in events, f'events {events}')
    watch_check('serial-ftdi', found.get(('serial-ftdi', 'list'), []), 45)
    return 1 if FAILURES else 0


if __name__ == '__main__':
    sys.exit(main())
