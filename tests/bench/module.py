"""The module as a file: its size, and what loading and unloading it costs a login program."""

import ctypes
import pathlib
import statistics
import time

from programs import MODULE, Failed, output

RTLD_NOW = 2
BLOCK = 50


def measure(home, sizes):
    listed = output("dpkg", "-L", "libpam-google-authenticator").splitlines()
    google = next(path for path in listed if path.endswith("/pam_google_authenticator.so"))
    modules = {"mfa": str(MODULE), "google_authenticator": google}
    libc = ctypes.CDLL(None)
    libc.dlopen.restype, libc.dlopen.argtypes = ctypes.c_void_p, (ctypes.c_char_p, ctypes.c_int)
    libc.dlclose.argtypes = (ctypes.c_void_p,)
    # A login program has libpam; it is not loaded with the module.
    ctypes.CDLL("libpam.so.0")
    times = {name: [] for name in modules}
    for _ in range(sizes.loads):
        for name, path in modules.items():
            times[name].append(statistics.median(load(libc, path) for _ in range(BLOCK)))
    sizes_ = {name: pathlib.Path(path).stat().st_size / 1024 for name, path in modules.items()}
    rows = {n: {"KiB": sizes_[n], "load": statistics.median(times[n])} for n in modules}
    ratio = statistics.median(m / g for m, g in zip(times["mfa"], times["google_authenticator"]))
    return {"rows": rows, "ratio": ratio}


def load(libc, path):
    """Microseconds."""
    begun = time.perf_counter_ns()
    handle = libc.dlopen(path.encode(), RTLD_NOW)
    if not handle:
        raise Failed(f"{path} cannot be loaded")
    libc.dlclose(handle)
    return (time.perf_counter_ns() - begun) / 1000
