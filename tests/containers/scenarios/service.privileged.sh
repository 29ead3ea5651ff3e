# The service over time: restarts while people log in, a daemon that cannot start, one that hangs, and a
# disk that does not answer. In a machine with all privileges: it freezes a file system and slows a thread.
# shellcheck source=tests/containers/guest/cases.sh shell=bash
. /opt/tests/guest/cases.sh
# shellcheck source=tests/containers/guest/pages.sh
. /opt/tests/guest/pages.sh

page operations/service.md

drop_in=/run/systemd/system/mfa.service.d/test.conf

daemon() { systemctl show -P MainPID mfa.service; }
starts() { systemctl show -P NRestarts mfa.service; }
socket_is() { [ "$(systemctl show -P SubState mfa.socket)" = "$1" ]; }

with_password() { ssh_with 22 "$1" "Password: " "$1-pw" "One-time code: " "$2"; }
opens() { accepts "$1" with_password "$1" "$(code_of "$1")"; }

# A code opens one login; these come one after the other as fast as logins do.
user_with_a_counter() {
    local user
    user=$(fresh_user)
    mfa enroll --user "$user" --hotp --save-token "$state/$user.token" >/dev/null 2>&1
    echo "$user"
}

# settings LINE...: of the service, until `as_packaged`.
settings() {
    mkdir -p "${drop_in%/*}"
    printf '%s\n' "$@" >"$drop_in"
    systemctl daemon-reload
}

as_packaged() {
    rm -f "$drop_in"
    systemctl daemon-reload
    systemctl reset-failed mfa.service mfa.socket
    systemctl start mfa.socket
    systemctl restart mfa.service
}

# Logs in twice at once with each code, until told to stop: one of the two opens, never none, never both.
log_in_all_the_while() {
    local user=$1 code one other
    until [ -e "$state/enough" ]; do
        code=$(mfa code --token "$state/$user.token")
        with_password "$user" "$code" >"$state/$user.1" 2>&1 & one=$!
        with_password "$user" "$code" >"$state/$user.2" 2>&1 & other=$!
        wait $one && one=opened || one=no
        wait $other && other=opened || other=no
        case $one$other in
        openedno | noopened) echo "$code" >>"$state/$user.opened" ;;
        *)
            printf '%s: %s, %s\n' "$code" "$one" "$other"
            cat "$state/$user.1" "$state/$user.2"
            touch "$state/enough"
            return 1
            ;;
        esac
    done
}

