# The unit's sandbox: what the daemon does in it, and what an intruder could not. In a machine with all
# privileges: without them systemd leaves options out.
# shellcheck source=tests/containers/guest/cases.sh shell=bash
. /opt/tests/guest/cases.sh

daemon() { systemctl show -P MainPID mfa.service; }
inside() { nsenter --target "$(daemon)" --mount -- "$@"; }
outside() { runuser -u mfa -- "$@"; }

# Everybody may write there, so only a sandbox can refuse it.
open_to_all=(/etc/open-to-all /usr/open-to-all /var/open-to-all /srv/open-to-all /home/open-to-all
    /run/open-to-all /dev/shm)
# There the daemon has files of its own that nobody else sees.
its_own=(/tmp /var/tmp /dev/mqueue)

case_1_a_login_works_inside_the_sandbox() {
    local user
    user=$(enrolled_user)
    refuses ssh_with 22 "$user" "Password: " "$user-pw" "One-time code: " "$(wrong_code_of "$user")"
    accepts "$user" ssh_with 22 "$user" "Password: " "$user-pw" "One-time code: " "$(code_of "$user")"
}

case_2_users_enrol_themselves_inside_the_sandbox() {
    local user
    user=$(fresh_user)
    runuser -u "$user" -- mfa enroll --save-token "/home/$user/token"
    runuser -u "$user" -- mfa status
}

case_3_what_an_intruder_would_try_works_outside_the_sandbox_and_fails_in_it() {
    local directory tried
    install -m 4755 /usr/bin/id /usr/local/bin/setuid-id
    mkdir -p "${open_to_all[@]}" && chmod 1777 "${open_to_all[@]}"
    outside "$guest/probe" "${open_to_all[@]}" "${its_own[@]}" | tee "$state/outside"
    tried=$(wc -l <"$state/outside")
    [ "$tried" -ge 20 ] || fail "twenty attempts"
    ! grep -v ': done$' "$state/outside" || fail "nothing to stop them there"
    rm "${open_to_all[@]/%//probe}" "${its_own[@]/%//probe}"

    "$guest/in-the-sandbox" "$guest/probe" "${open_to_all[@]}" "${its_own[@]}" | tee "$state/inside"
    {
        printf '%s: EAFNOSUPPORT\n' "reach a port of this host" "an IPv6 socket" "a netlink socket"
        echo "a Unix socket: done"
        printf '%s: EPERM\n' ptrace setpriority sched_setaffinity personality "a user namespace" \
            "memory to write and execute"
        echo "a file in its state: done"
        echo "set-user-ID: EPERM"
        for directory in "${open_to_all[@]}"; do
            case $directory in
            /home/* | /dev/shm) echo "a file in $directory: EACCES" ;;
            *) echo "a file in $directory: EROFS" ;;
            esac
        done
        printf 'a file in %s: done\n' "${its_own[@]}"
        echo "a set-user-ID program: no root"
    } >"$state/expected"
    diff "$state/expected" "$state/inside" || fail "what stands on the left"
    for directory in "${its_own[@]}"; do
        [ ! -e "$directory/probe" ] || fail "$directory to be the daemon's own"
    done
}

case_4_the_daemon_itself_is_in_that_sandbox() {
    local pid
    systemctl restart mfa.service
    pid=$(daemon)
    ! journalctl -u mfa.service --no-pager | grep -i 'ignoring' || fail "no option left out"
    grep -E '^(Cap|NoNewPrivs|Seccomp)' "/proc/$pid/status"
    grep -q '^NoNewPrivs:.1$' "/proc/$pid/status" || fail "no new privileges"
    grep -q '^Seccomp:.2$' "/proc/$pid/status" || fail "a system call filter"
    [ "$(grep -c '^Cap[A-Za-z]*:.0000000000000000$' "/proc/$pid/status")" -eq 5 ] ||
        fail "five empty capability sets"
    ! inside touch /etc/mfa/touched || fail "/etc to be read-only"
    ! inside ls /home/alice || fail "/home to be empty"
    inside touch /var/lib/mfa/touched && rm /var/lib/mfa/touched
}

case_5_its_network_reaches_nobody() {
    local pid
    pid=$(daemon)
    [ "$(readlink "/proc/$pid/ns/net")" != "$(readlink /proc/1/ns/net)" ] || fail "a network of its own"
    # The same look from outside finds sshd.
    timeout 5 bash -c 'exec 3<>/dev/tcp/127.0.0.1/22'
    ! nsenter --target "$pid" --net -- timeout 5 bash -c 'exec 3<>/dev/tcp/127.0.0.1/22' ||
        fail "sshd to be out of reach"
    nsenter --target "$pid" --net -- cat /proc/net/dev
    [ "$(nsenter --target "$pid" --net -- grep -c : /proc/net/dev)" -eq 1 ] || fail "a loopback device alone"
}

case_6_the_exposure_is_1_0_or_below() {
    systemd-analyze security --no-pager --threshold=10 mfa.service | tail -1
    systemd-analyze security --no-pager --threshold=10 mfa.service >/dev/null ||
        fail "an exposure of 1.0 or below"
    # A threshold that it does not keep is told.
    ! systemd-analyze security --no-pager --threshold=1 mfa.service >/dev/null || fail "no 0.1"
}

case_7_the_units_are_valid() {
    systemd-analyze verify --man=no mfa.socket mfa.service 2>&1 | tee "$state/verified"
    ! grep -E 'mfa\.(service|socket)' "$state/verified" || fail "nothing to remark"
}

run_cases
