"""A key exchange: what it takes of the daemon, beside OpenSSL's exponentiations alone; and what a
burst of enrolments does to those who log in meanwhile."""

import itertools
import pathlib
import statistics

from candidates import Mfa
from daemon import Daemon
from people import User, write_logins
from programs import RELEASE, Failed, Waiting, output, say
from times import one_at_a_time, summary

# The default group, and the bits of an exponent in it: RFC 7919, appendix A.3.
EXPONENT_BITS = 275
EXPONENTIATIONS = 2
# The kernel tells a process's time in hundredths of a second.
BLOCK = 80
LOGINS = 20


def measure(home, sizes):
    source = pathlib.Path(__file__).with_name("openssl-exponentiation.c")
    openssl = home / "openssl-exponentiation"
    # It asks for a group by name the old way, which works with OpenSSL 1.1.1 and 3.
    output("cc", "-O2", "-Wno-deprecated-declarations", "-o", openssl, source, "-lcrypto")
    with Daemon(home / "daemon") as daemon:
        exchanges = in_turns(daemon, openssl, sizes.exchanges)
        daemon.restart()
        burst = bursts(home, daemon, sizes)
    return {"exchange": exchanges, "burst": burst}


def in_turns(daemon, openssl, blocks):
    """Milliseconds of the processor for an exchange in the daemon, and for one exponentiation."""
    command = [RELEASE / "exchange-bench", daemon.socket, "exchange", str(BLOCK)]
    server, elapsed, exponentiation = [], [], []
    for _ in range(blocks):
        before = daemon.processor_seconds()
        elapsed.append(float(output(*command)) / BLOCK * 1000)
        server.append((daemon.processor_seconds() - before) / BLOCK * 1000)
        exponentiation.append(int(output(openssl, str(EXPONENT_BITS), str(BLOCK))) / 1e6)
    say(f"{blocks * BLOCK} exchanges")
    ratios = [mine / EXPONENTIATIONS / theirs for mine, theirs in zip(server, exponentiation)]
    return {
        "server": statistics.median(server),
        "both": statistics.median(elapsed),
        "openssl": statistics.median(exponentiation),
        "ratio": statistics.median(ratios),
    }


def bursts(home, daemon, sizes):
    user = User(0, counting=True)
    daemon.import_users([user])
    candidate = Mfa(home, daemon)
    candidate.prepare([user])

    def block():
        write_logins(home / "logins", [user] * LOGINS)
        return [whole for whole, _, _ in one_at_a_time(candidate.command(home / "logins"))]

    quiet, meanwhile, seconds = [], [], []
    for _ in range(sizes.bursts):
        quiet += itertools.chain(*(block() for _ in range(10)))
        command = RELEASE / "exchange-bench", daemon.socket, "enroll", str(sizes.enrolments)
        enrolments = Waiting(*command)
        try:
            enrolments.ready()
            enrolments.go()
            blocks = []
            while enrolments.running():
                blocks.append(block())
            # The last block may have gone on when the burst was over.
            meanwhile += itertools.chain(*blocks[:-1])
            seconds.append(float(enrolments.lines()[0]))
        finally:
            enrolments.kill()
    if not meanwhile:
        raise Failed("the enrolments were over before a block of logins was")
    say(f"{sizes.bursts} times {sizes.enrolments} enrolments at once")
    ratio = statistics.median(meanwhile) / statistics.median(quiet)
    return {
        "enrolments": sizes.enrolments,
        "seconds": statistics.median(seconds),
        "quiet": summary(quiet),
        "meanwhile": summary(meanwhile),
        "ratio": ratio,
    }
