#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the database of a released schema with the programs of that time.

    make.py DAEMON MFA SCHEMA

writes schemaN.sql, the database as SQL text, and schemaN.json: the master key and what a test needs to
log these users in. Needs root and libfaketime: every database is of 2026-11-02, and tests set their clock
to that day. None of these secrets was ever anybody's."""

import base64, hashlib, hmac, json, os, socket, sqlite3, struct, subprocess, sys, tempfile, time
from urllib.parse import parse_qs, urlparse

MADE = 1_793_577_600
daemon, mfa, schema = sys.argv[1], sys.argv[2], int(sys.argv[3])
home = tempfile.mkdtemp()
os.chmod(home, 0o755)
state = f"{home}/state"
env = {
    "PATH": os.environ["PATH"],
    "LD_PRELOAD": "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
    "FAKETIME": f"{MADE - int(time.time()):+d}",
    "DONT_FAKE_MONOTONIC": "1",
    "MFA_SOCKET": f"{home}/run/s",
}
with open(f"{home}/mfa.toml", "w") as file:
    file.write(
        f'socket = "{home}/run/s"\nissuer = "fixture"\n[store]\nurl = "sqlite:{state}/mfa.db"\n'
        f'[master_key]\nfile = "{state}/master.key"\n[exchange]\ngroup = "ffdhe2048"\n'
    )
ready = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
ready.bind(f"{home}/notify")
running = subprocess.Popen(
    [daemon, "--config", f"{home}/mfa.toml"], env=env | {"NOTIFY_SOCKET": f"{home}/notify"}
)
ready.settimeout(20)
ready.recv(512)


def run(*arguments, ends=0, typed=None):
    ended = subprocess.run(
        [mfa, "--json", *arguments], env=env, input=typed, capture_output=True, text=True
    )
    assert ended.returncode == ends, (arguments, ended)
    return [json.loads(line) for line in ended.stdout.splitlines()]


def code(uri, ahead=0):
    given = {name: value[0] for name, value in parse_qs(urlparse(uri).query).items()}
    secret = base64.b32decode(given["secret"] + "=" * (-len(given["secret"]) % 8))
    counter = max(int(given.get("counter", MADE // 30)) + ahead, 0)
    mac = hmac.new(secret, struct.pack(">Q", counter), hashlib.sha1).digest()
    at = mac[-1] & 15
    return f"{(struct.unpack('>I', mac[at:at + 4])[0] & 0x7FFFFFFF) % 10**6:06d}"


tokens, recovery = {}, {}


def enroll(user, name, *more):
    file = f"{home}/{user}-{name}"
    said = run("enroll", "--user", user, "--name", name, "--save-token", file, *more)
    codes = [codes for each in said if (codes := each.get("recovery_codes"))]
    recovery.setdefault(user, codes[0] if codes else [])
    with open(file) as written:
        tokens.setdefault(user, {})[name] = written.read().strip()


def wrong(user):
    token = tokens[user].values()
    near = {code(uri, ahead) for uri in token for ahead in range(-12, 120)}
    run("verify", "--user", user, next(c for n in range(10**6) if (c := f"{n:06d}") not in near), ends=1)


# Several tokens, one moved by a counter, a recovery code used, two wrong codes since.
enroll("alice", "phone")
enroll("alice", "key", "--hotp")
run("verify", "--user", "alice", recovery["alice"][0])
wrong("alice")
wrong("alice")
# From another system, with a code spent there.
spent = "12345678901234567890"
tokens["bob"] = {"imported": "otpauth://totp/fixture:bob?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=fixture"}
then = time.strftime("%FT%TL", time.gmtime(MADE))
with open(f"{home}/users.oath", "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
    file.write(f"HOTP/T30 bob - {spent.encode().hex()} 0 {code(tokens['bob']['imported'])} {then}\n")
env["TZ"] = "UTC0"
run("admin", "import", f"{home}/users.oath", "--format", "users.oath")
# A token that never saw its first code.
run("enroll", "--user", "carol", "--name", "pending", typed="", ends=1)
# A row that will be damaged, and an account that is locked.
enroll("dave", "phone")
enroll("erin", "phone")
for _ in range(5):
    wrong("erin")
issued = {}
if schema >= 2:
    enroll("frank", "phone")
    issued["bypass"] = run("admin", "bypass", "frank", "--for", "30d", "--uses", "2")[0]["code"]
    issued["bypass_of_sshd"] = run("admin", "bypass", "frank", "--for", "30d", "--service", "sshd")[0]["code"]
    issued["invite"] = run("admin", "invite", "nobody", "--for", "30d")[0]["code"]

running.terminate()
running.wait()
database = sqlite3.connect(f"{state}/mfa.db")
assert database.execute("PRAGMA user_version").fetchone() == (schema,)
database.execute("UPDATE user SET record = substr(record, 1, length(record) - 9) WHERE name = 'dave'")
here = os.path.dirname(os.path.abspath(__file__))
with open(f"{here}/schema{schema}.sql", "w") as file:
    for name in ("application_id", "user_version"):
        file.write(f"PRAGMA {name} = {database.execute(f'PRAGMA {name}').fetchone()[0]};\n")
    for line in database.iterdump():
        file.write(f"{line}\n")
with open(f"{state}/master.key", "rb") as file:
    key = file.read().hex()
known = {"made": MADE, "master_key": key, "tokens": tokens, "recovery": recovery, **issued}
with open(f"{here}/schema{schema}.json", "w") as file:
    json.dump(known, file, indent=1)
    file.write("\n")
