// SPDX-License-Identifier: GPL-3.0-or-later
//! `mfa pam` on real files: there and back, whatever comes in between.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use mfa_crypto::OtpUri;
use mfa_proto::login::{Origin, Verify, VerifyAnswer};
use mfa_proto::{Client, Deadline, Request, TypedCode, UserName};

use crate::machine::{Ended, Machine, code, text};

const COMMON_AUTH: &str = "auth [success=1 default=ignore] pam_unix.so\nauth requisite pam_deny.so\n\
                           auth required pam_permit.so\n";
const SSHD: &str = "# sshd\n@include common-auth\naccount required pam_nologin.so\n";
const SUDO: &str = "#%PAM-1.0\n@include common-auth\n# \u{e4}lter\n";
const LINE: &str = "auth required pam_mfa.so nullok\n";

/// A daemon, a user with a token, and the files of a machine.
pub(crate) struct Etc {
    machine: Machine,
    root: tempfile::TempDir,
    token: OtpUri,
}

impl Etc {
    pub(crate) fn new() -> Self {
        let machine = Machine::new();
        let token = machine.enrolled("alice", "alice.token");
        let root = tempfile::tempdir().unwrap();
        for directory in ["etc/pam.d", "usr/lib/security", "var/lib", "run"] {
            fs::create_dir_all(root.path().join(directory)).unwrap();
        }
        fs::copy(env!("CARGO_BIN_EXE_mfa"), root.path().join("usr/lib/security/pam_mfa.so"))
            .unwrap();
        let etc = Self { machine, root, token };
        for (name, content) in [("common-auth", COMMON_AUTH), ("sshd", SSHD), ("sudo", SUDO)] {
            fs::write(etc.service(name), content).unwrap();
        }
        etc
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn service(&self, name: &str) -> PathBuf {
        self.path("etc/pam.d").join(name)
    }

    fn content(&self, name: &str) -> String {
        fs::read_to_string(self.service(name)).unwrap()
    }

    fn arguments<'a>(&'a self, arguments: &[&'a str]) -> Vec<&'a str> {
        [&["pam", "--root", text(self.root.path())], arguments].concat()
    }

    pub(crate) fn pam(&self, arguments: &[&str]) -> Ended {
        self.machine.run(&self.arguments(arguments))
    }

    fn enabled(&self, arguments: &[&str]) {
        self.pam(&[&["enable", "--keep", "--yes"], arguments].concat()).expect(0);
    }

    /// What mfa-pam-revert.service would be.
    pub(crate) fn watch(&self) -> Watch {
        let mut command = self.machine.mfa(&self.arguments(&["revert", "--wait"]));
        let child = command.stdout(Stdio::null()).spawn().unwrap();
        Watch { child }
    }

    /// Enables these while a watch begins, as the unit would.
    pub(crate) fn armed(&self, arguments: &[&str]) -> Watch {
        let arguments = [&["enable", "--yes", "--json"], arguments].concat();
        let enabling = self.machine.mfa(&self.arguments(&arguments)).spawn().unwrap();
        self.waits_until(|| !self.records("armed").is_empty());
        let watch = self.watch();
        Ended::after(enabling.wait_with_output().unwrap()).expect(0);
        watch
    }

    fn records(&self, ending: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path("var/lib/mfa-pam")).into_iter().flatten().flatten();
        let mut names: Vec<String> =
            entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
        names.retain(|name| name.ends_with(ending));
        names.sort_unstable();
        names
    }

    #[track_caller]
    fn waits_until(&self, is_so: impl Fn() -> bool) {
        let begun = Instant::now();
        while !is_so() {
            assert!(begun.elapsed() < Duration::from_secs(20), "it has not come about");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// A login with a code, as the module asks for it.
    fn login(&self, service: &str, code: &str) -> VerifyAnswer {
        let deadline = Deadline::after(Duration::from_secs(5));
        let mut client = Client::connect(&self.machine.socket(), deadline).unwrap();
        let origin = Origin { service: service.to_owned(), ..Origin::default() };
        let user = UserName::new("alice").unwrap();
        let request = Request::Verify(Verify { user, code: TypedCode::new(code).unwrap(), origin });
        client.call(&request, deadline).unwrap()
    }

    fn log_in(&self, service: &str) {
        let answer = self.login(service, &code(&self.token, 1));
        assert!(matches!(answer, VerifyAnswer::Accepted(_)), "{answer:?}");
    }

    /// The machine is as it was before anything.
    #[track_caller]
    fn is_as_before(&self) {
        assert_eq!(self.content("sshd"), SSHD);
        assert_eq!(self.content("sudo"), SUDO);
        self.is_tidy();
    }

    /// Nothing of ours lies around.
    #[track_caller]
    fn is_tidy(&self) {
        let mut left: Vec<_> = fs::read_dir(self.path("etc/pam.d"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.starts_with('.'))
            .collect();
        left.extend(self.records("armed"));
        left.extend(self.records("new"));
        assert_eq!(left, Vec::<String>::new());
    }
}

/// A watch, ended with the test.
pub(crate) struct Watch {
    child: Child,
}

impl Watch {
    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for its own end.
    pub(crate) fn ends_well(mut self) {
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn with_line(before: &str) -> String {
    before.replace("@include common-auth\n", &format!("@include common-auth\n{LINE}"))
}

#[test]
fn enabled_and_disabled_a_file_is_what_it_was_with_owner_mode_and_attributes() {
    let etc = Etc::new();
    let sshd = etc.service("sshd");
    chown(&sshd, Some(12), Some(34)).unwrap();
    fs::set_permissions(&sshd, fs::Permissions::from_mode(0o640)).unwrap();
    // What labels of SELinux are on other machines.
    xattr::set(&sshd, "user.label", b"system_u:object_r:etc_t:s0").unwrap();
    let is_kept = || {
        let about = fs::metadata(&sshd).unwrap();
        assert_eq!((about.uid(), about.gid(), about.mode() & 0o7777), (12, 34, 0o640));
        let label = xattr::get(&sshd, "user.label").unwrap();
        assert_eq!(label.unwrap(), b"system_u:object_r:etc_t:s0");
    };
    let said = etc.pam(&["enable", "sshd", "sudo", "--keep", "--yes"]).expect(0);
    assert!(said.out.contains("\n+auth required pam_mfa.so nullok\n"), "{}", said.out);
    assert_eq!(etc.content("sshd"), with_line(SSHD));
    assert_eq!(etc.content("sudo"), with_line(SUDO));
    is_kept();
    // Again, and nothing happens.
    etc.enabled(&["sshd"]);
    assert_eq!(etc.content("sshd"), with_line(SSHD));
    let said = etc.pam(&["disable", "--yes"]).expect(0);
    assert!(said.out.contains("\n-auth required pam_mfa.so nullok\n"), "{}", said.out);
    is_kept();
    etc.is_as_before();
    assert_eq!(etc.records("kept"), Vec::<String>::new());
}

#[test]
fn a_login_with_a_code_confirms_its_service_and_no_other() {
    let etc = Etc::new();
    // A login from before says nothing about now.
    etc.log_in("sudo");
    let watch = etc.armed(&["sshd", "sudo", "--revert-after", "5s"]);
    assert_eq!(etc.content("sudo"), with_line(SUDO));
    let wrong = etc.login("sudo", "000000");
    assert!(!matches!(wrong, VerifyAnswer::Accepted(_)), "{wrong:?}");
    let bypass = etc.machine.run(&["--json", "admin", "bypass", "alice", "--for", "1h"]).expect(0);
    let bypass = bypass.json()[0]["code"].as_str().unwrap().to_owned();
    assert!(matches!(etc.login("sshd", &bypass), VerifyAnswer::Accepted(_)));
    etc.waits_until(|| !etc.records("kept").is_empty());
    watch.ends_well();
    assert_eq!(etc.content("sshd"), with_line(SSHD));
    assert_eq!(etc.content("sudo"), SUDO);
    etc.is_tidy();
    etc.pam(&["disable", "--yes"]).expect(0);
    etc.is_as_before();
}

#[test]
fn without_a_login_the_very_file_comes_back_also_without_a_daemon_and_after_a_kill() {
    let etc = Etc::new();
    let inode = fs::metadata(etc.service("sshd")).unwrap().ino();
    let watch = etc.armed(&["sshd", "--revert-after", "5s"]);
    assert_ne!(fs::metadata(etc.service("sshd")).unwrap().ino(), inode);
    watch.kill();
    let Etc { machine, root, token } = etc;
    let socket = machine.socket();
    fs::remove_file(&socket).unwrap();
    let etc = Etc { machine, root, token };
    assert_eq!(etc.content("sshd"), with_line(SSHD), "nobody waits, so it stays");
    etc.watch().ends_well();
    assert_eq!(fs::metadata(etc.service("sshd")).unwrap().ino(), inode);
    etc.is_as_before();
}

#[test]
fn after_a_reboot_what_is_not_confirmed_is_taken_back_at_once() {
    let etc = Etc::new();
    etc.armed(&["sshd", "--revert-after", "7d"]).kill();
    fs::remove_dir_all(etc.path("run/mfa-pam")).unwrap();
    etc.watch().ends_well();
    etc.is_as_before();
}

#[test]
fn a_service_that_includes_another_one_is_not_asked_twice() {
    let etc = Etc::new();
    fs::write(etc.service("su"), SUDO).unwrap();
    fs::write(etc.service("su-l"), "auth include su\nsession optional pam_keyinit.so\n").unwrap();
    let done = etc.pam(&["enable", "--keep", "--yes", "su-l", "su"]).expect(0);
    assert!(done.out.contains("su-l asks for a code through another"), "{}", done.out);
    assert!(etc.content("su").contains(LINE));
    assert!(!etc.content("su-l").contains("pam_mfa"), "{}", etc.content("su-l"));
}

#[test]
fn a_login_shell_that_is_a_service_of_its_own_is_named() {
    let etc = Etc::new();
    let said = etc.pam(&["enable", "--keep", "--yes", "sudo"]).expect(0);
    assert!(!said.err.contains("sudo-i"), "{}", said.err);
    etc.pam(&["disable", "--yes"]).expect(0);
    fs::write(etc.service("sudo-i"), SUDO).unwrap();
    let said = etc.pam(&["enable", "--keep", "--yes", "sudo"]).expect(0);
    assert!(said.err.contains("`mfa pam enable sudo-i`"), "{}", said.err);
    etc.pam(&["disable", "--yes"]).expect(0);
    let both = etc.pam(&["enable", "--keep", "--yes", "sudo", "sudo-i"]).expect(0);
    assert!(!both.err.contains("login shell"), "{}", both.err);
}

#[test]
fn two_names_of_one_file_are_refused() {
    let etc = Etc::new();
    symlink("sudo", etc.service("alias")).unwrap();
    let refused = etc.pam(&["enable", "--keep", "--yes", "sudo", "alias"]).expect(1);
    assert!(refused.err.contains("alias is another name of"), "{}", refused.err);
    etc.is_as_before();
}

#[test]
fn a_line_that_pam_would_not_read_is_refused() {
    let etc = Etc::new();
    let open = "auth required pam_unix.so \\\n# try_first_pass\n";
    fs::write(etc.service("sshd"), open).unwrap();
    let refused = etc.pam(&["enable", "--keep", "--yes", "sshd"]).expect(1);
    assert_eq!(etc.content("sshd"), open, "{}", refused.err);
    // What a flaw names is a place of this machine.
    fs::write(etc.service("sshd"), "auth sufficient pam_u2f.so\n@include common-auth\n").unwrap();
    let refused = etc.pam(&["enable", "--keep", "--yes", "sshd"]).expect(1);
    let place = format!("{} line 1", etc.service("sshd").display());
    assert!(refused.err.contains(&place), "{}", refused.err);
}

#[test]
fn what_would_leave_nobody_a_password_prompt_is_not_disabled() {
    let etc = Etc::new();
    let fed = "auth required pam_mfa.so forward_pass\nauth required pam_unix.so use_first_pass\n";
    fs::write(etc.service("vsftpd"), fed).unwrap();
    let refused = etc.pam(&["disable", "--yes", "vsftpd"]).expect(1);
    assert!(refused.err.contains("use_first_pass"), "{}", refused.err);
    assert_eq!(etc.content("vsftpd"), fed);
}

#[test]
fn keep_does_what_it_can_and_names_the_rest() {
    let etc = Etc::new();
    let watch = etc.armed(&["sshd", "sudo"]);
    etc.pam(&["keep", "sshd"]).expect(0);
    etc.pam(&["keep", "sshd", "sudo"]).expect(0);
    assert_eq!(etc.records("kept"), ["sshd.kept", "sudo.kept"]);
    let refused = etc.pam(&["keep", "other"]).expect(1);
    assert!(refused.err.contains("other waits for no login"), "{}", refused.err);
    drop(watch);
}

#[test]
fn keep_confirms_and_revert_takes_back_without_waiting() {
    let etc = Etc::new();
    let watch = etc.armed(&["sshd", "sudo"]);
    etc.pam(&["keep", "sshd"]).expect(0);
    etc.pam(&["keep", "sshd"]).expect(0);
    // The other one waits as before.
    let status = etc.pam(&["status", "--json"]).expect(0).json();
    assert_eq!(status[1]["state"], "armed", "{status:?}");
    assert!(status[1]["seconds_left"].as_u64().is_some_and(|left| left > 500), "{status:?}");
    etc.pam(&["revert"]).expect(0);
    etc.pam(&["revert"]).expect(1);
    watch.ends_well();
    assert_eq!(etc.content("sshd"), with_line(SSHD));
    assert_eq!(etc.content("sudo"), SUDO);
    etc.is_tidy();
}

#[test]
fn what_somebody_else_changed_in_the_meantime_stays() {
    let etc = Etc::new();
    let watch = etc.armed(&["sshd", "sudo", "--revert-after", "5s"]);
    let changed = |before: &str| format!("{before}session required pam_umask.so\n");
    fs::write(etc.service("sshd"), changed(&with_line(SSHD))).unwrap();
    fs::set_permissions(etc.service("sudo"), fs::Permissions::from_mode(0o600)).unwrap();
    watch.ends_well();
    assert_eq!(etc.content("sshd"), changed(SSHD));
    assert_eq!(etc.content("sudo"), SUDO);
    assert_eq!(fs::metadata(etc.service("sudo")).unwrap().mode() & 0o777, 0o600);
    etc.is_tidy();
}

#[test]
fn a_record_that_cannot_be_read_keeps_nobody_out() {
    for broken in ["", "{}", "{\"version\":2}"] {
        let etc = Etc::new();
        etc.armed(&["sshd"]).kill();
        fs::write(etc.path("var/lib/mfa-pam/sshd.armed"), broken).unwrap();
        etc.watch().ends_well();
        etc.is_as_before();
    }
}

#[test]
fn on_a_full_disk_the_old_file_comes_back_and_a_changed_one_loses_the_line() {
    let full = |etc: &Etc, arguments: &[&str]| {
        let mut command = Command::new("strace");
        let file = etc.service(".sshd.mfa-new");
        let state = etc.path("var/lib/mfa-pam/.sshd.new");
        command.args(["-f", "-qq", "-o", "/dev/null", "-P", text(&file), "-P", text(&state)]);
        command.args(["-e", "inject=write:error=ENOSPC"]).arg(env!("CARGO_BIN_EXE_mfa"));
        command.args(etc.arguments(arguments)).env("MFA_SOCKET", etc.machine.socket());
        Ended::of(command)
    };
    let etc = Etc::new();
    full(&etc, &["enable", "sshd", "--keep", "--yes"]).expect(1).complains("No space left");
    etc.is_as_before();
    etc.armed(&["sshd"]).kill();
    full(&etc, &["revert"]).expect(0);
    etc.is_as_before();
    etc.armed(&["sshd"]).kill();
    fs::write(etc.service("sshd"), format!("{}# more\n", with_line(SSHD))).unwrap();
    full(&etc, &["revert"]).expect(0);
    let comment = with_line(SSHD).replace(LINE, &format!("#{}", &LINE[1..]));
    assert_eq!(etc.content("sshd"), format!("{comment}# more\n"));
    etc.is_tidy();
}

#[test]
fn a_service_that_would_lock_out_or_skip_is_refused_with_the_reason() {
    let etc = Etc::new();
    let refused = |arguments: &[&str], reason: &str| {
        etc.pam(&[&["enable", "--keep", "--yes"], arguments].concat()).expect(1).complains(reason);
    };
    let file = |name: &str, content: &str| fs::write(etc.service(name), content).unwrap();
    refused(&["nothing"], "no service nothing");
    refused(&["common-auth"], "pam-auth-update");
    file("finger", "auth sufficient pam_fprintd.so\n@include common-auth\n");
    refused(&["finger"], "pam_fprintd.so");
    refused(&["sshd", "finger"], "pam_fprintd.so");
    etc.is_as_before();
    file("twin-free", "auth sufficient pam_fprintd.so\n@include common-auth\n");
    file("keys", "auth required pam_rootok.so\n");
    refused(&["keys"], "asks for a password");
    file("broken", "auth requird pam_unix.so\n");
    refused(&["broken"], "not a PAM line");
    fs::write(etc.path("usr/lib/theirs"), SSHD).unwrap();
    symlink(etc.path("usr/lib/theirs"), etc.service("theirs")).unwrap();
    refused(&["theirs"], "belongs to a package");
    fs::hard_link(etc.service("finger"), etc.service("twin")).unwrap();
    refused(&["twin"], "hard links");
    refused(&["sshd", "--required"], "root has no token");
    etc.is_as_before();
    // Each that can be insisted on.
    etc.enabled(&["twin-free", "--force"]);
    etc.pam(&["disable", "--yes"]).expect(0);
    etc.enabled(&["sshd", "--required", "--force"]);
    assert_eq!(etc.content("sshd"), with_line(SSHD).replace(" nullok", ""));
    etc.pam(&["disable", "--yes"]).expect(0);

    fs::remove_file(etc.path("usr/lib/security/pam_mfa.so")).unwrap();
    refused(&["sshd", "--force"], "every login would be denied");
    fs::write(etc.path("usr/lib/security/pam_mfa.so"), "not a module").unwrap();
    refused(&["sshd", "--force"], "no module for this machine");
    fs::copy(env!("CARGO_BIN_EXE_mfa"), etc.path("usr/lib/security/pam_mfa.so")).unwrap();
    etc.machine.run(&["admin", "reset", "alice", "--yes"]).expect(0);
    refused(&["sshd"], "nobody has a token");
    fs::remove_file(etc.machine.socket()).unwrap();
    etc.pam(&["enable", "sshd", "--keep", "--yes"]).expect(3);
    etc.is_as_before();
}

#[test]
fn nothing_changes_unless_somebody_says_yes_and_waits_for_the_end_of_the_time() {
    let etc = Etc::new();
    etc.pam(&["enable", "sshd", "--keep"]).expect(2).complains("--yes");
    etc.pam(&["enable", "sshd", "--yes"]).expect(1).complains("mfa-pam-revert.service");
    etc.is_as_before();
    for bad in [&["enable"][..], &["enable", "../x"], &["enable", "sshd", "--revert-after", "1s"]] {
        etc.pam(bad).expect(2);
    }
    etc.enabled(&["sshd"]);
    etc.pam(&["disable"]).expect(2).complains("--yes");
    assert_eq!(etc.content("sshd"), with_line(SSHD));
    etc.machine.run_as_nobody(&["pam", "status"]).expect(4).complains("only root");
}

#[test]
fn a_link_stays_one_and_its_file_is_changed() {
    let etc = Etc::new();
    let kept = etc.path("etc/kept");
    fs::rename(etc.service("sshd"), &kept).unwrap();
    symlink("../kept", etc.service("sshd")).unwrap();
    etc.enabled(&["sshd"]);
    assert_eq!(fs::read_to_string(&kept).unwrap(), with_line(SSHD));
    assert!(etc.service("sshd").is_symlink());
    etc.pam(&["disable", "--yes"]).expect(0);
    assert_eq!(fs::read_to_string(&kept).unwrap(), SSHD);
    assert!(etc.service("sshd").is_symlink());
}

#[test]
fn lines_written_by_hand_are_told_and_go_where_the_service_is_named() {
    let etc = Etc::new();
    fs::write(
        etc.service("su"),
        format!("{}account required pam_mfa.so enroll\n", with_line(SSHD)),
    )
    .unwrap();
    etc.enabled(&["sshd"]);
    let states = |etc: &Etc| -> Vec<String> {
        let status = etc.pam(&["status", "--json"]).expect(0).json();
        status.iter().map(|told| format!("{} {}", told["service"], told["state"])).collect()
    };
    assert_eq!(states(&etc), ["\"sshd\" \"kept\"", "\"su\" \"by_hand\""]);
    etc.pam(&["disable", "--yes"]).expect(0).complains("mfa pam disable su");
    assert_eq!(states(&etc), ["\"su\" \"by_hand\""]);
    etc.pam(&["disable", "su", "--yes"]).expect(0);
    assert_eq!(etc.content("su"), SSHD);
    etc.pam(&["disable", "su", "--yes"]).expect(1).complains("asks for no code");
    fs::write(etc.service("common-auth"), format!("{COMMON_AUTH}{LINE}")).unwrap();
    etc.pam(&["disable", "su", "--yes"]).expect(1).complains("pam-auth-update");
}

#[test]
fn of_many_at_once_one_changes_the_file() {
    let etc = Etc::new();
    let all: Vec<Child> = (0..6)
        .map(|_| {
            let arguments = etc.arguments(&["enable", "sshd", "--keep", "--yes"]);
            etc.machine.mfa(&arguments).spawn().unwrap()
        })
        .collect();
    let ended: Vec<i32> =
        all.into_iter().map(|child| Ended::after(child.wait_with_output().unwrap()).code).collect();
    assert!(ended.contains(&0), "{ended:?}");
    assert_eq!(etc.content("sshd"), with_line(SSHD));
    etc.pam(&["disable", "--yes"]).expect(0);
    etc.is_as_before();
}

/// Every call by which the program changes files, but those that make an empty one: what is there before a
/// write is what they leave. Killed at the entry of each, every state between two calls is met.
const CALLS: [&str; 9] = [
    "mkdir,?mkdirat",
    "write",
    "pwrite64",
    "fchown",
    "fchmod",
    "fsetxattr",
    "?link,linkat",
    "?rename,renameat,renameat2",
    "?unlink,unlinkat",
];

/// Runs the command once for each of those calls and kills it there; strace counts each name by itself.
/// Returns how many there were.
fn killed_at_each_call(
    etc: &Etc,
    arguments: &[&str],
    prepare: &dyn Fn(),
    check: &dyn Fn(&str),
) -> usize {
    let mut killed = 0;
    for calls in CALLS {
        for number in 1.. {
            prepare();
            let mut command = Command::new("strace");
            let inject = format!("inject={calls}:signal=KILL:when={number}");
            command.args(["-f", "-qq", "-o", "/dev/null", "-e", &inject]);
            command.arg(etc.machine.path("mfa")).args(etc.arguments(arguments));
            command.env("MFA_SOCKET", etc.machine.socket()).stdin(Stdio::null());
            let ended = command.output().unwrap();
            check(&inject);
            if ended.status.success() {
                break;
            }
            killed += 1;
        }
    }
    killed
}

#[test]
fn killed_at_any_call_the_file_is_the_old_or_the_new_one_and_the_way_back_is_open() {
    let etc = Etc::new();
    let whole = |at: &str| {
        let content = etc.content("sshd");
        assert!(content == SSHD || content == with_line(SSHD), "{at}: {content}");
    };
    let back = |at: &str| {
        whole(at);
        etc.pam(&["disable", "--yes"]).expect(0);
        etc.is_as_before();
    };
    // Stands for the unit, which is there before a file changes.
    fs::create_dir_all(etc.path("run/mfa-pam")).unwrap();
    let watch = fs::File::create(etc.path("run/mfa-pam/watch")).unwrap();
    watch.lock().unwrap();
    let enable = ["enable", "sshd", "--yes"];
    let calls = killed_at_each_call(&etc, &enable, &|| {}, &back);
    assert!(calls > 10, "{calls}");
    let armed = || drop(etc.pam(&enable).expect(0));
    let calls = killed_at_each_call(&etc, &["revert"], &armed, &back);
    assert!(calls > 4, "{calls}");
    let calls = killed_at_each_call(&etc, &["keep"], &armed, &back);
    assert!(calls > 2, "{calls}");
    let kept = || etc.enabled(&["sshd"]);
    let calls = killed_at_each_call(&etc, &["disable", "--yes"], &kept, &back);
    assert!(calls > 8, "{calls}");
    // And the one who waits finds its way from each of them as well.
    drop(watch);
    fs::remove_dir_all(etc.path("run/mfa-pam")).unwrap();
    let rebooted = || {
        etc.armed(&["sshd"]).kill();
        fs::remove_dir_all(etc.path("run/mfa-pam")).unwrap();
    };
    let again = |at: &str| {
        whole(at);
        etc.watch().ends_well();
        etc.is_as_before();
    };
    let calls = killed_at_each_call(&etc, &["revert", "--wait"], &rebooted, &again);
    assert!(calls > 4, "{calls}");
}

/// For docs/json.md.
pub(crate) fn objects() -> Vec<serde_json::Value> {
    let etc = Etc::new();
    let mut all = Vec::new();
    let enabling = etc.arguments(&["enable", "sshd", "sudo", "--yes", "--json"]);
    let enabling = etc.machine.mfa(&enabling).spawn().unwrap();
    etc.waits_until(|| etc.records("armed").len() == 2);
    let _watch = etc.watch();
    all.extend(Ended::after(enabling.wait_with_output().unwrap()).expect(0).json());
    let commands: [&[&str]; 5] =
        [&["status"], &["keep", "sshd"], &["revert"], &["status"], &["disable", "--yes"]];
    for command in commands {
        all.extend(etc.pam(&[command, &["--json"]].concat()).expect(0).json());
    }
    all
}
