"""The programs that are measured and those that measure, and how they are run."""

import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()
RELEASE = TARGET / "release"
MODULE = RELEASE / "libpam_mfa.so"
MEASURING = ["pam-bench", "least-daemon", "kept-bench", "exchange-bench"]


class Failed(Exception):
    """Something could not be measured. The text says what, and why as far as it is known."""


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def output(*command, **options):
    """What a program that succeeds prints."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)
    if done.returncode != 0:
        name = pathlib.Path(command[0]).name
        raise Failed(f"{name} failed with {done.returncode}: {done.stderr.strip()[-500:]}")
    return done.stdout.strip()


def build():
    """With the flags of the packages, so that what is measured is what is installed."""
    subprocess.run(["make", "--no-print-directory", "build"], cwd=ROOT, check=True)
    flags = output(ROOT / "packaging/compiler-flags")
    bins = [word for name in MEASURING for word in ("--bin", name)]
    subprocess.run(
        ["cargo", "build", "--release", "--locked", "--package", "mfa-tests", *bins],
        cwd=ROOT,
        env={**os.environ, "RUSTFLAGS": flags},
        check=True,
    )


class Waiting:
    """A program that says `ready` and goes on when its standard input ends; several that share the
    standard input go on together."""

    def __init__(self, *command, stdin=None):
        self.process = subprocess.Popen(
            command, stdin=stdin or subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.name = pathlib.Path(command[0]).name

    def ready(self):
        if self.process.stdout.readline() != "ready\n":
            raise Failed(f"{self.name} did not get ready")

    def go(self):
        self.process.stdin.close()
        self.process.stdin = None

    def running(self):
        return self.process.poll() is None

    def lines(self):
        text, _ = self.process.communicate(timeout=120)
        if self.process.returncode != 0:
            raise Failed(f"{self.name} failed with {self.process.returncode}")
        return text.splitlines()

    def kill(self):
        self.process.kill()
        self.process.wait()
