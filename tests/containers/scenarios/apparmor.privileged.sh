# No kernel here enforces AppArmor. So the daemon's system calls are held against its profile instead. In a
# machine with all privileges: strace reads the memory of a daemon that nobody else may.
# shellcheck source=tests/containers/guest/cases.sh shell=bash
. /opt/tests/guest/cases.sh

case_what_the_daemon_does_with_files_its_profile_allows() {
    local user imported
    systemctl stop mfa-metrics.socket mfa.socket mfa.service
    install -d -o mfa -g mfa /run/mfa
    install -d -o mfa -g mfa -m 700 /var/lib/mfa
    # Both variables are what systemd would set.
    JOURNAL_STREAM=1:1 NOTIFY_SOCKET=/run/systemd/notify strace -f -y -qq -u mfa -o "$state/daemon.trace" \
        -e trace=%file,bind,connect,fcntl,flock mfa-daemon >"$state/daemon.log" 2>&1 &
    waits_until mfa admin stats || { cat "$state/daemon.log"; exit 1; }

    user=$(enrolled_user) imported=$(fresh_user)
    mfa verify --user "$user" "$(code_of "$user")"
    umask 077
    echo "HOTP/E/6 $imported - 3132333435363738393031323334353637383930 0" >"$state/users.oath"
    mfa admin import "$state/users.oath" --format users.oath
    mfa admin backup "$state/backup"
    mfa admin restore --yes "$state/backup"
    mfa admin rekey --yes
    mfa admin check
    mfa admin audit >/dev/null
    mfa admin reload
    mfa explain "$user" sshd
    pkill -x mfa-daemon
    wait

    "$guest/allowed-by-profile" /root/profile "$state/daemon.trace"
    # A profile without the line of the store must not do.
    grep -v '/var/lib/mfa/\*\*' /root/profile >"$state/profile"
    ! "$guest/allowed-by-profile" "$state/profile" "$state/daemon.trace" >"$state/refused" || fail "it to be missed"
    grep 'not allowed: w /var/lib/mfa/mfa.db' "$state/refused"
    install -d -o root -g root /run/mfa && chown root:root /run/mfa
    systemctl start mfa.socket
}

run_cases
