# Behind a restart of the machine: what waited for a login is as it was.
# shellcheck source=tests/containers/guest/cases.sh shell=bash
. /opt/tests/guest/cases.sh

services() {
    find /etc/pam.d -printf '%p %y %m %u %g %i %T@\n' -type f -exec sha256sum {} + | sort | grep -v '^/etc/pam.d d'
}
is_as_before() { diff /root/services <(services) && [ -z "$(ls /var/lib/mfa-pam)" ]; }

case_a_reboot_takes_back_what_nobody_has_confirmed() {
    waits_until is_as_before
    journalctl --sync
    journalctl --no-pager -b -u mfa-pam-revert | grep 'sshd is as before'
    accepts alice ssh_with 22 alice "Password: " alice-pw
}

run_cases
