# docs/operations/metrics.md: its commands, and what the daemon's sandbox is afterwards. In a machine with
# all privileges: without them systemd leaves options out.
# shellcheck source=tests/containers/guest/cases.sh shell=bash
. /opt/tests/guest/cases.sh
# shellcheck source=tests/containers/guest/pages.sh
. /opt/tests/guest/pages.sh

daemon() { systemctl show -P MainPID mfa.service; }
page() { curl -s http://127.0.0.1:9464/metrics; }

case_1_nothing_listens_until_it_is_switched_on() {
    systemctl start mfa.service
    ! page || fail "no metrics"
    [ "$(systemctl is-enabled mfa-metrics.socket)" = disabled ] || fail "a socket that is off"
}

case_2_metrics_are_switched_on_while_users_log_in() {
    local user asked=0 n
    user=$(enrolled_user)
    commands_of operations/metrics.md >"$state/commands"
    set -x
    # Requests all the while: each must be answered.
    (
        for ((n = 0; n < 60; n++)); do mfa status --user "$user" || exit 1; done
    ) >"$state/asked" 2>&1 &
    asked=$!
    # shellcheck disable=SC1091
    . "$state/commands" >"$state/page"
    wait "$asked" || { cat "$state/asked"; fail "every request to be answered"; }
    set +x
    cat "$state/page"
    grep '^mfa_build_info{version=' "$state/page"
    grep '^# EOF' "$state/page"
    ! grep "$user" "$state/page" || fail "no user's name"
    accepts "$user" ssh_with 22 "$user" "Password: " "$user-pw" "One-time code: " "$(code_of "$user")"
    page | grep '^mfa_users [1-9]'
    page | grep '^mfa_decision_seconds_count [1-9]'
}

case_3_the_sandbox_is_as_it_was() {
    page | grep '^mfa_build_info'
    [ "$(readlink "/proc/$(daemon)/ns/net")" != "$(readlink /proc/1/ns/net)" ] || fail "no network"
    systemd-analyze verify --man=no mfa-metrics.socket
    systemd-analyze security --no-pager --threshold=10 mfa.service >/dev/null ||
        fail "an exposure of 1.0 or below"
}

case_4_they_stay_on_over_a_restart_and_go_off_again() {
    systemctl restart mfa.service
    page | grep '^mfa_build_info'
    systemctl disable mfa-metrics.socket
    systemctl stop mfa-metrics.socket mfa.service
    systemctl start mfa.service
    ! page || fail "no metrics"
    mfa admin list >/dev/null
}

run_cases
