"""Builds and starts the programs, and reads what each of them used."""
import os
import pathlib
import re
import signal
import subprocess
import threading
import time

from .server import BenchError

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent.parent


# As for the other scripts of ops; figures are of release builds.
CONFIGURATION = os.environ.get("ONBOARD_BUILD_CONFIGURATION", "release")


def build(products):
    """Builds the products one by one: all at once would build the tests' rooms too."""
    for product in products:
        done = subprocess.run(["swift", "build", "-c", CONFIGURATION, "--product", product], cwd=ROOT,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            raise BenchError(f"{product} does not build:\n{done.stdout[-1500:]}")


def products_folder(products):
    """Where the products are."""
    folder = ROOT / ".build" / CONFIGURATION
    for product in products:
        if not (folder / product).exists():
            raise BenchError(f"{product} is not built: leave out --no-build")
    return folder


class Program:
    """A process that was started, and what it used: processor seconds and peak memory."""

    def __init__(self, command, environment, log):
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("ONBOARD_", "PG"))}
        self.log = log
        self.command = command
        self.processor_seconds = 0.0
        self.peak_mb = 0.0
        self.process = subprocess.Popen(
            [str(part) for part in command], env={**inherited, **environment}, stdin=subprocess.DEVNULL,
            stdout=open(log, "w"), stderr=subprocess.STDOUT, start_new_session=True)
        self.watcher = threading.Thread(target=self._watch, daemon=True)
        self.watcher.start()

    @property
    def pid(self):
        return self.process.pid

    def _watch(self):
        while self.process.returncode is None:
            try:
                status = open(f"/proc/{self.pid}/status").read()
            except OSError:
                return
            peak = re.search(r"VmHWM:\s+(\d+) kB", status)
            if peak:
                self.peak_mb = max(self.peak_mb, int(peak[1]) / 1024)
            time.sleep(0.05)

    def cpu_so_far(self):
        fields = open(f"/proc/{self.pid}/stat").read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def wait(self, seconds):
        """Waits for its end by itself; exit code 0 is expected."""
        end = time.monotonic() + seconds
        while not self._reap():
            if time.monotonic() > end:
                self.kill()
                raise BenchError(f"{self.command[0]} did not end within {seconds:.0f} s")
            time.sleep(0.01)
        if self.process.returncode != 0:
            raise BenchError(f"{self.command[0]} ended with {self.process.returncode}: {self.output()[-500:]}")
        return self

    def stop(self, seconds=60):
        """Asks it to end, as a service manager does."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
            end = time.monotonic() + seconds
            while not self._reap():
                if time.monotonic() > end:
                    self.kill()
                time.sleep(0.01)
        return self

    def kill(self):
        if self.process.returncode is None:
            self.process.kill()
            while not self._reap():
                time.sleep(0.01)

    def output(self):
        return pathlib.Path(self.log).read_text(errors="replace")

    def _reap(self):
        if self.process.returncode is not None:
            return True
        pid, status, usage = os.wait4(self.pid, os.WNOHANG)
        if pid == 0:
            return False
        self.processor_seconds = usage.ru_utime + usage.ru_stime
        self.process.returncode = os.waitstatus_to_exitcode(status)
        return True
