# A desktop's programs: lockers, greeters, what asks for root's rights, and what knows one field. In a
# machine with all privileges: greetd locks its memory, and may not lock enough of it elsewhere.
# shellcheck source=tests/containers/guest/cases.sh shell=bash
. /opt/tests/guest/cases.sh
# shellcheck source=tests/containers/guest/pages.sh
. /opt/tests/guest/pages.sh

# Its lines switch the programs below on.
page operations/desktop.md

# What the test itself needs beside them.
case_0_the_programs_start() {
    # It tells when the second prompt is there.
    sed -i '/pam_mfa/s/$/ debug/' /etc/pam.d/xsecurelock
    # Who wants root's rights shows who he is.
    echo 'polkit.addRule(function(action, subject) { return polkit.Result.AUTH_SELF; });' \
        >/etc/polkit-1/rules.d/10-test.rules
    printf '%s\n' listen=YES local_enable=YES pam_service_name=vsftpd seccomp_sandbox=NO >/etc/vsftpd.conf
    systemctl restart vsftpd.service
}

# as USER COMMAND...: without privileges, at home.
as() { (cd "/home/$1" && runuser -u "$1" -- env HOME="/home/$1" "${@:2}"); }

failures_are() { mfa --json status --user "$1" | grep -qE "\"failures\": *$2\b"; }

# screen DISPLAY USER PROGRAM...: a screen of the user's own with the program on it, called $unit.
screen() {
    export DISPLAY=$1
    unit=desktop-$RANDOM
    systemd-run --quiet --collect --unit="$unit-screen" --uid="$2" Xvfb "$1" -screen 0 640x480x24 -nolisten tcp
    waits_until test -S "/tmp/.X11-unix/X${1#:}"
    systemd-run --quiet --collect --unit="$unit" --uid="$2" --setenv=DISPLAY="$1" --setenv=HOME="/home/$2" \
        "${@:3}"
}

gone() { systemctl kill -s KILL "$unit" "$unit-screen" 2>/dev/null || true; }

types() { xdotool type --delay 20 "$1" && xdotool key Return; }

# A locker that shows one message after the other: password, then code.
case_1_xsecurelock_asks_twice_and_opens_to_both() {
    local user since
    user=$(enrolled_user)
    trap gone EXIT
    screen :11 "$user" --setenv=XSECURELOCK_PAM_SERVICE=xsecurelock --setenv=XSECURELOCK_NO_COMPOSITE=1 \
        --setenv=XSECURELOCK_AUTH_TIMEOUT=60 xsecurelock
    waits_until bash -c 'xdotool search --class . | grep .'
    unlock "$user" "$(wrong_code_of "$user")"
    waits_until failures_are "$user" 1
    systemctl is-active "$unit"
    # Its dialogue closes before it listens again.
    sleep 1
    unlock "$user" "$(code_of "$user")"
    waits_until bash -c "! systemctl is-active $unit"
}

unlock() {
    local since
    since=$(moment)
    sleep 1
    types "$1-pw"
    waits_until log_since "$since" "pam_mfa.xsecurelock:auth.: begin: prompt.*user=$1"
    types "$2"
}

# These two throw away what is typed before they have switched the echo off.
unhurried() { printf 'run:sleep 1; printf %%s %s' "$1"; }

# Debian's vlock asks on the console, or here on a terminal.
case_2_vlock_asks_twice_and_opens_to_both() {
    local user
    user=$(enrolled_user)
    as "$user" "$guest/dialogue" "unlock" "$(unhurried "")" "'s Password: " "$(unhurried "$user-pw")" \
        "One-time code: " "$(unhurried "$(wrong_code_of "$user")")" "root's Password: " "$(unhurried not-it)" \
        "unlock" "$(unhurried "")" "'s Password: " "$(unhurried "$user-pw")" \
        "One-time code: " "$(unhurried "$(code_of "$user")")" -- vlock -c
    failures_are "$user" 0
}

