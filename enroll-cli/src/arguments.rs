// SPDX-License-Identifier: GPL-3.0-or-later
//! The command line.

mod pam;

pub(crate) use pam::{Disable, Enable, NoService, Pam, PamCommand, Service};

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum, value_parser};
use mfa_proto::{DEFAULT_SOCKET, TypedCode, UserName};

use crate::clock::Since;
use crate::commands::doctor::Check;
use crate::duration::Validity;
use crate::messages;

/// Second-factor login: enrol, get codes, look after tokens.
#[derive(Parser)]
#[command(
    name = "mfa",
    version,
    propagate_version = true,
    after_help = "Exit codes: 0 done, 1 refused or wrong code, 2 usage, 3 daemon unreachable, \
                  4 not permitted."
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Args)]
pub(crate) struct Global {
    /// The daemon's socket
    #[arg(
        long,
        global = true,
        env = "MFA_SOCKET",
        value_name = "PATH",
        default_value = DEFAULT_SOCKET
    )]
    pub(crate) socket: PathBuf,
    /// Print JSON, one object a line
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Print results only, no explanations
    #[arg(long, global = true)]
    pub(crate) quiet: bool,
    /// When to use colours; `auto` also honours NO_COLOR
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: When,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum When {
    Auto,
    Always,
    Never,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make a token: shows its secret as a QR code, activates it with its first code
    Enroll(Enroll),
    /// Print the current code of a token file
    Code(Code),
    /// Check a code now, as a login would; an accepted code is spent
    Verify(Verify),
    /// Show tokens, last use, failures, locks, recovery codes left and what spares a code
    Status(Status),
    /// Give a token a new secret; the old one works until the new one is confirmed
    Rotate(Rotate),
    /// Make ten new recovery codes; the old ones are void
    RecoveryCodes(OfUser),
    /// Remove a token for good
    Revoke(Revoke),
    /// Show what a login would get and the rule that decides it
    Explain(Explain),
    /// See who has what and what happened, unlock, reset, invite, import, export, back up
    Admin {
        #[command(subcommand)]
        command: Admin,
    },
    /// Have logins ask for a code, with a way back
    Pam(Pam),
    /// Make and check groups for the daemon's key exchange (exchange.group); needs no daemon
    Params {
        #[command(subcommand)]
        command: Params,
    },
    /// Look for what keeps logins from asking for a code, or from accepting one
    Doctor(Doctor),
    /// Print shell completions
    Completions {
        /// For which shell
        shell: clap_complete::Shell,
    },
}

#[derive(Args)]
#[command(
    after_help = "Exit codes: 0 nothing critical, 1 something critical (with --strict also a warning), \
                        3 daemon unreachable. As root more can be looked at."
)]
pub(crate) struct Doctor {
    /// End with 1 for warnings too
    #[arg(long)]
    pub(crate) strict: bool,
    /// Leave findings of this identifier out, such as sshd.key-alone; may be given several times
    #[arg(long, value_name = "ID", value_parser = check)]
    pub(crate) ignore: Vec<Check>,
}

fn check(id: &str) -> Result<Check, String> {
    Check::named(id).ok_or_else(|| messages::doctor::no_such_id().to_owned())
}

