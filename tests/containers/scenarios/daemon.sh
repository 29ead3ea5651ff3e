# The daemon stopped, restarted and killed under logins, and what it runs as.
# shellcheck source=tests/containers/guest/cases.sh shell=bash
. /opt/tests/guest/cases.sh

with_password() { ssh_with 22 "$1" "Password: " "$1-pw" "One-time code: " "$2"; }

case_with_the_daemon_stopped_every_login_is_denied() {
    local user without code
    user=$(enrolled_user)
    without=$(fresh_user)
    code=$(code_of "$user")
    systemctl stop mfa.socket mfa.service
    refuses ssh_with 22 "$user" "Password: " "$user-pw"
    refuses ssh_with 2223 "$without" "Password: " "$without-pw"
    systemctl start mfa.socket
    accepts "$user" with_password "$user" "$code"
    accepts "$without" ssh_with 2223 "$without" "Password: " "$without-pw"
}

case_a_login_starts_the_daemon_through_its_socket() {
    local user
    user=$(enrolled_user)
    systemctl stop mfa.service
    systemctl is-active mfa.service && fail "the daemon to be stopped"
    accepts "$user" with_password "$user" "$(code_of "$user")"
    systemctl is-active mfa.service
}

case_the_daemon_may_be_restarted_between_prompt_and_answer() {
    local user code before
    user=$(enrolled_user)
    code=$(code_of "$user")
    before=$(systemctl show -P MainPID mfa.service)
    accepts "$user" with_password "$user" "run:systemctl restart mfa.service; printf $code"
    [ "$(systemctl show -P MainPID mfa.service)" != "$before" ] || fail "another process"
}

case_the_daemon_stopped_between_prompt_and_answer_denies() {
    local user code
    user=$(enrolled_user)
    code=$(code_of "$user")
    refuses with_password "$user" "run:systemctl stop mfa.socket mfa.service; printf $code"
    systemctl start mfa.socket
    accepts "$user" with_password "$user" "$code"
}

case_a_code_stays_spent_when_the_daemon_is_killed_right_after_the_login() {
    local user code round
    for round in 1 2 3; do
        user=$(enrolled_user)
        code=$(code_of "$user")
        accepts "$user" with_password "$user" "$code"
        systemctl kill -s KILL mfa.service
        refuses with_password "$user" "$code"
        echo "round $round done"
    done
    user=$(enrolled_user)
    accepts "$user" with_password "$user" "$(code_of "$user")"
}

case_the_daemon_runs_as_mfa_without_capabilities() {
    local pid
    systemctl start mfa.service
    pid=$(systemctl show -P MainPID mfa.service)
    cat "/proc/$pid/status"
    [ "$(ps -o user=,group= -p "$pid" | tr -s ' ')" = "mfa mfa" ] || fail "user and group mfa"
    [ "$(grep -c '^Cap[A-Za-z]*:.0000000000000000$' "/proc/$pid/status")" -eq 5 ] ||
        fail "five empty capability sets"
    grep -q '^NoNewPrivs:.1$' "/proc/$pid/status" || fail "no new privileges"
    grep -q '^Seccomp:.2$' "/proc/$pid/status" || fail "a system call filter"
    [ "$(stat -c '%U %a' /var/lib/mfa)" = "mfa 700" ] || fail "/var/lib/mfa for mfa alone"
    # The same look at a process that has them.
    ! grep -q '^CapEff:.0000000000000000$' /proc/1/status || fail "systemd to have capabilities"
}

case_a_reload_applies_a_new_configuration_and_fails_with_a_mistake() {
    local user before
    user=$(enrolled_user)
    systemctl start mfa.service
    before=$(systemctl show -P MainPID mfa.service)
    cp /etc/mfa/mfa.toml /root/mfa.toml
    printf '\n[[rule]]\nname = "reloaded"\nobserve = true\n' >>/etc/mfa/mfa.toml
    systemctl reload mfa.service
    mfa explain "$user" sshd | grep reloaded
    printf '\n[token]\ndigits = 5\n' >>/etc/mfa/mfa.toml
    ! systemctl reload mfa.service || fail "a mistake to make it fail"
    systemctl is-active mfa.service
    mfa explain "$user" sshd | grep reloaded
    systemctl kill -s HUP mfa.service
    waits_until bash -c 'journalctl -u mfa.service --no-pager -o cat | grep "not reloaded"'
    cp /root/mfa.toml /etc/mfa/mfa.toml
    systemctl kill -s HUP mfa.service
    waits_until bash -c '! mfa explain "$1" sshd | grep reloaded' - "$user"
    [ "$(systemctl show -P MainPID mfa.service)" = "$before" ] || fail "the same process"
    accepts "$user" with_password "$user" "$(code_of "$user")"
}

run_cases
