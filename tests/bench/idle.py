"""The daemon while nobody asks anything."""

import time

from candidates import Mfa
from daemon import Daemon
from people import User, write_logins
from times import one_at_a_time

# Threads that were needed for once end after 10 s, which they wake up for.
SPARE = 12


def measure(home, sizes):
    users = [User(number) for number in range(1_000)]
    with Daemon(home / "daemon") as daemon:
        daemon.import_users(users)
        daemon.restart()
        candidate = Mfa(home, daemon)
        candidate.prepare(users)
        # Not before it has worked: what a login leaves behind counts.
        write_logins(home / "logins", users[:100])
        one_at_a_time(candidate.command(home / "logins"))
        time.sleep(SPARE)
        processor, sleeps = daemon.processor_seconds(), daemon.sleeps()
        time.sleep(sizes.idle)
        return {
            "seconds": sizes.idle,
            "processor": daemon.processor_seconds() - processor,
            "woken": daemon.woken(sleeps),
            "resident": daemon.resident(),
        }
