"""Runs the program on simulated serial ports (rig_serial) and listens to both."""
import json
import os
import queue
import struct
import subprocess
import threading
import time

FAULTS = ('none', 'mute', 'stall', 'bytes', 'split', 'join', 'garbage', 'inside', 'bit',
          'undrained', 'ioctl')
TICKS_PER_S = os.sysconf('SC_CLK_TCK')


def link(port):
    """Lasting name of a port: it follows the device to another tty."""
    return f'/dev/serial/by-id/usb-Simulated_SIM{port:04d}-if00'


class Rig:
    """One run. Lines of the program are kept as (arrival, object or text)."""

    def __init__(self, rig, ports, binary, *arguments):
        self.lines, self.errors = [], []
        self.child, self.unplugged, self.sent = None, {}, {}
        self.news = queue.Queue()
        self.process = subprocess.Popen(
            ['umockdev-wrapper', rig, ports, '--', binary, *map(str, arguments)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)
        self.threads = [threading.Thread(target=self._listen, daemon=True),
                        threading.Thread(target=self._complaints, daemon=True)]
        for thread in self.threads:
            thread.start()

    def _listen(self):
        for line in self.process.stdout:
            now, text = time.monotonic(), line.decode().rstrip('\n')
            words = text.split()
            if words[:1] == ['child']:
                self.child = int(words[1])
            elif words[:1] == ['unplugged']:
                self.unplugged.setdefault(int(words[1]), []).append(int(words[2]) * 1e-9)
            elif words[:1] == ['sent']:
                self.sent[int(words[1])] = tuple(map(int, words[2:]))
            else:
                self.lines.append((now, json.loads(text) if text.startswith('{"') else text))
            self.news.put(text)
        self.news.put(None)

    def _complaints(self):
        for line in self.process.stderr:
            self.errors.append(line.decode().rstrip('\n'))

    def order(self, letter, port, payload=b''):
        self.process.stdin.write(letter.encode() + bytes([port]) + payload)

    def unplug(self, port):
        self.order('U', port)

    def plug(self, port, number=None):
        if number is None:
            self.order('P', port)
        else:
            self.order('N', port, bytes([number]))

    def fault(self, port, name, number=0):
        self.order('F', port, bytes([FAULTS.index(name)]) + struct.pack('<H', number))

    def signal(self, number):
        self.order('K', number)

    def wait_for(self, test, limit_s=15.0, seen=0):
        """The first of the lines from the number seen on, now or later, that passes the test."""
        end = time.monotonic() + limit_s
        while time.monotonic() < end:
            while seen < len(self.lines):
                if test(self.lines[seen][1]):
                    return self.lines[seen]
                seen += 1
            time.sleep(0.005)
        raise AssertionError(f'waited {limit_s} s in vain\n' + self.text())

    def wait_reports(self, count, limit_s=20.0):
        """Until every sensor seen so far has given so many reports."""
        self.wait_for(lambda line: isinstance(line, dict) and 'rate_hz' in line
                      and line['time_s'] > count, limit_s)

    def reports(self, port):
        return [(when, line) for when, line in self.lines
                if isinstance(line, dict) and 'rate_hz' in line and line['port'] == link(port)]

    def events(self, port, event=None):
        return [(when, line) for when, line in self.lines
                if isinstance(line, dict) and 'event' in line and line['sensor'] == link(port)
                and event in (None, line['event'])]

    def cpu_s(self):
        """Processor time of the program so far."""
        with open(f'/proc/{self.child}/stat') as stream:
            fields = stream.read().rpartition(')')[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_S

    def descriptors(self):
        return len(os.listdir(f'/proc/{self.child}/fd'))

    def finish(self, limit_s=30.0):
        """End of orders; waits for the program. @return its exit code."""
        self.process.stdin.close()
        code = self.process.wait(timeout=limit_s)
        for thread in self.threads:
            thread.join(timeout=5.0)
        return code

    def text(self, count=14):
        return '\n'.join([str(line) for _, line in self.lines[-count:]] + self.errors[-20:])


__all__ = ['Rig', 'link']
