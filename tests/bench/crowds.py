"""Logins at once, each by a process of its own as sshd has one, all with right codes."""

import os
import random

from candidates import PEERS_USERS, All
from daemon import Daemon
from people import User, write_logins
from programs import Waiting, say
from times import SUCCESS, read_logins, summary

LEVELS = (1, 4, 16, 64)


def measure(home, sizes):
    rounds = [(number, level) for number in range(sizes.crowds) for level in LEVELS]
    pools = [range(at * PEERS_USERS, (at + 1) * PEERS_USERS) for at in range(len(rounds))]
    found = {}
    with Daemon(home / "daemon") as daemon:
        daemon.import_users([User(number) for pool in pools for number in pool])
        daemon.restart()
        with All(home, daemon) as candidates:
            order = random.Random(len(rounds))
            for (number, level), pool in zip(rounds, pools):
                users = [User(number) for number in pool]
                for candidate in order.sample(candidates, len(candidates)):
                    candidate.prepare(users)
                    block = crowd(home, candidate, users, level)
                    found.setdefault(candidate.name, {}).setdefault(str(level), []).append(block)
                say(f"{level} at once, round {number + 1} of {sizes.crowds}")
    return {c.name: {level: told(blocks) for level, blocks in found[c.name].items()} for c in candidates}


def crowd(home, candidate, users, level):
    """Begins all of them together: what they read is the end of the same pipe."""
    end, beginning = os.pipe()
    os.set_inheritable(beginning, False)
    processes = []
    try:
        for one in range(level):
            logins = home / f"logins-{one}"
            write_logins(logins, users[one::level])
            processes.append(Waiting(*candidate.command(logins, "--together"), stdin=end))
        for process in processes:
            process.ready()
        os.close(beginning)
        beginning = None
        lines = [process.lines() for process in processes]
    finally:
        os.close(end)
        if beginning is not None:
            os.close(beginning)
        for process in processes:
            process.kill()
    begun = min(int(told[0].split()[0]) for told in lines)
    ended = max(int(told[0].split()[1]) for told in lines)
    logins = [login for told in lines for login in read_logins(told[1:])]
    refused = sum(result != SUCCESS for _, _, result in logins)
    times = [whole for whole, _, result in logins if result == SUCCESS]
    return {"seconds": (ended - begun) / 1e9, "refused": refused, "logins": len(logins), "times": times}


def told(blocks):
    """Logins a second are those that succeeded."""
    times = [time for block in blocks for time in block["times"]]
    logins, refused = (sum(block[what] for block in blocks) for what in ("logins", "refused"))
    rate = (logins - refused) / sum(block["seconds"] for block in blocks)
    return {**(summary(times) if times else {}), "logins": logins, "refused": refused, "rate": rate}
