// SPDX-License-Identifier: GPL-3.0-or-later
//! `mfa pam enable`: looks whether it can go well, shows what changes, asks, writes down the way back, has
//! somebody wait for the end of the time, and only then changes the services.

use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use getrandom::SysRng;
use getrandom::rand_core::TryRng;
use jiff::tz::TimeZone;
use mfa_proto::DEFAULT_SOCKET;

use super::sshd::{self, Sshd};
use super::{Told, checks, diff};
use crate::arguments::{Enable, Service};
use crate::clock;
use crate::console::Console;
use crate::daemon::Daemon;
use crate::failure::{Exit, Failure};
use crate::messages;
use crate::pam_change::{
    Armed, Clocks, PamError, Place, Record, State, Store, Target, Trail, Trial, apply, asking,
    file_of, flaws, settle,
};
use crate::pam_edit::{Edit, Scope, add};

const UNIT: &str = "mfa-pam-revert.service";

/// systemd runs where this is.
const SYSTEMD: &str = "run/systemd/system";

/// Those of all services.
const OF_ALL: [&str; 6] =
    ["system-auth", "password-auth", "fingerprint-auth", "smartcard-auth", "postlogin", "other"];

/// Programs that are another service where they are asked for a login (`sudo -i`, `su -`).
const LOGINS: [(&str, &str); 2] = [("sudo", "sudo-i"), ("su", "su-l")];

/// How often the unit is started, and how long it may take each time.
const STARTS: u32 = 10;
const START_PAUSE: Duration = Duration::from_millis(100);
const START_LOOKS: u32 = 10;

/// What is changed, and whom it depends on.
pub(super) struct Machine<'a> {
    pub(super) place: &'a Place,
    /// Its units can be started, and its sshd be asked.
    pub(super) is_this: bool,
    pub(super) daemon: &'a Daemon,
}

/// A service that will ask.
struct Change<'a> {
    service: &'a str,
    target: Target,
    before: Vec<u8>,
    edit: Edit,
}

pub(super) fn run(
    enable: &Enable,
    machine: &Machine<'_>,
    console: &mut Console,
) -> Result<Exit, Failure> {
    let changes = planned(enable, machine, console)?;
    if changes.is_empty() {
        return Ok(Exit::Done);
    }
    checks::module(&machine.place.root)?;
    if machine.is_this && !enable.keep && !Path::new("/").join(SYSTEMD).is_dir() {
        return Err(PamError::NoSystemd.into());
    }
    if let Some(caller) = checks::tokens(enable, machine)? {
        console.warn(&messages::pam::caller_without_token(&caller));
    }
    if machine.is_this && changes.iter().any(|change| change.service == "sshd") {
        sshd_asks(enable, console)?;
    }
    show(&changes, !enable.yes, machine.place, console)?;
    if !enable.yes {
        console.confirm(messages::pam::ENABLE_ASKS)?;
    }
    let armed = if enable.keep {
        None
    } else {
        Some(Armed {
            since: Trail::newest(machine.daemon)?,
            ..armed(enable.revert_after.seconds())?
        })
    };
    carry_out(&changes, armed.as_ref(), machine)?;
    report(&changes, armed.as_ref(), machine.place, console)?;
    Ok(Exit::Done)
}

