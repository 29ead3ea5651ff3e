# `mfa pam` on a real machine: what is confirmed stays, what is not goes by itself, whatever is killed or
# broken in between. The last case leaves a service waiting over a reboot; switching-rebooted.sh looks.
# shellcheck source=tests/containers/guest/cases.sh shell=bash
. /opt/tests/guest/cases.sh

with_code() { ssh_with 22 "$1" "Password: " "$1-pw" "One-time code: " "$2"; }
without_code() { ssh_with 22 "$1" "Password: " "$1-pw"; }
sudo_with_code() {
    "$guest/dialogue" "password for $1" "$1-pw" "One-time code: " "$2" -- \
        runuser -u "$1" -- sudo sh -c 'echo "logged in as $SUDO_USER"'
}
# The bytes, the inode with owner, mode and times, and that nothing lies beside it.
services() {
    find /etc/pam.d -printf '%p %y %m %u %g %i %T@\n' -type f -exec sha256sum {} + | sort | grep -v '^/etc/pam.d d'
}
# Without inode and time, which a service has of its own once it was kept.
bytes_of_services() { services | sed -E 's/^(([^ ]* ){5}).*/\1/'; }
is_as_before() { diff "$state/services" <(services) && [ -z "$(ls /var/lib/mfa-pam)" ]; }
remember() {
    services >"$state/services"
    bytes_of_services >"$state/bytes"
}
asks() { grep -q '^auth required pam_mfa.so nullok$' "/etc/pam.d/$1"; }
is_kept() { mfa --json pam status | grep "\"$1\",\"state\":\"kept\""; }

is_without_a_line() { ! grep pam_mfa "/etc/pam.d/$1"; }
is_ended() { [ "$(systemctl is-active mfa-pam-revert)" = inactive ]; }

case_1_without_a_login_every_service_is_by_itself_what_it_was() {
    local user
    user=$(enrolled_user)
    remember
    mfa pam enable sshd sudo --revert-after 6s --yes
    asks sshd && asks sudo
    refuses with_code "$user" "$(wrong_code_of "$user")"
    waits_until is_as_before
    accepts "$user" without_code "$user"
    journalctl --sync
    journalctl --no-pager -u mfa-pam-revert | grep 'sshd is as before'
}

case_2_a_login_with_a_code_keeps_its_service_and_no_other() {
    local user
    user=$(enrolled_user)
    remember
    mfa pam enable sshd sudo --revert-after 8s --yes
    accepts "$user" with_code "$user" "$(code_of "$user")"
    waits_until is_kept sshd
    journalctl --sync
    journalctl --no-pager -u mfa-pam-revert | grep "sshd is kept: $user logged in"
    waits_until is_without_a_line sudo
    asks sshd
    waits_until is_ended
    mfa pam disable --yes
    diff "$state/bytes" <(bytes_of_services)
}

case_3_two_services_are_kept_by_a_login_each() {
    local user
    user=$(enrolled_user)
    mfa pam enable sshd sudo --yes
    accepts "$user" with_code "$user" "$(code_of "$user")"
    user=$(enrolled_user)
    accepts "$user" sudo_with_code "$user" "$(code_of "$user")"
    waits_until [ ! -e /var/lib/mfa-pam/sshd.armed ]
    waits_until [ ! -e /var/lib/mfa-pam/sudo.armed ]
    asks sshd && asks sudo
    mfa pam disable --yes
}

case_4_killed_the_one_who_waits_is_started_again() {
    remember
    mfa pam enable sshd --revert-after 8s --yes
    kill -9 "$(systemctl show -P MainPID mfa-pam-revert)"
    waits_until systemctl is-active mfa-pam-revert
    kill -TERM "$(systemctl show -P MainPID mfa-pam-revert)"
    asks sshd
    waits_until is_as_before
}

case_5_killed_right_behind_the_change_the_way_back_is_open() {
    remember
    # The rename that changes the service is the first in /etc.
    strace -f -qq -o /dev/null -P /etc/pam.d/sshd -e inject=fsync,rename,renameat,renameat2:signal=KILL:when=1 \
        mfa pam enable sshd --revert-after 6s --yes || true
    [ -e /var/lib/mfa-pam/sshd.armed ]
    waits_until is_as_before
}

case_6_neither_the_daemon_nor_its_state_is_needed() {
    local user
    user=$(enrolled_user)
    remember
    mfa pam enable sshd --revert-after 6s --yes
    systemctl stop mfa.socket mfa.service
    mv /var/lib/mfa /var/lib/mfa-gone
    # Nobody gets in, with or without a code.
    refuses without_code "$user"
    waits_until is_as_before
    accepts "$user" without_code "$user"
    mv /var/lib/mfa-gone /var/lib/mfa
    systemctl start mfa.socket
}

case_7_an_sshd_that_would_not_ask_is_refused_with_its_line() {
    local said
    sed -i 's/^KbdInteractiveAuthentication yes/KbdInteractiveAuthentication no/' /etc/ssh/sshd_config.d/test.conf
    remember
    ! said=$(mfa pam enable sshd --yes 2>&1) || fail "it to be refused"
    echo "$said"
    grep -q '/etc/ssh/sshd_config.d/test.conf line 2' <<<"$said" || fail "the line"
    is_as_before
    sed -i 's/^KbdInteractiveAuthentication no/KbdInteractiveAuthentication yes/' /etc/ssh/sshd_config.d/test.conf
}

case_8_where_a_password_alone_would_end_the_stack_the_code_is_asked_behind_a_substack() {
    local user
    user=$(enrolled_user)
    # As Fedora's sudo includes its system-auth.
    printf '%s\n' 'auth sufficient pam_unix.so' 'auth required pam_deny.so' >/etc/pam.d/test-system-auth
    "$guest/start-sshd" sshd-included 2224 <<'PAM'
auth include test-system-auth
account include common-account
session include common-session
PAM
    accepts "$user" ssh_with 2224 "$user" "Password: " "$user-pw"
    mfa pam enable sshd-included --keep --yes
    cat /etc/pam.d/sshd-included
    refuses ssh_with 2224 "$user" "Password: " "$user-pw" "One-time code: " "$(wrong_code_of "$user")"
    refuses ssh_with 2224 "$user" "Password: " not-it "One-time code: " "$(wrong_code_of "$user")"
    accepts "$user" ssh_with 2224 "$user" "Password: " "$user-pw" "One-time code: " "$(code_of "$user")"
    mfa pam disable --yes
    grep -q '^auth include test-system-auth$' /etc/pam.d/sshd-included
    accepts "$user" ssh_with 2224 "$user" "Password: " "$user-pw"
    systemctl stop sshd-included
    rm /etc/pam.d/test-system-auth /etc/pam.d/sshd-included
}

case_9_what_waits_when_the_machine_goes_down() {
    services >/root/services && [ -s /root/services ]
    mfa pam enable sshd sudo --revert-after 7d --yes
    asks sshd && asks sudo
    systemctl is-enabled mfa-pam-revert
}

run_cases
