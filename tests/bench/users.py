"""How a login, a start, an import and the memory depend on the number of users.

Those who log in have tokens that move with use, so that a few can log in as often as many."""

import contextlib
import itertools
import random

from candidates import Mfa
from daemon import Daemon
from people import User, write_logins
from programs import say
from times import one_at_a_time, ratio_in_turns, summary

BLOCK = 20
# Those who log in are spread over all users, as far as there are so many.
LOGGING_IN = 500
STARTS = 9


def measure(home, sizes):
    daemons = {count: Daemon(home / str(count)) for count in sizes.users}
    imports, spread = {}, {}
    with contextlib.ExitStack() as stack:
        for count, daemon in daemons.items():
            stack.enter_context(daemon)
            users = [User(number) for number in range(count)]
            spread[count] = users[:: max(1, count // LOGGING_IN)][:LOGGING_IN]
            for user in spread[count]:
                user.counting = True
            imports[count] = daemon.import_users(users)
            del users
        starts = {count: sorted(daemon.restart() for _ in range(STARTS)) for count, daemon in daemons.items()}
        times = logins(home, daemons, spread, sizes.logins_by_users // BLOCK)
        resident = {count: daemon.resident() for count, daemon in daemons.items()}
    few, many = min(daemons), max(daemons)
    each = (resident[many] - resident[few]) * 2**20 / (many - few)
    rows = {}
    for count, blocks in times.items():
        rows[str(count)] = {
            **summary(list(itertools.chain(*blocks))),
            "ratio": ratio_in_turns(blocks, times[few]),
            "ready": starts[count][STARTS // 2] * 1000,
            "ready at most": starts[count][-1] * 1000,
            "resident": resident[count],
            "import": imports[count],
        }
    return {"rows": rows, "bytes each": each}


def logins(home, daemons, spread, blocks):
    """By number of users, whole logins in blocks."""
    candidates = {}
    for count, daemon in daemons.items():
        candidates[count] = Mfa(home, daemon)
        candidates[count].service = f"mfa{count}"
        candidates[count].prepare(spread[count])
    turns = {count: itertools.cycle(users) for count, users in spread.items()}
    times = {count: [] for count in daemons}
    order = random.Random(blocks)
    for _ in range(blocks):
        for count in order.sample(sorted(daemons), len(daemons)):
            write_logins(home / "logins", list(itertools.islice(turns[count], BLOCK)))
            block = one_at_a_time(candidates[count].command(home / "logins"))
            times[count].append([whole for whole, _, _ in block])
    say(f"{blocks * BLOCK} logins with each number of users")
    return times
