// SPDX-License-Identifier: GPL-3.0-or-later
//! What the daemon did to the files of its store, and what it answered when, read from strace's output.
//! The shared memory of SQLite's log (`-shm`) is left out: nobody needs it after a crash.

use std::collections::HashMap;
use std::path::Path;

/// Options of strace: all that changes files or speaks on a socket, every byte in hexadecimal. `-D` keeps
/// the daemon the child of the test.
pub(crate) fn strace(output: &Path, more: &[&str]) -> Vec<String> {
    let calls = "trace=openat,pwrite64,write,ftruncate,fallocate,fsync,fdatasync,rename,renameat,renameat2,\
                 unlink,unlinkat,link,linkat,mkdir,sendto,sendmsg,writev,pwritev";
    let fixed = ["strace", "-D", "-f", "-y", "-xx", "-s", "200000", "-e", calls];
    let output = output.to_str().unwrap();
    fixed.iter().chain(more).chain(&["-o", output, "--"]).map(|&word| word.to_owned()).collect()
}

/// In the order in which it happened.
#[derive(Debug)]
pub(crate) enum Op {
    /// A file came to be, or was there already.
    Open {
        file: String,
        truncate: bool,
    },
    Write {
        file: String,
        at: u64,
        bytes: Vec<u8>,
    },
    Length {
        file: String,
        bytes: u64,
    },
    /// Everything written to it before is durable.
    Sync {
        file: String,
    },
    /// So is which names there are.
    SyncNames,
    Rename {
        from: String,
        to: String,
    },
    Link {
        from: String,
        to: String,
    },
    Remove {
        file: String,
    },
    /// The answer to the request of this number left.
    Answer {
        id: u64,
    },
}

/// The operations on files in `state`.
pub(crate) fn read(trace: &str, state: &Path) -> Vec<Op> {
    let mut reader = Reader {
        state: state.to_str().unwrap().to_owned(),
        places: HashMap::new(),
        ops: Vec::new(),
    };
    let mut begun: HashMap<&str, &str> = HashMap::new();
    for line in trace.lines() {
        let Some((pid, call)) = line.split_once(' ') else { continue };
        let call = call.trim_start();
        if let Some(call) = call.strip_suffix(" <unfinished ...>") {
            // An answer counts from here on: before it the writer has waited for its sync.
            reader.answer(call);
            begun.insert(pid, call);
        } else if let Some((_, rest)) =
            call.strip_prefix("<... ").and_then(|rest| rest.split_once(" resumed>"))
        {
            if let Some(start) = begun.remove(pid) {
                reader.call(&format!("{start}{rest}"));
            }
        } else {
            reader.answer(call);
            reader.call(call);
        }
    }
    reader.ops
}

struct Reader {
    state: String,
    /// Where the next `write` to a descriptor goes.
    places: HashMap<String, u64>,
    ops: Vec<Op>,
}

impl Reader {
    fn answer(&mut self, call: &str) {
        let spoken = ["sendto(", "sendmsg(", "write(", "writev("];
        if !spoken.iter().any(|name| call.starts_with(name))
            || !call.contains("<\\x73\\x6f\\x63\\x6b\\x65\\x74")
        {
            return;
        }
        for text in call.split('"').skip(1).step_by(2) {
            let bytes = unhex(text);
            let Some(start) = bytes.iter().position(|byte| *byte == b'{') else { continue };
            if let Ok(answer) = serde_json::from_slice::<serde_json::Value>(&bytes[start..])
                && let Some(id) = answer["id"].as_u64()
            {
                self.ops.push(Op::Answer { id });
            }
        }
    }

