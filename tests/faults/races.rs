// SPDX-License-Identifier: GPL-3.0-or-later
//! The same code many times at the same moment, with the daemon restarted all the while.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use mfa_proto::login::{LoginRequest, Origin, Verify, VerifyAnswer};
use mfa_proto::{Client, Deadline, TypedCode, UserName};
use mfa_tests::account::Account;
use mfa_tests::daemon::Daemon;
use mfa_tests::flood::Asker;
use mfa_tests::stack::{SERVICE, Stack};

const PROCESSES: usize = 16;
const OTHER_SERVICE: &str = "mfa-test-2";

/// A login program that stays over the rounds.
struct Racer {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Racer {
    fn start(stack: &Stack, service: &str) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_pam-racer"))
            .arg(stack.confdir())
            .arg(service)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("pam-racer");
        let input = process.stdin.take().expect("its input");
        let output = BufReader::new(process.stdout.take().expect("its output"));
        Self { process, input, output }
    }

    fn give(&mut self, user: &str, code: &str) {
        writeln!(self.input, "{user} {code}").expect("a reader");
    }

    fn result(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("a result");
        line.trim().to_owned()
    }
}

impl Drop for Racer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Says that something is over when it is dropped, so that a failed test ends what goes on beside it.
struct Until<'a>(&'a AtomicBool);

impl Drop for Until<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// What became of the logins of one round.
#[derive(Default, Debug)]
struct Round {
    admitted: usize,
    denied: usize,
    unavailable: usize,
}

/// All of them get the same code of each round's own user at once, half for one service, half for another,
/// while `disturb` is done to the daemon again and again.
fn race(daemon: &mut Daemon, rounds: usize, disturb: impl Fn(&mut Daemon) + Sync) -> Vec<Round> {
    let users: Vec<_> = (0..rounds).map(|at| Account::totp(&format!("user{at}"))).collect();
    daemon.import(&users);
    let stack = Stack::module(&daemon.socket(), "timeout=30");
    stack.add_service(OTHER_SERVICE);
    let services = [SERVICE, OTHER_SERVICE];
    let mut racers: Vec<_> = (0..PROCESSES)
        .map(|at| Racer::start(&stack, services.get(at % 2).expect("a service")))
        .collect();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                disturb(daemon);
            }
        });
        let _until = Until(&done);
        let mut round = |user: &Account| {
            let code = user.code_now();
            for racer in &mut racers {
                racer.give(&user.name, &code);
            }
            let mut round = Round::default();
            for racer in &mut racers {
                match racer.result().as_str() {
                    "PAM_SUCCESS" => round.admitted += 1,
                    "PAM_AUTH_ERR" | "PAM_MAXTRIES" => round.denied += 1,
                    "PAM_AUTHINFO_UNAVAIL" => round.unavailable += 1,
                    other => panic!("{}: {other}", user.name),
                }
            }
            round
        };
        users.iter().map(&mut round).collect()
    })
}

