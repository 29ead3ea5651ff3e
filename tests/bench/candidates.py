"""What a login goes through: the peers, mfa, and the least that any module could cost."""

import os
import pwd

from people import write_google_authenticator, write_users_oath
from programs import RELEASE, Waiting

PEERS_USERS = 1_000


class Candidate:
    """A stack of one line. `prepare` gives it users whose codes are all unused."""

    name = "pam_permit"
    options = ()

    def __init__(self, home):
        self.confdir = home / "pam.d"
        self.confdir.mkdir(exist_ok=True)
        (self.confdir / "other").touch()
        self.service = "".join(filter(str.isalnum, self.name))

    def prepare(self, users):
        self.write("auth required pam_permit.so\n")

    def write(self, stack):
        (self.confdir / self.service).write_text(stack)

    def command(self, logins, *options):
        program = RELEASE / "pam-bench"
        return [program, self.confdir, self.service, logins, *self.options, *options]


class Least(Candidate):
    """pam_permit, two questions, each on a fresh Unix socket, and one durable page."""

    name = "least"

    def __init__(self, home):
        super().__init__(home)
        socket = home / "least.sock"
        self.options = ("--least", socket)
        self.daemon = Waiting(RELEASE / "least-daemon", socket, home / "least")
        self.daemon.ready()


class Mfa(Candidate):
    name = "mfa"

    def __init__(self, home, daemon):
        super().__init__(home)
        self.daemon = daemon

    def prepare(self, users):
        """They were all imported before: of them it has any number."""
        self.write(self.daemon.stack("timeout=30"))


class GoogleAuthenticator(Candidate):
    name = "google_authenticator"

    def __init__(self, home):
        super().__init__(home)
        self.home, self.round = home, 0

    def prepare(self, users):
        self.round += 1
        secrets = self.home / f"google-{self.round}"
        write_google_authenticator(secrets, users)
        me = pwd.getpwuid(os.getuid()).pw_name
        self.write(f"auth required pam_google_authenticator.so secret={secrets}/${{USER}} user={me}\n")


class Oath(Candidate):
    name = "pam_oath"

    def __init__(self, home):
        super().__init__(home)
        self.file = home / "oath" / "users.oath"
        self.file.parent.mkdir(mode=0o700)

    def prepare(self, users):
        write_users_oath(self.file, users)
        self.write(f"auth required pam_oath.so usersfile={self.file} window=20 digits=6\n")


class All:
    """The candidates, in `with`, so that what serves them ends."""

    def __init__(self, home, daemon):
        self.least = Least(home)
        self.list = [Candidate(home), self.least, Mfa(home, daemon), GoogleAuthenticator(home), Oath(home)]

    def __enter__(self):
        return self.list

    def __exit__(self, *_):
        self.least.daemon.kill()