greetd_with() {
    local user=$1
    rm -rf /run/mfa-greeter /tmp/greeted
    install -d -m 755 -o _greetd /run/mfa-greeter
    printf '%s\n' "$@" >/run/mfa-greeter/answers
    cat >/run/greetd.toml <<'TOML'
[terminal]
vt = "none"

[default_session]
command = "/opt/tests/guest/greeter"
user = "_greetd"
TOML
    unit=desktop-$RANDOM
    systemd-run --quiet --collect --unit="$unit" greetd --config /run/greetd.toml
}

greeted() { grep -qE '"type":"success"' /run/mfa-greeter/log; }

case_3_a_greeter_of_greetd_is_asked_one_message_at_a_time() {
    local user
    user=$(enrolled_user)
    trap gone EXIT
    greetd_with "$user" "$user-pw" "$(wrong_code_of "$user")"
    waits_until grep -s 'cancelled' /run/mfa-greeter/log
    cat /run/mfa-greeter/log
    grep '"auth_message_type":"error","auth_message":"Wrong code."' /run/mfa-greeter/log
    grep '"type":"error","error_type":"auth_error"' /run/mfa-greeter/log
    gone
    greetd_with "$user" "$user-pw" "$(code_of "$user")"
    waits_until grep -sx "$user" /tmp/greeted
    cat /run/mfa-greeter/log
    grep '"auth_message_type":"secret","auth_message":"One-time code: "' /run/mfa-greeter/log
    grep '"auth_message_type":"info","auth_message":"1 wrong code since your last login' /run/mfa-greeter/log
}

# polkit runs PAM in a set-user-ID program of its own, and shows its messages by an agent.
case_4_pkexec_asks_twice_by_its_agent_and_runs_as_root() {
    local owner
    owner=$(enrolled_user)
    answers() { as "$owner" "$guest/dialogue" "Password: " "$(unhurried "$owner-pw")" \
        "One-time code: " "$(unhurried "$1")" -- bash -c '
            pkttyagent --process $$ & sleep 1
            rc=0; pkexec sh -c "echo logged in as \$(id -un)" || rc=$?
            kill %1; exit $rc'; }
    refuses answers "$(wrong_code_of "$owner")"
    accepts root answers "$(code_of "$owner")"
}

# It runs as root for whoever calls it, and asks who that is.
case_5_chsh_asks_its_caller_twice() {
    local user
    user=$(enrolled_user)
    ! as "$user" "$guest/dialogue" "Password: " "$user-pw" "One-time code: " "$(wrong_code_of "$user")" \
        -- chsh -s /bin/sh || fail "a wrong code to be refused"
    as "$user" "$guest/dialogue" "Password: " "$user-pw" "One-time code: " "$(code_of "$user")" \
        -- chsh -s /bin/sh
    getent passwd "$user" | grep ':/bin/sh$'
}

ftp_with() { curl --silent --show-error --user "$1:$2" "ftp://127.0.0.1/" --quote PWD -v 2>&1; }

# A protocol with a name and a password, and no way to ask for more.
case_6_an_ftp_server_takes_both_in_one_field() {
    local user
    user=$(enrolled_user)
    ! ftp_with "$user" "$user-pw" || fail "the password alone to be refused"
    ! ftp_with "$user" "$user-pw$(wrong_code_of "$user")" || fail "a wrong code to be refused"
    ! ftp_with "$user" "not-it$(recovery_code_of "$user")" || fail "a wrong password to be refused"
    ftp_with "$user" "$user-pw$(code_of "$user")" | grep "230 Login successful"
}

recovery_code_of() { grep -oE '^[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{3}' "$state/$1.log" | head -n 1; }

# Jobs of a user who has a token: nobody is there to be asked.
case_7_jobs_run_without_a_code() {
    local user
    user=$(enrolled_user)
    echo 'id -un >ran' | as "$user" at now
    waits_until grep -sx "$user" "/home/$user/ran"
}

run_cases
