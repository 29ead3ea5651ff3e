// SPDX-License-Identifier: GPL-3.0-or-later
//! Who has logged in with a code since, by the word of the daemon's audit trail.
//!
//! Each service is confirmed by a login of its own: that sshd asks and accepts says nothing about sudo. The
//! login has to be asked for by root, as sshd, sudo, su and login do: any user can have the daemon check his
//! own code under any service's name, and must not keep a change that locks everybody else out.

use mfa_proto::audit::{Act, ActResult, AdminAudit, AuditAnswer, AuditEvent};

use super::Record;
use crate::daemon::Daemon;
use crate::failure::Failure;

/// Entries of a page.
const PAGE: u16 = 200;

/// The trail, each entry read once.
#[derive(Debug, Default)]
pub(crate) struct Trail {
    read: Option<u64>,
}

impl Trail {
    /// The number of the newest entry.
    pub(crate) fn newest(daemon: &Daemon) -> Result<u64, Failure> {
        let page = AdminAudit { after: u64::from(u32::MAX), limit: 1, ..AdminAudit::default() };
        let AuditAnswer::Trail { last, .. } = daemon.connect()?.audit(page)? else {
            return Err(Failure::OtherAnswer { to: "admin_audit" });
        };
        Ok(last)
    }

    /// The services among `records` that were logged in to, each with who did.
    pub(crate) fn confirmed(
        &mut self,
        records: &[Record],
        daemon: &Daemon,
    ) -> Result<Vec<(String, String)>, Failure> {
        let oldest = records.iter().filter_map(|record| record.armed.as_ref());
        let Some(oldest) = oldest.map(|armed| armed.since).min() else { return Ok(Vec::new()) };
        let mut connection = daemon.connect()?;
        let mut found = Vec::new();
        loop {
            let after = self.read.unwrap_or(oldest);
            let page = AdminAudit { after, limit: PAGE, ..AdminAudit::default() };
            let AuditAnswer::Trail { events, more, last, .. } = connection.audit(page)? else {
                return Err(Failure::OtherAnswer { to: "admin_audit" });
            };
            for event in &events {
                let of_event = records.iter().filter(|record| confirms(event, record));
                found.extend(of_event.map(|record| (record.service.clone(), who(event))));
            }
            match events.last() {
                Some(event) if more => self.read = Some(event.seq),
                _ => {
                    self.read = Some(last);
                    return Ok(found);
                }
            }
        }
    }
}

fn who(event: &AuditEvent) -> String {
    event.user.as_ref().map_or_else(String::new, |user| user.as_str().to_owned())
}

fn confirms(event: &AuditEvent, record: &Record) -> bool {
    record.armed.as_ref().is_some_and(|armed| event.seq > armed.since)
        && event.act == Act::Login
        && event.result == ActResult::Accepted
        && event.peer_uid == 0
        && event.service.as_deref() == Some(&record.service)
}

#[cfg(test)]
mod tests {
    use mfa_proto::UserName;

    use super::*;
    use crate::pam_change::Armed;

    #[test]
    fn only_a_right_code_in_a_login_of_that_service_asked_by_root_since_then_confirms() {
        let record = Record::of_test(
            "sshd",
            Some(Armed { id: "x".to_owned(), since: 7, boot: 0, day: 0, seconds: 600 }),
        );
        let event = AuditEvent {
            seq: 8,
            time: 0,
            act: Act::Login,
            result: ActResult::Accepted,
            reason: None,
            warning: false,
            user: Some(UserName::new("alice").unwrap()),
            token: None,
            service: Some("sshd".to_owned()),
            rhost: None,
            tty: None,
            figures: std::collections::BTreeMap::new(),
            peer_uid: 0,
            peer_pid: 1,
        };
        assert!(confirms(&event, &record));
        for other in [
            AuditEvent { seq: 7, ..event.clone() },
            AuditEvent { act: Act::Enroll, ..event.clone() },
            AuditEvent { result: ActResult::Denied, ..event.clone() },
            AuditEvent { result: ActResult::Granted, ..event.clone() },
            AuditEvent { result: ActResult::Skipped, ..event.clone() },
            AuditEvent { result: ActResult::Ignored, ..event.clone() },
            AuditEvent { service: Some("sudo".to_owned()), ..event.clone() },
            AuditEvent { service: None, ..event.clone() },
            AuditEvent { peer_uid: 1000, ..event.clone() },
        ] {
            assert!(!confirms(&other, &record), "{other:?}");
        }
        assert!(!confirms(&event, &record.waiting(None)));
    }
}