/// What is to be done; a service that asks already is told.
fn planned<'a>(
    enable: &'a Enable,
    machine: &Machine<'_>,
    console: &mut Console,
) -> Result<Vec<Change<'a>>, Failure> {
    let mut changes: Vec<Change<'a>> = Vec::new();
    let mut options = Vec::new();
    if !enable.required {
        options.push("nullok".to_owned());
    }
    let socket = machine.daemon.socket();
    if machine.is_this && socket != Path::new(DEFAULT_SOCKET) {
        options.push(format!("socket={}", socket.display()));
    }
    let store = Store::open(machine.place)?;
    for service in enable.services.iter().map(Service::as_str) {
        if changes.iter().any(|change| change.service == service) {
            continue;
        }
        if service.starts_with("common-") || OF_ALL.contains(&service) {
            return Err(PamError::OfAllServices(service.to_owned()).into());
        }
        let target = file_of(machine.place, service)?;
        if store.has(service, State::Armed) {
            return Err(PamError::IsArmed(service.to_owned()).into());
        }
        let services = &machine.place.services;
        if let Some((file, place)) = asking(services, service)?.into_iter().next() {
            let flaws = flaws(services, service).map_err(PamError::Stack)?;
            if !flaws.is_empty() && !enable.force {
                return Err(PamError::Flawed { service: service.to_owned(), flaws }.into());
            }
            let told = Told { file: Some(file), ..Told::new(service, "asks_already") };
            told.tell(&messages::pam::is_asking(service, &place), console)?;
            continue;
        }
        if target.has_other_names()? {
            return Err(PamError::HardLinked(target.path).into());
        }
        let change = change(service, target, &options, machine.place)?;
        if !change.edit.flaws.is_empty() {
            let flaws = change.edit.flaws.clone();
            if !enable.force {
                return Err(PamError::Flawed { service: service.to_owned(), flaws }.into());
            }
            for flaw in flaws {
                console.warn(&messages::pam::flawed_all_the_same(&flaw));
            }
        }
        if changes.iter().any(|other| other.target == change.target) {
            return Err(PamError::SameFile(service.to_owned(), change.target.path).into());
        }
        changes.push(change);
    }
    without_those_that_include_another(changes, machine.place, console)
}

/// A service that includes another one of them would ask twice: the other's line is enough.
fn without_those_that_include_another<'a>(
    mut changes: Vec<Change<'a>>,
    place: &Place,
    console: &mut Console,
) -> Result<Vec<Change<'a>>, Failure> {
    let Some(first) = changes.first() else { return Ok(changes) };
    let texts: Vec<(&str, &[u8])> =
        changes.iter().map(|change| (change.service, change.edit.after.as_slice())).collect();
    let lines = Trial::new(place, first.service)?.lines_of_all(&texts)?;
    let mut lines = lines.into_iter();
    let (kept, left_out): (Vec<_>, Vec<_>) =
        changes.drain(..).partition(|_| lines.next().is_none_or(|lines| lines < 2));
    for change in left_out {
        let told = Told::new(change.service, "asks_already");
        told.tell(&messages::pam::asks_through_another(change.service), console)?;
    }
    Ok(kept)
}

fn change<'a>(
    service: &'a str,
    target: Target,
    options: &[String],
    place: &Place,
) -> Result<Change<'a>, PamError> {
    let before = target.read()?;
    let trial = Trial::new(place, service)?;
    let edit = add(&before, options, &place.included(), &|text| trial.flaws(text))
        .map_err(|why| PamError::NoPlace { service: service.to_owned(), why })?;
    Ok(Change { service, target, before, edit })
}

fn sshd_asks(enable: &Enable, console: &mut Console) -> Result<(), PamError> {
    match sshd::look() {
        Sshd::Asks => {}
        Sshd::AsksButForKeys => console.note(messages::pam::KEYS_ALONE),
        Sshd::Unknown(error) if enable.force => {
            console.warn(&messages::pam::sshd_unknown(&error));
        }
        Sshd::Unknown(error) => {
            return Err(PamError::Sshd(vec![messages::pam::sshd_unknown(&error)]));
        }
        Sshd::Unfit(reasons) if enable.force => {
            reasons.iter().for_each(|reason| console.warn(reason));
        }
        Sshd::Unfit(reasons) => return Err(PamError::Sshd(reasons)),
    }
    Ok(())
}