#[derive(Subcommand)]
pub(crate) enum Params {
    /// Find a safe prime P and its generator G, on all cores; 2048 bits take seconds, 8192 an hour
    Generate {
        /// Bits of P, 2048 to 8192
        #[arg(long, value_name = "N", default_value_t = 3072)]
        bits: usize,
        /// Write them to FILE, which must not exist, and not to standard output
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Test a PEM file as the daemon does: safe prime by random bases, generator, size, RFC 7919
    Check {
        /// As `openssl dhparam` and this command write it
        file: PathBuf,
    },
}

#[derive(Args)]
pub(crate) struct OfUser {
    /// Whose [default: your own]
    #[arg(long, value_name = "USER")]
    pub(crate) user: Option<UserName>,
}

#[derive(Args)]
pub(crate) struct Status {
    #[command(flatten)]
    pub(crate) of: OfUser,
    /// Ask for a code again at once where an earlier success still holds
    #[arg(long)]
    pub(crate) end_grace: bool,
}

#[derive(Args)]
pub(crate) struct Enroll {
    #[command(flatten)]
    pub(crate) of: OfUser,
    /// The new token's name
    #[arg(long, value_name = "TOKEN", default_value = "default")]
    pub(crate) name: String,
    /// Codes move by a counter (RFC 4226) and not by time (RFC 6238)
    #[arg(long)]
    pub(crate) hotp: bool,
    /// The invite code, where a first token needs one. Others on this machine can see arguments:
    /// with `-` it is asked for, or read from standard input where that is no terminal
    #[arg(long, value_name = "CODE", value_parser = typed_code, allow_hyphen_values = true)]
    pub(crate) invite: Option<TypedCode>,
    #[command(flatten)]
    pub(crate) display: Display,
}

#[derive(Args)]
pub(crate) struct Rotate {
    #[command(flatten)]
    pub(crate) of: OfUser,
    /// Which token; may be left out where there is one only
    #[arg(long, value_name = "TOKEN")]
    pub(crate) name: Option<String>,
    #[command(flatten)]
    pub(crate) display: Display,
}

/// Where a new secret goes.
#[derive(Args)]
pub(crate) struct Display {
    /// Write the token's otpauth address to FILE (mode 0600) and confirm it without being asked
    #[arg(long, value_name = "FILE")]
    pub(crate) save_token: Option<PathBuf>,
    /// When to show a QR code; `auto`: where it fits the window
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub(crate) qr: When,
    /// Let --save-token replace FILE where it exists
    #[arg(long, requires = "save_token")]
    pub(crate) force: bool,
}

#[derive(Args)]
pub(crate) struct Code {
    /// The token file: one line, an otpauth address
    /// [default: $XDG_CONFIG_HOME/mfa/token or ~/.config/mfa/token]
    #[arg(long, value_name = "FILE")]
    pub(crate) token: Option<PathBuf>,
    /// Go on with every new code and count down; Ctrl-C ends it
    #[arg(long)]
    pub(crate) watch: bool,
}

#[derive(Args)]
pub(crate) struct Verify {
    #[command(flatten)]
    pub(crate) of: OfUser,
    /// The code; without it you are asked, or standard input gives it where it is no terminal
    #[arg(value_parser = typed_code)]
    pub(crate) code: Option<TypedCode>,
}

#[derive(Args)]
pub(crate) struct Revoke {
    #[command(flatten)]
    pub(crate) of: OfUser,
    /// Which token; may be left out where there is one only
    #[arg(long, value_name = "TOKEN")]
    pub(crate) name: Option<String>,
}

#[derive(Subcommand)]
pub(crate) enum Admin {
    /// List who is known, one user a line
    List(List),
    /// Show all that is known of one user, with the last entries of the audit trail
    Show {
        /// Whom
        user: UserName,
    },
    /// Count users, tokens, locks and the decisions of the last hour and day
    Stats,
    /// Show the audit trail: every decision and every act of administration
    Audit(Audit),
    /// End a lock and count failures from zero again
    Unlock {
        /// Whose
        user: UserName,
    },
    /// Remove a user's tokens, recovery codes, bypass and invite codes, also where they cannot be read
    Reset {
        /// Whose
        user: UserName,
        /// Do not ask whether it is meant
        #[arg(long)]
        yes: bool,
    },
    /// Make a code that allows a user's first enrolment; it is shown once
    Invite(Invite),
    /// Make a code that opens a user's logins in place of a token's code; it is shown once
    Bypass(Bypass),
    /// Ask a user for a code again at once where an earlier success still holds
    EndGrace {
        /// Whom
        user: UserName,
    },
    /// Take over users from another system; who is known already is left as he is
    Import(Import),
    /// Write who has what to standard output, with secrets only into a pipe
    Export(Export),
    /// Copy the store into FILE while people log in; it is sealed under the master key, which is not in it
    Backup {
        /// Replaced where it exists; - for standard output, which must not be a terminal
        file: PathBuf,
    },
    /// Put a backup into the place of what there is; no code from before opens a login afterwards
    Restore {
        /// What `mfa admin backup` wrote; - for standard input
        file: PathBuf,
        /// Do not ask whether it is meant
        #[arg(long)]
        yes: bool,
    },
    /// Look at every page, every record and every secret of the store; 1 where something is damaged
    Check,
    /// Put a new master key into the place of the old one, while people log in
    Rekey {
        /// Do not ask whether it is meant
        #[arg(long)]
        yes: bool,
    },
    /// Have the daemon read its configuration again; one with a mistake changes nothing
    Reload,
}

#[derive(Args)]
pub(crate) struct List {
    /// Only users of this state
    #[arg(long)]
    pub(crate) state: Option<State>,
    /// Only users whose name is like this; * stands for any characters, ? for one
    #[arg(long, value_name = "PATTERN")]
    pub(crate) user: Option<String>,
    /// In the order of this: names as they stand in the store; the least, oldest or never first
    #[arg(long, value_name = "BY", default_value = "name")]
    pub(crate) sort: SortBy,
    /// The other way round
    #[arg(long)]
    pub(crate) reverse: bool,
}

/// What a user can be, for `mfa admin list --state`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum State {
    /// Has a token
    Enrolled,
    /// Has none, but an invite or a bypass code
    Unenrolled,
    /// Is not let in for now, because of wrong codes
    Locked,
    /// Has an invite code that is good
    Invited,
    /// Has a bypass code that is good
    Bypass,
    /// Has a record that cannot be read
    Damaged,
}

