"""Verifications over connections that are kept, as a portal or a relay has them."""

import random
import statistics

from daemon import Daemon
from people import User
from programs import RELEASE, Failed, output, say

USERS = 1_000
CONNECTIONS = (1, 4, 16, 32, 64, 128, 256)
# Of each user in a block, by connections: a block takes about as long with few as with many.
EACH = {1: 1, 4: 3}


def measure(home, sizes):
    users = [User(number, counting=True) for number in range(USERS)]
    file = home / "secrets"
    file.write_text("".join(f"{user.name} {user.secret.hex()}\n" for user in users))
    blocks = {connections: [] for connections in CONNECTIONS}
    counter = 0
    with Daemon(home / "daemon") as daemon:
        daemon.import_users(users)
        daemon.restart()
        order = random.Random(sizes.connections)
        for _ in range(sizes.connections):
            for connections in order.sample(CONNECTIONS, len(CONNECTIONS)):
                each = EACH.get(connections, sizes.verifications)
                command = [RELEASE / "kept-bench", daemon.socket, file, connections, counter, each]
                written = daemon.written()
                block = [float(figure) for figure in output(*map(str, command)).split()]
                counter += each
                if block[1] > 0:
                    raise Failed(f"{block[1]:.0f} right codes refused over {connections} connections")
                bytes_each = None if written is None else (daemon.written() - written) / block[0]
                blocks[connections].append([*block, bytes_each])
    say(f"{counter * USERS:,} verifications over kept connections")
    return {str(connections): told(of) for connections, of in blocks.items()}


def told(blocks):
    accepted, seconds = sum(b[0] for b in blocks), sum(b[2] for b in blocks)
    # Of the blocks, that in the middle: one that was disturbed does not count.
    middle = [sorted(b[column] for b in blocks)[len(blocks) // 2] / 1000 for column in (3, 4, 5)]
    figures = dict(zip(("median", "p95", "p99"), middle))
    bytes_each = statistics.median(b[6] for b in blocks) if blocks[0][6] is not None else None
    return {"rate": accepted / seconds, **figures, "bytes": bytes_each, "count": int(accepted)}
