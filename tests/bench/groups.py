"""P and G: how long a search for a safe prime takes, beside OpenSSL."""

import re

from programs import ROOT, Failed, output


def measure(home, sizes):
    text = output(ROOT / "tests/bench-params", str(sizes.groups))
    rows = dict(re.findall(r"^ +(mfa|openssl) +mean +([0-9.]+)", text, re.MULTILINE))
    ratio = re.search(r"mean of openssl ([0-9.]+), goal ([0-9.]+)", text)
    if len(rows) != 2 or not ratio:
        raise Failed(f"bench-params says something else: {text}")
    return {
        "groups": sizes.groups,
        **{name: float(seconds) for name, seconds in rows.items()},
        "ratio": float(ratio[1]),
    }