    fn call(&mut self, call: &str) {
        let Some((name, rest)) = call.split_once('(') else { return };
        let Some((arguments, result)) = rest.rsplit_once(" = ") else { return };
        // Results stand below each other, behind some spaces.
        let Some(arguments) = arguments.trim_end().strip_suffix(')') else { return };
        if result.starts_with('-') {
            return;
        }
        // strace tells so where it has kept a call from happening.
        let injected = result.contains("INJECTED");
        let arguments: Vec<&str> = arguments.split(", ").collect();
        let path = |n: usize| self.inside(&unhex(arguments[n].trim_matches('"')));
        let descriptor = |n: usize| {
            let (_, path) = arguments[n].trim_end_matches('>').split_once('<')?;
            self.inside(&unhex(path))
        };
        let number = |n: usize| arguments[n].parse::<u64>().unwrap();
        let op = match name {
            "openat" => {
                let Some(file) = path(1) else { return };
                let opened = result.split('<').next().unwrap_or_default().to_owned();
                self.places.insert(opened, 0);
                if !arguments[2].contains("O_CREAT") && !arguments[2].contains("O_TRUNC") {
                    return;
                }
                Some(Op::Open { file, truncate: arguments[2].contains("O_TRUNC") })
            }
            "pwrite64" => descriptor(0).map(|file| Op::Write {
                file,
                at: number(3),
                bytes: written(arguments[1], result),
            }),
            "write" => {
                let Some(file) = descriptor(0) else { return };
                let bytes = written(arguments[1], result);
                let opened = arguments[0].split('<').next().unwrap_or_default().to_owned();
                let place = self.places.entry(opened).or_default();
                let at = *place;
                *place += bytes.len() as u64;
                Some(Op::Write { file, at, bytes })
            }
            "ftruncate" => descriptor(0).map(|file| Op::Length { file, bytes: number(1) }),
            "fsync" | "fdatasync" if injected => None,
            "fsync" | "fdatasync" => match descriptor(0) {
                Some(file) if file.is_empty() => Some(Op::SyncNames),
                file => file.map(|file| Op::Sync { file }),
            },
            "rename" | "link" => path(0).zip(path(1)).map(|(from, to)| moved(name, from, to)),
            "renameat" | "renameat2" | "linkat" => {
                path(1).zip(path(3)).map(|(from, to)| moved(name, from, to))
            }
            "unlink" => path(0).map(|file| Op::Remove { file }),
            "unlinkat" => path(1).map(|file| Op::Remove { file }),
            "sendto" | "sendmsg" | "mkdir" => None,
            _ if arguments.iter().any(|argument| argument.contains(&hex(&self.state))) => {
                panic!("nobody has taught this test what {name} does to a file")
            }
            _ => None,
        };
        self.ops.extend(op);
    }

    /// The name of a file of the store; the directory itself is the empty one.
    fn inside(&self, path: &[u8]) -> Option<String> {
        let path = std::str::from_utf8(path).ok()?.strip_prefix(&self.state)?;
        let name = path.trim_start_matches('/').to_owned();
        let ignored = name.ends_with("-shm") || name.ends_with(".lock");
        (!ignored).then_some(name)
    }
}

fn moved(call: &str, from: String, to: String) -> Op {
    if call.starts_with("link") { Op::Link { from, to } } else { Op::Rename { from, to } }
}

/// As much as was really written.
fn written(text: &str, result: &str) -> Vec<u8> {
    let mut bytes = unhex(text.trim_matches('"'));
    let count: usize = result.split(' ').next().unwrap().parse().unwrap();
    assert!(count <= bytes.len(), "strace has shortened {count} bytes to {}", bytes.len());
    bytes.truncate(count);
    bytes
}

fn hex(text: &str) -> String {
    use std::fmt::Write;
    text.bytes().fold(String::new(), |mut hex, byte| {
        write!(hex, "\\x{byte:02x}").unwrap();
        hex
    })
}

fn unhex(text: &str) -> Vec<u8> {
    let digit = |byte: u8| (byte as char).to_digit(16).unwrap_or(0) as u8;
    let bytes = text.as_bytes();
    bytes.chunks_exact(4).map(|four| digit(four[2]) * 16 + digit(four[3])).collect()
}
