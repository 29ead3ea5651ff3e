"""Users, their codes, and their tokens as each candidate's own tools write them."""

import base64
import hashlib
import hmac
import os
import random
import struct
import time


class User:
    """Somebody with a token that moves with time, or with use where `counting`."""

    def __init__(self, number, counting=False):
        # Every number has its name, and the names come in no order that a store could profit from.
        self.name = f"u{number * 2_654_435_761 % 2**32:08x}"
        self.secret = hashlib.sha1(b"bench %d" % number).digest()
        self.counting, self.used = counting, 0

    def code(self):
        """A code that opens a login now. RFC 4226 and RFC 6238 with the usual parameters."""
        counter = self.used if self.counting else int(time.time()) // 30
        self.used += 1
        digest = hmac.digest(self.secret, struct.pack(">Q", counter), "sha1")
        (word,) = struct.unpack_from(">I", digest, digest[-1] & 15)
        return f"{(word & 0x7FFF_FFFF) % 10**6:06}"


def write_logins(path, users):
    """What pam-bench reads: users and their codes."""
    path.write_text("".join(f"{user.name} {user.code()}\n" for user in users))


def write_users_oath(path, users):
    """Not in order: that would be the best case of an import."""
    shuffled = random.Random(len(users)).sample(users, len(users))
    kinds = {False: "HOTP/T30", True: "HOTP"}
    with open(path, "w", opener=private) as file:
        for user in shuffled:
            file.write(f"{kinds[user.counting]} {user.name} - {user.secret.hex()}\n")


def write_google_authenticator(directory, users):
    """As `google-authenticator -t -d -f -r 3 -R 30 -w 3` writes them."""
    directory.mkdir(mode=0o700)
    for user in users:
        lines = [base64.b32encode(user.secret).decode(), '" RATE_LIMIT 3 30', '" WINDOW_SIZE 3']
        lines += ['" DISALLOW_REUSE', '" TOTP_AUTH', *(f"{n}0123456" for n in range(1, 6))]
        with open(directory / user.name, "w", opener=private) as file:
            file.write("\n".join(lines) + "\n")


def private(path, flags):
    return os.open(path, flags, 0o600)