opened() { cat "$state"/*.opened 2>/dev/null || true; }

case_1_no_login_is_lost_while_the_service_is_restarted_again_and_again() {
    local user users="" workers="" worker restarts=0 logins accepted wrong=0 end
    rm -f "$state/enough" "$state"/*.opened
    for _ in 1 2 3; do
        user=$(user_with_a_counter)
        users+=" $user"
    done
    for user in $users; do
        log_in_all_the_while "$user" >"$state/$user.trouble" 2>&1 &
        workers+=" $!"
    done
    end=$((SECONDS + 60))
    while [ $SECONDS -lt $end ] && [ ! -e "$state/enough" ]; do
        systemctl restart mfa.service
        restarts=$((restarts + 1))
        sleep 0.8
        [ "$restarts" -lt 8 ] || [ "$(opened | wc -l)" -lt 8 ] || break
    done
    touch "$state/enough"
    for worker in $workers; do wait "$worker" || wrong=1; done
    for user in $users; do
        cat "$state/$user.trouble"
    done
    logins=$(opened | wc -l)
    echo "$restarts restarts, $logins logins"
    [ "$wrong" -eq 0 ] || fail "each code to open one login of two"
    [ "$restarts" -ge 8 ] && [ "$logins" -ge 8 ] || fail "restarts and logins enough to tell"
    accepted=$(for user in $users; do mfa --json admin audit --user "$user"; done |
        grep -E '"act": *"login"' | grep -cE '"result": *"accepted"')
    [ "$accepted" -eq "$logins" ] || fail "the trail to tell of $logins, not $accepted"
}

case_2_restarts_without_a_pause_leave_the_socket_open() {
    local user n
    user=$(enrolled_user)
    for ((n = 0; n < 30; n++)); do systemctl restart mfa.service; done
    socket_is running || fail "the socket to be there"
    opens "$user"
}

# A configuration that is no good keeps the daemon from starting, and logins ask for it all the while.
fails_to_start() {
    local user=$1 at_first
    cp /etc/mfa/mfa.toml /root/mfa.toml
    echo 'no = "such key"' >>/etc/mfa/mfa.toml
    at_first=$(starts)
    systemctl kill -s KILL mfa.service
    refuses ssh_with 22 "$user" "Password: " "$user-pw"
    refuses ssh_with 22 "$user" "Password: " "$user-pw"
    waits_until eval "[ \$(starts) -ge $((at_first + 7)) ] || socket_is failed"
    systemctl status --no-pager mfa.socket mfa.service || true
    cp /root/mfa.toml /etc/mfa/mfa.toml
}

case_3_a_daemon_that_cannot_start_serves_as_soon_as_it_can() {
    local user
    user=$(enrolled_user)
    fails_to_start "$user"
    # Nobody starts anything by hand.
    opens "$user"
    socket_is running || fail "the socket to be there"
    # The limit that the unit takes away is one that would have held.
    trap as_packaged EXIT
    settings '[Unit]' 'StartLimitIntervalSec=60' 'StartLimitBurst=5'
    fails_to_start "$user"
    socket_is failed || fail "systemd's own limit to close the socket"
    refuses ssh_with 22 "$user" "Password: " "$user-pw"
    as_packaged
    user=$(enrolled_user)
    opens "$user"
}

another_than() { [ "$(daemon)" != "$1" ] && [ "$(daemon)" != 0 ] && systemctl is-active mfa.service; }

case_4_a_daemon_that_hangs_is_replaced_and_an_idle_one_left_alone() {
    local user before at_first since
    user=$(enrolled_user)
    since=$(moment)
    [ "$(systemctl show -P WatchdogUSec mfa.service)" = 1min ] || fail "a watchdog in the package"
    trap as_packaged EXIT
    settings '[Service]' 'WatchdogSec=4'
    systemctl restart mfa.service
    before=$(daemon) at_first=$(starts)
    sleep 6
    [ "$(daemon)" = "$before" ] && [ "$(starts)" = "$at_first" ] || fail "an idle daemon to stay"
    kill -STOP "$before"
    waits_until another_than "$before"
    journalctl -u mfa.service --no-pager -n 20 -o cat
    log_since "$since" 'mfa.service: Watchdog timeout'
    opens "$user"
}

case_5_a_daemon_whose_writer_is_stuck_is_replaced() {
    local user before tracer since
    user=$(enrolled_user)
    trap as_packaged EXIT
    settings '[Service]' 'WatchdogSec=4'
    systemctl restart mfa.service
    before=$(daemon)
    since=$(moment)
    # The thread that writes is the process's first; another takes its place at the socket meanwhile.
    strace -qq -o /dev/null -p "$before" -e trace=pwrite64 \
        -e inject=pwrite64:delay_enter=600s &
    tracer=$!
    # shellcheck disable=SC2064
    trap "kill -KILL $tracer 2>/dev/null || true; as_packaged" EXIT
    waits_until grep -q "^TracerPid:.$tracer\$" "/proc/$before/status"
    refuses with_password "$user" "$(wrong_code_of "$user")"
    # It answers what needs no writer, and that is not enough.
    mfa status --user "$user"
    [ "$(daemon)" = "$before" ] || fail "some patience"
    waits_until log_since "$since" "the daemon hangs, at accepting connections or at writing"
    waits_until log_since "$since" 'mfa.service: Watchdog timeout'
    # A thread that is held like this outlives the signal. It is let go, as a stuck one goes by itself.
    kill -KILL "$tracer"
    waits_until another_than "$before"
    opens "$user"
}

thaw() {
    fsfreeze --unfreeze /var/lib/mfa || true
    systemctl stop mfa.socket mfa.service || true
    umount /var/lib/mfa || true
    as_packaged
}

case_6_a_disk_that_does_not_answer_is_no_reason_to_restart() {
    local user before at_first since
    systemctl stop mfa.socket mfa.service
    truncate -s 64M /root/disk
    mkfs.ext4 -q -F /root/disk
    mkdir -p /root/disk.d
    mount -o loop /root/disk /root/disk.d
    cp -a /var/lib/mfa/. /root/disk.d/ && chown mfa:mfa /root/disk.d && chmod 700 /root/disk.d
    umount /root/disk.d
    mount -o loop /root/disk /var/lib/mfa
    trap thaw EXIT
    settings '[Service]' 'WatchdogSec=4'
    systemctl start mfa.socket mfa.service
    user=$(enrolled_user)
    before=$(daemon) at_first=$(starts) since=$(moment)
    # Whatever becomes of this script, the host's kernel gets its file system back.
    (sleep 60; fsfreeze --unfreeze /var/lib/mfa) >/dev/null 2>&1 &
    fsfreeze --freeze /var/lib/mfa
    # What makes this login wait for the disk is not the same everywhere; it is denied, in any case.
    ! with_password "$user" "$(wrong_code_of "$user")" || fail "a login to be denied"
    waits_until log_since "$since" 'the disk of the store does not answer'
    # More than what a daemon that hangs is given.
    sleep 6
    [ "$(daemon)" = "$before" ] && [ "$(starts)" = "$at_first" ] || fail "the same daemon"
    fsfreeze --unfreeze /var/lib/mfa
    waits_until log_since "$since" "the daemon works again"
    opens "$user"
    [ "$(daemon)" = "$before" ] && [ "$(starts)" = "$at_first" ] || fail "the same daemon"
}

# The most that users without privileges can hold, and a login beside it.
case_7_within_its_limits_the_daemon_serves_beside_all_connections_that_users_can_hold() {
    local user before
    user=$(enrolled_user)
    systemctl show -p MemoryMax -p TasksMax -p LimitNOFILE mfa.service | tee "$state/limits"
    ! grep -E '=infinity$' "$state/limits" || fail "limits"
    before=$(daemon)
    rm -f "$state/held"
    systemd-run --quiet --collect --unit=hold-connections "$guest/hold-connections" "$state/held"
    trap 'systemctl kill -s KILL hold-connections.service' EXIT
    waits_until test -e "$state/held"
    opens "$user"
    grep -E '^(VmRSS|VmHWM|Threads)' "/proc/$before/status"
    # Not by its cgroup: not every host has one for memory.
    [ "$(awk '/^VmHWM/ { print $2 }' "/proc/$before/status")" -lt $((128 << 10)) ] || fail "less memory"
    [ "$(ls "/proc/$before/fd" | wc -l)" -gt 256 ] || fail "connections enough to tell"
    [ "$(daemon)" = "$before" ] || fail "the same daemon"
}

run_cases
