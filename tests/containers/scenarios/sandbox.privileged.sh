# The unit's sandbox. In a machine with all privileges: without them systemd leaves options out.
# shellcheck source=tests/containers/guest/cases.sh shell=bash
. /opt/tests/guest/cases.sh

daemon() { systemctl show -P MainPID mfa.service; }
inside() { nsenter --target "$(daemon)" --mount -- "$@"; }

case_a_login_works_inside_the_sandbox() {
    local user
    user=$(enrolled_user)
    refuses ssh_with 22 "$user" "Password: " "$user-pw" "One-time code: " "$(wrong_code_of "$user")"
    accepts "$user" ssh_with 22 "$user" "Password: " "$user-pw" "One-time code: " "$(code_of "$user")"
}

case_users_enrol_themselves_inside_the_sandbox() {
    local user
    user=$(fresh_user)
    runuser -u "$user" -- mfa enroll --save-token "/home/$user/token"
    runuser -u "$user" -- mfa status
}

case_the_sandbox_leaves_little_to_an_intruder() {
    systemctl start mfa.service
    ! journalctl -u mfa.service --no-pager | grep -i 'ignoring' || fail "no option left out"
    [ "$(readlink "/proc/$(daemon)/ns/net")" != "$(readlink /proc/1/ns/net)" ] || fail "no network"
    ! inside touch /etc/mfa/touched || fail "/etc to be read-only"
    ! inside ls /home/alice || fail "/home to be empty"
    inside touch /var/lib/mfa/touched && rm /var/lib/mfa/touched
    systemd-analyze security --no-pager --threshold=10 mfa.service | tail -1
    systemd-analyze security --no-pager --threshold=10 mfa.service >/dev/null ||
        fail "an exposure of 1.0 or below"
}

case_the_units_are_valid() {
    systemd-analyze verify --man=no mfa.socket mfa.service
}

run_cases
