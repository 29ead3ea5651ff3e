"""docs/benchmarks/README.md, and the table of goals that README.md quotes."""

from goals import GOALS, number
from idle import SPARE
from programs import ROOT

DIRECTORY = ROOT / "docs/benchmarks"
BEGIN, END = "<!-- written by make bench -->", "<!-- to here -->"


def table(head, rows):
    """The first column is text, the others are figures."""
    lines = [head, ["---"] + ["--:"] * (len(head) - 1), *rows]
    return ["| " + " | ".join(map(str, cells)) + " |" for cells in lines] + [""]


def goals(results):
    return table(["goal", "bound", "found", ""], [goal.row(results) for goal in GOALS])


def alone(rows):
    told = [
        [name, *(number(row[k]) for k in ("median", "p95", "p99", "authenticate", "by least", "by google_authenticator")), row["calls"]]
        for name, row in rows.items()
    ]
    count = next(iter(rows.values()))["count"]
    return [
        "## One at a time",
        "",
        "![a login](login.svg)",
        "",
        "Microseconds of whole logins, from `pam_start` to `pam_end`: the module is loaded and unloaded, as",
        f"every login program pays for it; `authenticate` is `pam_authenticate` alone. {count} logins each, each by",
        "another user and let in, in turns of 20 whose order is drawn. Ratios are medians of those of",
        "neighbouring turns: what disturbs both does not count. System calls are those of the login program.",
        "",
        *table(["login through", "median", "95th", "99th", "authenticate", "÷ least", "÷ google_authenticator", "system calls"], told),
        "`least` is pam_permit and what no module can do without where another process remembers spent codes: two",
        "questions to it, each on a fresh Unix socket, and one fdatasync of 4 KiB on the same file system. `mfa` is",
        "durable before it says yes. The peers have files as their own tools write them, which they rewrite; pam_oath",
        "has 1,000 users in its one. A line that a module logs costs one datagram.",
        "",
    ]


def crowds(candidates):
    levels = list(next(iter(candidates.values())))
    rows = []
    for name, found in candidates.items():
        for level in levels:
            row = found[level]
            times = [number(row[k]) if k in row else "" for k in ("median", "p99")]
            rows.append([name, level, number(row["rate"]), *times, f"{row['refused']:,} of {row['logins']:,}"])
    return [
        "## Many at once",
        "",
        "![logins at once](at-once.svg)",
        "",
        "So many processes, each with one login after the other, every user and every code once. Logins a second are",
        "those that succeeded; microseconds are those of successful logins. The last column is right codes wrongly",
        "refused. `least` shares a durable write among those who wait for one.",
        "",
        *table(["login through", "at once", "a second", "median", "99th", "refused"], rows),
    ]


def users(found):
    rows = [
        [f"{int(count):,}", *(number(row[k]) for k in ("median", "p95", "p99", "ratio", "ready", "resident")),
         number(row["import"]["seconds"]), number(row["import"]["mfa"]), number(row["import"]["daemon"]), number(row["import"]["stored"])]
        for count, row in found["rows"].items()
    ]
    head = ["users", "median", "95th", "99th", "÷ fewest", "ready, ms", "resident, MiB"]
    head += ["import, s", "mfa, MiB", "daemon, MiB", "stored, MiB"]
    return [
        "## Many users",
        "",
        "![users](users.svg)",
        "",
        "Logins as above, in microseconds, in turns among daemons with so many users; `ready` is from the start of",
        "the program to its first answer, the median of nine; `resident` after the logins. Then `mfa admin import` of",
        "that many: seconds, and the peaks of memory.",
        "",
        *table(head, rows),
        f"A user costs {number(found['bytes each'])} bytes of the daemon's memory.",
        "",
    ]


def connections(found):
    rows = []
    for count, row in found.items():
        written = "not told" if row["bytes"] is None else number(row["bytes"])
        rows.append([count, *(number(row[k]) for k in ("rate", "median", "p95", "p99")), written])
    return [
        "## Kept connections",
        "",
        "![verifications](verifications.svg)",
        "",
        "`verify` on connections that stay open, each with one question at a time, every answer durable and right;",
        "microseconds of one, and the bytes that the daemon has written for it. The program that asks runs on the",
        "same cores.",
        "",
        *table(["connections", "a second", "median", "95th", "99th", "bytes"], rows),
    ]


