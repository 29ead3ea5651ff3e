"""The disk below all of this: one durable write of a page, in place."""

import os
import time

from times import summary

PAGE = b"\x5a" * 4096
PAGES = 64


def measure(home, sizes):
    file = os.open(home / "log", os.O_RDWR | os.O_CREAT, 0o600)
    os.write(file, PAGE * PAGES)
    os.fsync(file)
    times = []
    for number in range(sizes.syncs):
        begun = time.perf_counter_ns()
        os.pwrite(file, PAGE, number % PAGES * len(PAGE))
        os.fdatasync(file)
        times.append((time.perf_counter_ns() - begun) / 1000)
    os.close(file)
    return summary(times)