/// What `mfa admin list` sorts by.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum SortBy {
    Name,
    LastUsed,
    Failures,
    Created,
}

#[derive(Args)]
pub(crate) struct Audit {
    /// Only entries of this user
    #[arg(long, value_name = "USER")]
    pub(crate) user: Option<UserName>,
    /// Only entries since then: 90s, 15m, 2h, 7d ago, or a date such as 2026-11-24 or "2026-11-24 08:00"
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<Since>,
    /// Go on with every new entry; Ctrl-C ends it
    #[arg(long)]
    pub(crate) follow: bool,
}

#[derive(Args)]
pub(crate) struct Invite {
    /// Whom
    pub(crate) user: UserName,
    /// How long it is good: 90s, 15m, 1h, 7d, at most 30d
    #[arg(long = "for", value_name = "TIME", default_value = "24h")]
    pub(crate) validity: Validity,
}

#[derive(Args)]
pub(crate) struct Bypass {
    /// Whose logins
    pub(crate) user: UserName,
    /// How long it is good: 90s, 15m, 1h, 7d, at most 30d
    #[arg(long = "for", value_name = "TIME")]
    pub(crate) validity: Validity,
    /// How many logins it opens, at most 100
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = value_parser!(u32).range(1..=100))]
    pub(crate) uses: u32,
    /// Only logins of this PAM service
    #[arg(long)]
    pub(crate) service: Option<String>,
}

#[derive(Args)]
pub(crate) struct Explain {
    /// Whose login
    pub(crate) user: UserName,
    /// Its PAM service, such as sshd or sudo
    pub(crate) service: String,
    /// From this host
    #[arg(long, value_name = "HOST")]
    pub(crate) rhost: Option<String>,
    /// On this terminal
    #[arg(long, value_name = "TTY")]
    pub(crate) tty: Option<String>,
}

#[derive(Args)]
pub(crate) struct Import {
    /// The file, or - for standard input: then all of it or nothing is taken from a pipe
    #[arg(required_unless_present = "homes")]
    pub(crate) file: Option<PathBuf>,
    /// What FILE is: `google-authenticator` a user's .google_authenticator, `users.oath` the UsersFile of
    /// pam_oath, `users.json` what `mfa admin export --with-secrets` writes
    #[arg(long)]
    pub(crate) format: ImportFormat,
    /// Import this user only; for google-authenticator: whose file it is
    #[arg(long, value_name = "USER")]
    pub(crate) user: Option<UserName>,
    /// Import the .google_authenticator of every home
    #[arg(long, conflicts_with = "file")]
    pub(crate) homes: bool,
    /// Check everything and list what would change, change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Args)]
pub(crate) struct Export {
    /// As what: `users.json`, described by users.schema.json; `users.oath` for pam_oath;
    /// `google-authenticator` for one user of it. The last two need --with-secrets
    #[arg(long, default_value = "users.json")]
    pub(crate) format: ImportFormat,
    /// This user only
    #[arg(long, value_name = "USER")]
    pub(crate) user: Option<UserName>,
    /// Which token, where google-authenticator has room for one only
    #[arg(long, value_name = "TOKEN", requires = "user")]
    pub(crate) name: Option<String>,
    /// With the secrets, for root: standard output must be a pipe, to age or gpg
    #[arg(long)]
    pub(crate) with_secrets: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ImportFormat {
    #[value(name = "google-authenticator")]
    GoogleAuthenticator,
    #[value(name = "users.oath")]
    UsersOath,
    #[value(name = "users.json")]
    UsersJson,
}

fn typed_code(text: &str) -> Result<TypedCode, clap::Error> {
    TypedCode::new(text).ok_or_else(|| {
        let text = format!("{}\n", messages::LONGER_THAN_A_CODE);
        clap::Error::raw(clap::error::ErrorKind::ValueValidation, text)
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn global_options_stand_before_and_after_the_command() {
        for line in [["mfa", "--json", "status"], ["mfa", "status", "--json"]] {
            assert!(Arguments::try_parse_from(line).unwrap().global.json);
        }
        assert!(Arguments::try_parse_from(["mfa", "status", "--no-such"]).is_err());
    }

    #[test]
    fn only_a_name_that_can_be_one_is_taken_as_a_user() {
        assert!(Arguments::try_parse_from(["mfa", "status", "--user", "alice"]).is_ok());
        for bad in ["", "../root", "a\nb"] {
            assert!(
                Arguments::try_parse_from(["mfa", "status", "--user", bad]).is_err(),
                "{bad:?}"
            );
        }
    }
}