def exchange(found):
    kex, burst = found["exchange"], found["burst"]
    logins = [[name, *(number(row[k]) for k in ("median", "p95", "p99", "count"))] for name, row in
              (("quiet", burst["quiet"]), (f"during {burst['enrolments']} enrolments", burst["meanwhile"]))]
    return [
        "## Exchanges and enrolments",
        "",
        f"A key exchange in ffdhe3072 takes {number(kex['server'])} ms of the daemon's processor time, with two",
        f"exponentiations in it, the check of the other's number and all messages. One exponentiation of OpenSSL",
        f"(`BN_mod_exp_mont_consttime`, the same group, exponents of 275 bits) takes {number(kex['openssl'])} ms, so the",
        f"exchange takes {number(kex['ratio'])} times two of them. From the client's `params` to its last answer, with its own two",
        f"exponentiations, it takes {number(kex['both'])} ms.",
        "",
        f"{burst['enrolments']} enrolments begun together, from the exchange to the confirmed token, take {number(burst['seconds'])} s.",
        "Logins meanwhile, one at a time, in microseconds; clients and logins are on the same cores:",
        "",
        *table(["logins", "median", "95th", "99th", "logins"], logins),
    ]


def module(found):
    rows = [[name, number(row["KiB"]), number(row["load"])] for name, row in found["rows"].items()]
    return [
        "## The module",
        "",
        "Size, and microseconds of dlopen and dlclose in a program that has libpam and not libgcc_s:",
        "",
        *table(["module", "KiB", "load"], rows),
    ]


def idle(found):
    return [
        "## Idle",
        "",
        f"{SPARE} seconds after 100 logins, over {found['seconds']} s without one: {number(found['processor'])} s of the processor, {found['woken']} wake-ups,",
        f"{number(found['resident'])} MiB resident. Under systemd its watchdog wakes it as well.",
        "",
    ]


def disk(found):
    return [
        "## The disk",
        "",
        f"One fdatasync after 4 KiB, written in place: {number(found['median'])} µs in the median, {number(found['p95'])} the 95th,",
        f"{number(found['p99'])} the 99th.",
        "",
    ]


def groups(found):
    return [
        "## P and G",
        "",
        f"{found['groups']} safe primes of 2048 bits, in the mean: `mfa params generate` {number(found['mfa'])} s, `openssl dhparam`",
        f"{number(found['openssl'])} s. A search ends by luck, and so few say little: `make bench-params` finds 20 of each.",
        "",
    ]


SECTIONS = {
    "disk": disk, "alone": alone, "crowds": crowds, "users": users, "connections": connections,
    "exchange": exchange, "module": module, "idle": idle, "groups": groups,
}


def origin(wheres):
    """Once, where all sections come from one run."""
    lines = []
    for section, where in wheres.items():
        line = f"{where['date']}, mfa at {where['commit']}, {', '.join(where['versions'])}; {where['machine']}."
        if lines and lines[-1][1] == line:
            lines[-1][0].append(section)
        else:
            lines.append([[section], line])
    return [line if len(lines) == 1 else f"- {', '.join(of)}: {line}" for of, line in lines]


def text(results, wheres):
    lines = [
        "# Benchmarks",
        "",
        "Written by `make bench`, which says below what it measures. [How cost grows beyond one machine](scale.md).",
        "",
        *goals(results),
        *origin(wheres),
        "",
    ]
    for name, told in SECTIONS.items():
        if name in results:
            lines += told(results[name])
    return "\n".join(lines).rstrip() + "\n"


def quote(readme, results, wheres):
    """README.md with logins and goals between its two marks."""
    before, rest = readme.split(BEGIN, 1)
    _, after = rest.split(END, 1)
    return "\n".join([before + BEGIN, *logins(results), *goals(results), *origin(wheres), END]) + after


def logins(results):
    """One at a time, and sixteen at once."""
    if not {"alone", "crowds"} <= results.keys():
        return []
    rows = []
    for name, row in results["alone"].items():
        crowd = results["crowds"][name]["16"]
        times = [number(row[k]) for k in ("median", "p95", "p99")]
        rows.append([name, *times, number(crowd["rate"]), f"{crowd['refused']:,} of {crowd['logins']:,}"])
    return table(["login through", "median", "95th", "99th", "16 at once, a second", "right codes refused"], rows)
