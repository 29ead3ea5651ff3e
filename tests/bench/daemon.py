"""The daemon: starting it, moving users in, what it takes of memory and of the processor."""

import os
import pathlib
import socket
import struct
import subprocess
import time

from people import write_users_oath
from programs import RELEASE, MODULE, Failed, say

PARAMS = b'{"v":1,"id":1,"type":"params"}'
TICKS = os.sysconf("SC_CLK_TCK")


class Daemon:
    """One with a directory of its own. Use it in `with`, which starts and stops it."""

    def __init__(self, home):
        home.mkdir(mode=0o700)
        self.home, self.socket = home, home / "mfa.sock"
        self.process = None
        (home / "mfa.toml").write_text(
            f'socket = "{self.socket}"\n[store]\nurl = "sqlite:{home}/mfa.db"\n'
            f'[master_key]\nfile = "{home}/master.key"\n'
        )

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        """Seconds until it has answered a question."""
        environment = {k: v for k, v in os.environ.items() if k != "JOURNAL_STREAM"}
        command = [RELEASE / "mfa-daemon", "--config", self.home / "mfa.toml"]
        with open(self.home / "log", "a") as log:
            begun = time.monotonic()
            self.process = subprocess.Popen(command, stderr=log, env=environment)
        while time.monotonic() < begun + 20:
            if self.answers():
                return time.monotonic() - begun
            if self.process.poll() is not None:
                break
            time.sleep(0.0002)
        raise Failed(f"mfa-daemon did not start: {(self.home / 'log').read_text()[-500:]}")

    def answers(self):
        with socket.socket(socket.AF_UNIX) as asking:
            if asking.connect_ex(str(self.socket)) != 0:
                return False
            asking.settimeout(5)
            asking.sendall(struct.pack(">I", len(PARAMS)) + PARAMS)
            return len(asking.recv(4)) == 4

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait()
            self.process = None

    def restart(self):
        """As after a boot: nothing is left behind in the daemon, nor unwritten on the disk."""
        self.stop()
        os.sync()
        return self.start()

    def stack(self, options=""):
        return f"auth required {MODULE} socket={self.socket} {options}\n"

    def log_lines(self):
        return (self.home / "log").read_text().splitlines()

    def import_users(self, users):
        """What the import took: users, seconds, MiB at the peak of mfa and of the daemon, MiB stored."""
        file = self.home / "users.oath"
        write_users_oath(file, users)
        say(f"importing {len(users):,} users")
        begun = time.monotonic()
        command = [RELEASE / "mfa", "--socket", self.socket, "admin", "import", file]
        process = subprocess.Popen([*command, "--format", "users.oath"], stdout=subprocess.DEVNULL)
        peak = 0.0
        while process.poll() is None:
            peak = max(peak, memory(process.pid, "VmHWM"))
            time.sleep(0.005)
        seconds = time.monotonic() - begun
        if process.returncode != 0:
            raise Failed(f"mfa admin import failed with {process.returncode}")
        file.unlink()
        stored = sum(path.stat().st_size for path in self.home.glob("mfa.db*")) / 2**20
        daemon = memory(self.process.pid, "VmHWM")
        return {"users": len(users), "seconds": seconds, "mfa": peak, "daemon": daemon, "stored": stored}

    def resident(self):
        """MiB, those of shared files included."""
        return memory(self.process.pid, "VmRSS")

    def processor_seconds(self):
        """Of all its threads, also of those that have ended."""
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def written(self):
        """Bytes that it has had written to the disk. Only root is told."""
        try:
            lines = pathlib.Path(f"/proc/{self.process.pid}/io").read_text().splitlines()
        except PermissionError:
            return None
        return next(int(line.split()[1]) for line in lines if line.startswith("write_bytes"))

    def sleeps(self):
        """How often each of its threads has gone to sleep, which it must have been woken for."""
        statuses = pathlib.Path(f"/proc/{self.process.pid}/task").glob("*/status")
        lines = {status.parent.name: line for status in statuses for line in status.read_text().splitlines() if line.startswith("voluntary_ctxt")}
        return {thread: int(line.split()[1]) for thread, line in lines.items()}

    def woken(self, before):
        """Wake-ups since these `sleeps`; a thread that has ended meanwhile was woken for that."""
        after = self.sleeps()
        return sum(count - before.get(thread, 0) for thread, count in after.items()) + len(before.keys() - after.keys())


def memory(pid, field):
    """MiB of a line of /proc/PID/status; 0 where the process is gone."""
    try:
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    return next((int(l.split()[1]) / 2**10 for l in status.splitlines() if l.startswith(field)), 0.0)
