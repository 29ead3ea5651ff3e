"""The figures in docs/benchmarks/scale.md: what one machine was measured to do, and what follows."""

from goals import number
from programs import ROOT

FILE = ROOT / "docs/benchmarks/scale.md"
MARKS = ("constants", "hosts", "shards")

# The load of a fleet, per user: logins a day, and the share of a day's logins in its busiest hour.
LOGINS_A_DAY, BUSIEST = 10, 0.2
HOUR = 3600
# Of a store, so that it may double without anybody being called.
FILLED = 0.5
FLEETS = (10_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000)
NEEDED = ("disk", "alone", "crowds", "connections", "users")


class Constants:
    """L, V, F, w and b of scale.md."""

    def __init__(self, results):
        rows = results["connections"]
        self.logins = max(row["rate"] for row in results["crowds"]["mfa"].values())
        self.verifications = max(row["rate"] for row in rows.values())
        self.sync = results["disk"]["median"]
        fastest = max(rows.values(), key=lambda row: row["rate"])
        # A page and its header of the log, where the kernel does not tell.
        self.written = fastest["bytes"] or 4120
        counts = sorted(results["users"]["rows"], key=int)
        few, many = (results["users"]["rows"][count]["import"] for count in (counts[0], counts[-1]))
        self.bytes = (many["stored"] - few["stored"]) * 2**20 / (many["users"] - few["users"])

    def rows(self):
        return [
            ["L", "logins a second through PAM, all on one host", number(self.logins)],
            ["V", "durable verifications a second, kept connections", number(self.verifications)],
            ["F", "one fdatasync, µs", number(self.sync)],
            ["w", "bytes written for a verification, commits shared", number(self.written)],
            ["b", "bytes of a user in the store", number(self.bytes)],
        ]


def peak(users):
    return users * LOGINS_A_DAY * BUSIEST / HOUR


def one_store(c):
    """A store of one machine: commits are at most what the disk does, each shared by the logins of its time."""
    rows = []
    for users in FLEETS:
        load = peak(users)
        commits = min(load, 1e6 / c.sync)
        fits = "yes" if load <= c.verifications * FILLED else "no"
        rows.append([f"{users:,}", number(load), f"{load / c.verifications:.1%}", number(commits),
                     number(load / commits), size(load * c.written) + "/s", size(users * c.bytes), fits])
    return ["users", "logins a second", "of V", "commits a second, at most", "logins a commit, at least", "written", "stored", "one store"], rows


def shards(c):
    rows = []
    for users in FLEETS:
        load = peak(users)
        count = max(1, -(-load // (c.verifications * FILLED)))
        rows.append([f"{users:,}", number(count), number(load / count), size(load / count * c.written) + "/s",
                     size(users / count * c.bytes)])
    return ["users", "shards", "logins a second, each", "written, each", "stored, each"], rows


def size(count):
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if count < 1000 or unit == "TB":
            return f"{number(count)} {unit}"
        count /= 1000


def write(results, table, origin):
    """Leaves the text as it is where something was not measured."""
    if not all(name in results for name in NEEDED):
        return
    constants = Constants(results)
    tables = {
        "constants": [*table(["", "", "measured"], constants.rows()), *origin],
        "hosts": table(*one_store(constants)),
        "shards": table(*shards(constants)),
    }
    text = FILE.read_text()
    for mark in MARKS:
        begin, end = f"<!-- {mark}: written by make bench -->", "<!-- to here -->"
        before, rest = text.split(begin, 1)
        _, after = rest.split(end, 1)
        text = "\n".join([before + begin, *tables[mark], end]) + after
    FILE.write_text(text)
