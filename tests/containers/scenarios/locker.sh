# A screen locker, which runs as the user it locks out: no program in it has privileges.
# shellcheck source=tests/containers/guest/cases.sh shell=bash
. /opt/tests/guest/cases.sh

export DISPLAY=:7

# lock_screen USER: a screen of the user's own, locked.
lock_screen() {
    systemd-run --quiet --collect --unit="screen-$1" --uid="$1" Xvfb :7 -screen 0 640x480x8 -nolisten tcp
    waits_until test -S /tmp/.X11-unix/X7
    locker=locker-$1
    systemd-run --quiet --collect --unit="$locker" --uid="$1" --setenv=DISPLAY=:7 i3lock --nofork
    waits_until xdotool search --class i3lock
    systemctl is-active "$locker"
}

unlock_screen() {
    # Neither ends for a TERM while the screen is locked.
    systemctl kill -s KILL "$locker" "${locker/locker/screen}" 2>/dev/null || true
    rm -f /tmp/.X11-unix/X7 /tmp/.X7-lock
}

types() { xdotool type --delay 1 "$1" && xdotool key Return; }

failures_are() { mfa --json status --user "$1" | grep -qE "\"failures\": *$2\b"; }

is_open() { [ "$(systemctl is-active "$locker")" != active ]; }

recovery_code_of() { grep -oE '^[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{3}' "$state/$1.log" | sed -n "$2p"; }

case_a_locked_screen_opens_to_password_and_code_alone() {
    local user
    user=$(enrolled_user)
    trap unlock_screen EXIT
    lock_screen "$user"
    types "$user-pw$(wrong_code_of "$user")"
    waits_until failures_are "$user" 1
    systemctl is-active "$locker"
    types "$user-pw$(code_of "$user")"
    waits_until is_open
}

case_a_locked_screen_stays_locked_without_the_password() {
    local user since
    user=$(enrolled_user)
    trap unlock_screen EXIT
    lock_screen "$user"
    since=$(moment)
    types "not-it$(recovery_code_of "$user" 1)"
    # pam_unix takes two seconds for a wrong password.
    waits_until recovery_codes_are "$user" 9
    waits_until log_since "$since" "pam_unix.i3lock:auth.: authentication failure.*user=$user"
    systemctl is-active "$locker"
    types "$user-pw$(recovery_code_of "$user" 2)"
    waits_until is_open
}

recovery_codes_are() { mfa --json status --user "$1" | grep -qE "\"recovery_codes_left\": *$2\b"; }

run_cases
