"""A private PostgreSQL with default durability: what is measured is what a commit costs when it is really one."""
import glob
import os
import pathlib
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import time

SEPARATOR = "\x1f"


class BenchError(Exception):
    """Something that the person at the terminal can do something about, in one sentence."""


def newest_binaries():
    folders = glob.glob("/usr/lib/postgresql/*/bin")
    found = sorted(folders, key=lambda folder: float(pathlib.Path(folder).parent.name))
    if not found or not os.path.exists(found[-1] + "/pgbench"):
        raise BenchError("PostgreSQL's server and pgbench are missing: apt-get install postgresql postgresql-client")
    return pathlib.Path(found[-1])


class Server:
    """One cluster in a temporary folder, reached over a Unix socket in it; gone with `stop`."""

    def __init__(self, settings):
        self.binaries = newest_binaries()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="onboard-bench."))
        self.settings = settings
        self.process = None
        self.identity = {}
        self.folder.chmod(0o755)
        if os.geteuid() == 0:
            # PostgreSQL refuses root.
            owner = pwd.getpwnam("postgres")
            self.identity = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
            os.chown(self.folder, owner.pw_uid, owner.pw_gid)

    def start(self):
        data = self.folder / "data"
        log = open(self.folder / "server.log", "w")
        made = subprocess.run(
            [self.binaries / "initdb", "-D", data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C"],
            cwd=self.folder, stdout=log, stderr=log, **self.identity)
        if made.returncode != 0:
            raise BenchError("initdb failed: " + (self.folder / "server.log").read_text()[-500:])
        # Statistics of statements tell what claims cost on the server, for every figure alike.
        options = {"listen_addresses": "", "unix_socket_directories": str(self.folder),
                   "shared_preload_libraries": "pg_stat_statements", "pg_stat_statements.track_utility": "off"}
        options.update(self.settings)
        arguments = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        # A session of its own: Ctrl-C at the terminal is for us, and we stop it when its clients have ended.
        self.process = subprocess.Popen(
            [self.binaries / "postgres", "-D", data, *arguments], cwd=self.folder, stdout=log, stderr=log,
            stdin=subprocess.DEVNULL, start_new_session=True, **self.identity)
        for _ in range(300):
            if self.process.poll() is not None:
                break
            ready = subprocess.run([self.binaries / "pg_isready", "-q", "-h", self.folder, "-U", "postgres"])
            if ready.returncode == 0:
                return
            time.sleep(0.1)
        raise BenchError("PostgreSQL did not start: " + (self.folder / "server.log").read_text()[-500:])

    def stop(self):
        if self.process and self.process.poll() is None:
            # Everything goes with the folder: nothing needs to be written down any more.
            self.process.send_signal(signal.SIGQUIT)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, database):
        return f"host={self.folder} user=postgres dbname={database}"

    def sql(self, database, text, timeout=3600):
        """Runs a script; returns the rows of its queries as lists of texts."""
        done = subprocess.run(
            [self.binaries / "psql", "-qXAt", "-F", SEPARATOR, "-v", "ON_ERROR_STOP=1", "-d", self.url(database), "-f", "-"],
            input=text, capture_output=True, text=True, timeout=timeout)
        if done.returncode != 0:
            raise BenchError(f"the database says: {done.stderr.strip()}")
        return [line.split(SEPARATOR) for line in done.stdout.splitlines()]

    def value(self, database, expression):
        return self.sql(database, f"SELECT {expression};")[0][0]

    def session(self, database):
        return Session(self, database)

    def processes(self):
        """The server's processes that live now: process id, what it is, and its processor seconds."""
        tick = os.sysconf("SC_CLK_TCK")
        for folder in glob.glob("/proc/[0-9]*"):
            try:
                fields = open(f"{folder}/stat").read().rsplit(")", 1)[1].split()
                pid = int(folder.split("/")[2])
                if int(fields[1]) != self.process.pid and pid != self.process.pid:
                    continue
                title = open(f"{folder}/cmdline").read()
            except (OSError, IndexError):
                continue
            known = re.match(r"postgres: (walwriter|checkpointer|background writer|autovacuum \w+)", title)
            kind = known[1] if known else "postmaster" if pid == self.process.pid else "sessions"
            yield pid, kind, (int(fields[11]) + int(fields[12])) / tick


class Session:
    """One psql that stays: for transactions that are held open, and for looking often without a process each time."""

    END = "-- end of answer --"

    def __init__(self, server, database):
        self.process = subprocess.Popen(
            [server.binaries / "psql", "-qXAt", "-F", SEPARATOR, "-d", server.url(database), "-f", "-"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, bufsize=1,
            start_new_session=True)

    def query(self, text):
        self.process.stdin.write(f"{text};\n\\echo {self.END}\n")
        self.process.stdin.flush()
        rows = []
        for line in self.process.stdout:
            line = line.rstrip("\n")
            if line == self.END:
                return rows
            if line.startswith("psql:") and "ERROR" in line:
                raise BenchError("the database says: " + line)
            rows.append(line.split(SEPARATOR))
        raise BenchError("the session to the database ended")

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
