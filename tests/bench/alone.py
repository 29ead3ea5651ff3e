"""Logins one at a time, the candidates in turns."""

import itertools
import random
import statistics

from candidates import PEERS_USERS, All
from daemon import Daemon
from people import User, write_logins
from programs import output, say
from times import one_at_a_time, ratio_in_turns, summary

BLOCK = 20


def measure(home, sizes):
    blocks = min(sizes.alone // BLOCK, PEERS_USERS // BLOCK - 1)
    users = [User(number) for number in range(PEERS_USERS)]
    with Daemon(home / "daemon") as daemon:
        daemon.import_users(users)
        daemon.restart()
        with All(home, daemon) as candidates:
            for candidate in candidates:
                candidate.prepare(users)
            whole = {candidate.name: [] for candidate in candidates}
            authenticate = {candidate.name: [] for candidate in candidates}
            order = random.Random(blocks)
            for number in range(blocks):
                block = users[number * BLOCK : (number + 1) * BLOCK]
                for candidate in order.sample(candidates, len(candidates)):
                    write_logins(home / "logins", block)
                    logins = one_at_a_time(candidate.command(home / "logins"))
                    whole[candidate.name].append([login[0] for login in logins])
                    authenticate[candidate.name].append([login[1] for login in logins])
            say(f"{blocks * BLOCK} logins of each candidate, one at a time")
            calls = {c.name: count_calls(home, c, users[-BLOCK:]) for c in candidates}
    rows = {}
    for name, times in whole.items():
        rows[name] = summary(list(itertools.chain(*times)))
        rows[name]["authenticate"] = statistics.median(itertools.chain(*authenticate[name]))
        rows[name]["calls"] = calls[name]
        for other in ("least", "google_authenticator", "pam_oath"):
            rows[name][f"by {other}"] = ratio_in_turns(times, whole[other])
    return rows


def count_calls(home, candidate, users):
    """System calls of a login in the process of the login program."""
    counts = []
    for some in users, []:
        write_logins(home / "logins", some)
        summary_file = home / "calls"
        strace = ["strace", "-c", "-U", "calls,name", "-o", summary_file]
        output(*strace, *candidate.command(home / "logins"))
        rows = (line.split() for line in summary_file.read_text().splitlines())
        counts.append(next(int(row[0]) for row in rows if row[1:] == ["total"]))
    return round((counts[0] - counts[1]) / len(users))
