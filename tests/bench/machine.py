"""Where and with what it was measured."""

import datetime
import os
import pathlib
import platform
import subprocess

from programs import ROOT, output

PACKAGES = ("libpam-google-authenticator", "libpam-oath", "libpam0g")


def here(place):
    information = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(": ")[1] for line in information if "model name" in line), "unknown processor")
    versions = [f"{name} {output('dpkg-query', '-W', '-f', '${Version}', name)}" for name in PACKAGES]
    versions.append(" ".join(output("openssl", "version").split()[:2]))
    git = ["git", "-C", ROOT, "describe", "--always", "--dirty"]
    commit = subprocess.run(git, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout.strip()
    return {
        "date": str(datetime.date.today()),
        "commit": commit or "no commit",
        "versions": versions,
        "machine": f"{model}, {os.cpu_count()} cores, Linux {platform.release()}, {place}",
        "load": os.getloadavg()[0],
    }
