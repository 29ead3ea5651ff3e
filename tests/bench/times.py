"""Times of logins, and what is told of many of them."""

import statistics

from programs import Failed, output

SUCCESS = "PAM_SUCCESS"


def micro(nanoseconds):
    return nanoseconds / 1000


def at(percent, times):
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


def summary(times):
    """Median, 95th and 99th, in microseconds."""
    return {"median": statistics.median(times), "p95": at(95, times), "p99": at(99, times), "count": len(times)}


def read_logins(lines):
    """Whole and authentication, in microseconds, and the result of each login."""
    rows = [line.split() for line in lines]
    return [(micro(int(whole)), micro(int(authenticate)), result) for whole, authenticate, result in rows]


def one_at_a_time(command):
    """pam-bench fails unless everybody is let in."""
    logins = read_logins(output(*command).splitlines())
    if any(result != SUCCESS for _, _, result in logins):
        raise Failed(f"{command[2]}: somebody was not let in")
    return logins


def ratio_in_turns(mine, theirs):
    """The median of the ratios of neighbouring blocks: what disturbs both does not count."""
    pairs = zip(map(statistics.median, mine), map(statistics.median, theirs))
    return statistics.median(one / other for one, other in pairs)
