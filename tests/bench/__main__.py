"""bench: what logins, exchanges and the daemon cost, beside google_authenticator, pam_oath, OpenSSL and
what no login can do without. Writes docs/benchmarks and the table in README.md.

It ends with 0 when all of it was measured, whether or not the goals are met; with --strict, only when
they are. What it needs is in a directory of its own in /var/tmp (or $TMPDIR), which must be on a disk: on
a tmpfs nothing is durable, so nothing would be measured.
"""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import types

import alone
import connections
import crowds
import disk
import exchange
import groups
import idle
import machine
import module
import pictures
import programs
import report
import scale
import users
from goals import GOALS
from programs import Failed, say

MEASURES = {
    "disk": disk, "module": module, "alone": alone, "crowds": crowds, "connections": connections,
    "exchange": exchange, "idle": idle, "users": users, "groups": groups,
}
RESULTS = programs.TARGET / "bench"

# How much of each. Together at most ten minutes on two cores.
FULL = types.SimpleNamespace(
    syncs=2_000, loads=40, alone=960, crowds=3, connections=3, verifications=40, exchanges=5, bursts=3,
    enrolments=100, idle=30, users=(10, 1_000, 100_000, 1_000_000), logins_by_users=500, groups=4,
)
QUICK = types.SimpleNamespace(
    syncs=200, loads=5, alone=60, crowds=1, connections=1, verifications=5, exchanges=1, bursts=1,
    enrolments=20, idle=3, users=(10, 1_000, 20_000), logins_by_users=60, groups=1,
)


def arguments():
    parser = argparse.ArgumentParser(prog="bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", metavar="SECTION", nargs="+", choices=MEASURES, help=f"some of: {', '.join(MEASURES)}; the others stay as they were measured last")
    parser.add_argument("--strict", action="store_true", help="fail where a goal is not met")
    parser.add_argument("--quick", action="store_true", help="a little of each, to try the benchmark itself; writes no documents")
    parser.add_argument("--built", action="store_true", help="measure the programs as they are, without building")
    return parser.parse_args()


def main():
    options = arguments()
    if not options.built:
        say("building")
        programs.build()
    begun = time.monotonic()
    above = os.environ.get("TMPDIR", "/var/tmp")
    place = programs.output("findmnt", "-n", "-o", "FSTYPE", "-T", above)
    if place == "tmpfs":
        raise Failed(f"{above} is a tmpfs, where nothing is durable; set TMPDIR to another directory")
    kept = RESULTS / ("quick" if options.quick else "full")
    if not options.only:
        shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir(parents=True, exist_ok=True)
    sizes = QUICK if options.quick else FULL
    for name in options.only or MEASURES:
        measure(name, sizes, above, place, kept)
    results, wheres = read(kept)
    text = report.text(results, wheres)
    if not options.quick:
        write(text, results, wheres)
    print(text, end="")
    say(f"measured in {time.monotonic() - begun:.0f} s")
    missed = [goal.text for goal in GOALS if not goal.met(results)]
    if missed:
        say(f"goals not met: {'; '.join(missed)}")
    return 1 if missed and options.strict else 0


def measure(name, sizes, above, place, kept):
    say(f"{name} ...")
    begun = time.monotonic()
    where = machine.here(place)
    with tempfile.TemporaryDirectory(prefix="mfa-bench-", dir=above) as home:
        found = MEASURES[name].measure(pathlib.Path(home), sizes)
    (kept / f"{name}.json").write_text(json.dumps({"where": where, "found": found}, indent=1))
    say(f"{name}: {time.monotonic() - begun:.0f} s")


def read(kept):
    both = {name: json.loads((kept / f"{name}.json").read_text()) for name in report.SECTIONS if (kept / f"{name}.json").exists()}
    return {name: of["found"] for name, of in both.items()}, {name: of["where"] for name, of in both.items()}


def write(text, results, wheres):
    report.DIRECTORY.mkdir(exist_ok=True)
    (report.DIRECTORY / "README.md").write_text(text)
    for name, picture in pictures.pictures(results).items():
        (report.DIRECTORY / name).write_text(picture)
    readme = programs.ROOT / "README.md"
    readme.write_text(report.quote(readme.read_text(), results, wheres))
    scale.write(results, report.table, report.origin(wheres))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (Failed, subprocess.CalledProcessError, OSError, subprocess.TimeoutExpired) as failure:
        sys.exit(f"bench: {failure}")
    except KeyboardInterrupt:
        sys.exit("bench: stopped")
