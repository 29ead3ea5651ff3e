"""What is to be reached, beside what was found. A figure that was not measured meets nothing."""

from connections import CONNECTIONS

# Verifications a second over kept connections.
DURABLE = 20_000


class Goal:
    def __init__(self, section, text, figure, bound, unit="", least=False):
        self.section, self.text, self.figure = section, text, figure
        self.bound, self.unit, self.least = bound, unit, least

    def found(self, results):
        return self.figure(results[self.section]) if self.section in results else None

    def met(self, results):
        found = self.found(results)
        if found is None:
            return False
        return found >= self.bound if self.least else found <= self.bound

    def row(self, results):
        found = self.found(results)
        shown = "not measured" if found is None else number(found) + self.unit
        verdict = "met" if self.met(results) else "not met" if found is not None else ""
        return [self.text, ("at least " if self.least else "at most ") + number(self.bound) + self.unit, shown, verdict]


def number(value):
    """With as many digits as tell something."""
    return f"{value:,.0f}" if abs(value) >= 100 or float(value).is_integer() else f"{value:.2f}"


def busiest(section):
    """The fewest connections that reach the goal, else those that come nearest."""
    enough = [c for c in CONNECTIONS if section[str(c)]["rate"] >= DURABLE]
    return section[str(enough[0] if enough else max(CONNECTIONS, key=lambda c: section[str(c)]["rate"]))]


def rates(section, name):
    return section[name]["16"]["rate"]


def largest(section):
    return section["rows"][max(section["rows"], key=int)]


def imported(section):
    return largest(section)["import"]


GOALS = [
    Goal("alone", "a login ÷ the least possible", lambda s: s["mfa"]["by least"], 1.5),
    Goal("alone", "a login ÷ google_authenticator's", lambda s: s["mfa"]["by google_authenticator"], 1),
    Goal("alone", "a login ÷ pam_oath's", lambda s: s["mfa"]["by pam_oath"], 1),
    Goal("crowds", "logins a second ÷ google_authenticator's, 16 at once",
         lambda s: rates(s, "mfa") / max(rates(s, "google_authenticator"), 1e-9), 10, least=True),
    Goal("crowds", "right codes refused, 1 to 64 at once",
         lambda s: sum(level["refused"] for level in s["mfa"].values()), 0),
    Goal("users", "a login with most users ÷ with fewest", lambda s: largest(s)["ratio"], 1.2),
    Goal("connections", "durable verifications a second", lambda s: busiest(s)["rate"], DURABLE, least=True),
    Goal("connections", "their 99th ÷ the quiet median", lambda s: busiest(s)["p99"] / s["1"]["median"], 10),
    Goal("exchange", "an exchange in the daemon ÷ two exponentiations of OpenSSL",
         lambda s: s["exchange"]["ratio"], 2),
    Goal("exchange", "a login during 100 enrolments ÷ the quiet median", lambda s: s["burst"]["ratio"], 3),
    Goal("idle", "the idle daemon, resident", lambda s: s["resident"], 10, " MiB"),
    Goal("idle", "its wake-ups in 30 s", lambda s: s["woken"], 0),
    Goal("users", "ready with most users", lambda s: largest(s)["ready"], 30, " ms"),
    Goal("users", "memory of an enrolled user", lambda s: s["bytes each"], 200, " bytes"),
    Goal("module", "the module, stripped", lambda s: s["rows"]["mfa"]["KiB"], 500, " KiB"),
    Goal("module", "its load ÷ google_authenticator's", lambda s: s["ratio"], 1.5),
    Goal("users", "import of most users", lambda s: imported(s)["seconds"], 15, " s"),
    Goal("users", "memory for it, of mfa and of the daemon each",
         lambda s: max(imported(s)["mfa"], imported(s)["daemon"]), 200, " MiB"),
    Goal("groups", "search for a safe prime of 2048 bits ÷ OpenSSL's", lambda s: s["ratio"], 0.5),
]