fn show(
    changes: &[Change<'_>],
    asks: bool,
    place: &Place,
    console: &mut Console,
) -> Result<(), Failure> {
    for change in changes {
        if change.target.path != place.services.join(change.service) {
            console.note(&messages::pam::linked(change.service, &change.target.path));
        }
        let diff = diff::unified(&change.target.path, &change.before, &change.edit.after);
        console.show_before_asking(&diff::coloured(&diff), asks)?;
        if change.edit.turned.is_some() {
            console.note(&messages::pam::turned(change.service));
        }
    }
    Ok(())
}

/// From now on, with a name of its own.
fn armed(seconds: u64) -> Result<Armed, Failure> {
    let mut id = [0; 8];
    SysRng.try_fill_bytes(&mut id).map_err(|error| {
        PamError::io(Path::new("/dev/urandom"), std::io::Error::other(error.to_string()))
    })?;
    let Clocks { boot, day } = Clocks::now()?;
    Ok(Armed { id: data_encoding::HEXLOWER.encode(&id), since: 0, boot, day, seconds })
}

/// All of them, or none: what was changed before one failed is taken back.
fn carry_out(
    changes: &[Change<'_>],
    armed: Option<&Armed>,
    machine: &Machine<'_>,
) -> Result<(), Failure> {
    let place = machine.place;
    let store = Store::open(place)?;
    let _lock = store.lock()?;
    for change in changes {
        if store.has(change.service, State::Armed) {
            return Err(PamError::IsArmed(change.service.to_owned()).into());
        }
        // Nor has another one begun to ask that it includes.
        let is_asking = !asking(&place.services, change.service)?.is_empty();
        if is_asking || change.target.read()? != change.before {
            return Err(PamError::ChangedMeanwhile(change.target.path.clone()).into());
        }
    }
    let state = if armed.is_some() { State::Armed } else { State::Kept };
    let done = written(changes, armed, state, &store, machine.daemon.socket()).and_then(|()| {
        if armed.is_some() {
            watched(&store, machine.is_this)?;
        }
        changes.iter().try_for_each(|change| apply(&change.target, &change.edit.after, state))
    });
    if let Err(error) = done {
        for change in changes.iter().filter(|change| store.has(change.service, state)) {
            // What cannot be taken back now stays written down for the one who waits.
            let _ = settle(&store, place, change.service, state, Scope::Auth);
        }
        return Err(error.into());
    }
    Ok(())
}

fn written(
    changes: &[Change<'_>],
    armed: Option<&Armed>,
    state: State,
    store: &Store,
    socket: &Path,
) -> Result<(), PamError> {
    for Change { service, target, before, edit } in changes {
        let line = (edit.line.clone(), edit.turned.clone());
        let record = Record::new(service, &target.path, (before, &edit.after), line, socket);
        // Each has a mark of its own: one that is kept must not look like a reboot to the others.
        let armed =
            armed.map(|armed| Armed { id: format!("{service}.{}", armed.id), ..armed.clone() });
        if let Some(armed) = &armed {
            store.mark(&armed.id)?;
        }
        store.write(&record.waiting(armed), state)?;
    }
    Ok(())
}

/// Has the unit wait for the end of the time, and looks whether it does. It may be about to end, and not
/// hear a first start.
fn watched(store: &Store, starts_units: bool) -> Result<(), PamError> {
    // A reboot must start it as well.
    if starts_units && !systemctl("is-enabled") {
        return Err(PamError::Unwatched);
    }
    for _ in 0..STARTS {
        if starts_units {
            systemctl("start");
        }
        for _ in 0..START_LOOKS {
            if store.is_watched() {
                return Ok(());
            }
            thread::sleep(START_PAUSE);
        }
    }
    Err(PamError::Unwatched)
}

fn systemctl(verb: &str) -> bool {
    let ran = Command::new("systemctl")
        .args(["--quiet", verb, UNIT])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .status();
    ran.is_ok_and(|status| status.success())
}

fn report(
    changes: &[Change<'_>],
    armed: Option<&Armed>,
    place: &Place,
    console: &mut Console,
) -> Result<(), Failure> {
    for Change { service, target, before, edit } in changes {
        let told = Told {
            file: Some(target.path.clone()),
            diff: Some(diff::unified(&target.path, before, &edit.after)),
            ..Told::new(service, "kept")
        };
        match armed {
            None => told.tell(&messages::pam::enabled_for_good(service), console)?,
            Some(Armed { day, seconds, .. }) => {
                let until = clock::local_to_the_second(day + seconds, &TimeZone::system());
                let told = Told { state: "armed", seconds_left: Some(*seconds), ..told };
                told.tell(&messages::pam::armed(service, *seconds, &until), console)?;
            }
        }
    }
    if armed.is_some() {
        console.explain(messages::pam::REBOOT)?;
    }
    for (service, login) in LOGINS {
        if changes.iter().any(|change| change.service == service)
            && file_of(place, login).is_ok()
            && asking(&place.services, login).is_ok_and(|lines| lines.is_empty())
        {
            console.warn(&messages::pam::another_service(service, login));
        }
    }
    Ok(())
}