/// The socket stays over a restart, as systemd keeps it: then nobody is told that the daemon is away, and each
/// fresh code opens exactly one login.
#[test]
fn the_same_code_from_16_processes_in_10_000_rounds_opens_one_login_each_over_restarts_every_second()
 {
    let started = Instant::now();
    let mut daemon = Daemon::start_activated();
    let restarts = Mutex::new(0);
    let rounds = race(&mut daemon, 10_000, |daemon| {
        thread::sleep(Duration::from_secs(1));
        daemon.stop();
        daemon.resume();
        *restarts.lock().expect("a count") += 1;
    });
    let restarts = restarts.into_inner().expect("a count");
    println!("{} rounds, {restarts} restarts, {:?}", rounds.len(), started.elapsed());
    assert!(restarts >= 20, "only {restarts} restarts");
    let wrong: Vec<_> = rounds
        .iter()
        .enumerate()
        .filter(|(_, round)| (round.admitted, round.unavailable) != (1, 0))
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

/// `kill -9`, and a socket that goes with the daemon: a login whose answer is lost is told that it is not known,
/// never that a fresh code was wrong.
#[test]
fn over_kills_every_second_one_code_opens_at_most_one_login_and_none_is_called_wrong() {
    let mut daemon = Daemon::start();
    let rounds = race(&mut daemon, 1_500, |daemon| {
        thread::sleep(Duration::from_secs(1));
        daemon.restart();
    });
    let admitted = rounds.iter().filter(|round| round.admitted == 1).count();
    let unavailable: usize = rounds.iter().map(|round| round.unavailable).sum();
    println!("{admitted} of {} codes opened a login, {unavailable} not known", rounds.len());
    let wrong: Vec<_> = rounds
        .iter()
        .enumerate()
        .filter(|(_, round)| round.admitted > 1 || round.admitted + round.unavailable == 0)
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    assert!(admitted * 2 > rounds.len(), "only {admitted} codes opened a login");
    assert!(unavailable > 0, "no kill was noticed");
}

#[test]
fn one_code_on_2_to_64_connections_opens_exactly_one_login_in_1_000_rounds() {
    let daemon = Daemon::start();
    let users: Vec<_> = (0..1_000).map(|at| Account::totp(&format!("user{at}"))).collect();
    daemon.import(&users);
    for (round, user) in users.iter().enumerate() {
        let connections = 2 + round % 63;
        let code = user.code_now();
        let deadline = Deadline::after(Duration::from_secs(30));
        let mut clients: Vec<_> = (0..connections)
            .map(|_| Client::connect(&daemon.socket(), deadline).expect("a daemon"))
            .collect();
        let mut ask = |client: &mut Client| {
            let verify = Verify {
                user: UserName::new(&user.name).expect("a name"),
                code: TypedCode::new(&code).expect("a code"),
                origin: Origin { service: "sshd".to_owned(), ..Origin::default() },
            };
            client.ask(LoginRequest::Verify(verify), deadline).expect("a daemon that reads")
        };
        let asked: Vec<_> = clients.iter_mut().map(&mut ask).collect();
        let answers: Vec<VerifyAnswer> = clients
            .iter_mut()
            .zip(asked)
            .map(|(client, id)| client.answer(id, deadline).expect("an answer"))
            .collect();
        let accepted = |answer: &&VerifyAnswer| matches!(answer, VerifyAnswer::Accepted(_));
        let admitted = answers.iter().filter(accepted).count();
        assert_eq!(admitted, 1, "round {round}, {connections} connections");
    }
}

/// 200 logins a second; every two seconds the daemon is killed or stopped, by turns. Whoever gets no answer
/// asks again with the same code.
#[test]
fn under_200_logins_a_second_restarts_every_two_seconds_deny_or_admit_and_never_both() {
    const THREADS: usize = 8;
    const FOR: Duration = Duration::from_secs(30);
    let mut daemon = Daemon::start();
    let accounts: Vec<_> = (0..THREADS).map(|at| Account::hotp(&format!("user{at}"))).collect();
    daemon.import(&accounts);
    let asker = Asker::new(&daemon.socket(), "sshd");
    let done = AtomicBool::new(false);
    let (mut admitted, mut lost, mut asked_again) = (0, 0, 0);
    thread::scope(|scope| {
        scope.spawn(|| {
            for turn in 0.. {
                thread::sleep(Duration::from_secs(2));
                if done.load(Ordering::Relaxed) {
                    break;
                }
                if turn % 2 == 0 {
                    daemon.kill();
                } else {
                    daemon.stop();
                }
                daemon.resume();
            }
        });
        let _until = Until(&done);
        let threads: Vec<_> = accounts
            .iter()
            .map(|account| {
                let (asker, started) = (&asker, Instant::now());
                scope.spawn(move || {
                    let (mut admitted, mut lost, mut again) = (0_u32, 0_u32, 0_u32);
                    for counter in 0.. {
                        let due = started
                            + Duration::from_millis(40) * u32::try_from(counter).expect("few");
                        thread::sleep(due.saturating_duration_since(Instant::now()));
                        if started.elapsed() > FOR {
                            break;
                        }
                        let code = account.code(counter);
                        let mut unknown = false;
                        loop {
                            let at = Instant::now();
                            let answer = asker.verify(&account.name, &code);
                            assert!(at.elapsed() < Duration::from_secs(7), "it hangs: {answer:?}");
                            match answer {
                                Ok(VerifyAnswer::Accepted(_)) => {
                                    admitted += 1;
                                    break;
                                }
                                // Spent for the answer that was lost.
                                Ok(VerifyAnswer::Wrong { .. } | VerifyAnswer::Replayed {})
                                    if unknown =>
                                {
                                    lost += 1;
                                    break;
                                }
                                Ok(other) => panic!("{}, {counter}: {other:?}", account.name),
                                Err(_) => {
                                    unknown = true;
                                    again += 1;
                                    thread::sleep(Duration::from_millis(20));
                                }
                            }
                        }
                    }
                    (admitted, lost, again)
                })
            })
            .collect();
        for thread in threads {
            let (was_admitted, was_lost, again) = thread.join().expect("its logins");
            admitted += was_admitted;
            lost += was_lost;
            asked_again += again;
        }
    });
    println!("{admitted} admitted, {lost} answers lost, {asked_again} asked again");
    assert!(admitted > 1_000, "only {admitted}");
    assert!(asked_again > 0, "no restart was noticed");
}
