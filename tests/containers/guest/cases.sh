# Cases inside the container: a scenario file sources this, defines functions `case_SENTENCE`, and
# ends with `run_cases`. Each case runs in a shell of its own where any failing command fails it.
# shellcheck shell=bash

guest=/opt/tests/guest
state=/run/mfa-test
mkdir -p "$state"
# ssh draws a QR code for a user whose locale is UTF-8, and escapes it for others.
export LC_ALL=C.UTF-8

fail() {
    printf 'expected: %s\n' "$*"
    exit 1
}

# fresh_user: the name of an account that no case has used, without a token.
fresh_user() {
    local n
    exec 9>"$state/lock"
    flock 9
    n=$(($(cat "$state/users" 2>/dev/null || echo 0) + 1))
    echo "$n" >"$state/users"
    exec 9>&-
    printf 'u%02g\n' "$n"
}

# enrolled_user: the same, with a token whose codes `code_of` gives.
enrolled_user() {
    local user
    user=$(fresh_user)
    mfa enroll --user "$user" --save-token "$state/$user.token" >"$state/$user.log" 2>&1 || {
        cat "$state/$user.log" >&2
        return 1
    }
    echo "$user"
}

code_of() { "$guest/next-code" "$state/$1.token"; }

# A code of the right form that is none of those accepted now.
wrong_code_of() {
    local accepted candidate
    accepted=$(for skew in -60 -30 +0 +30 +60; do
        faketime -f "${skew}s" mfa code --token "$state/$1.token"
    done)
    for candidate in 000000 000001 000002 000003 000004 000005; do
        grep -q "$candidate" <<<"$accepted" || break
    done
    echo "$candidate"
}

# The base32 secret on the screen stands for the camera of a phone; oathtool for its codes. As an
# answer of `dialogue`: keeps the secret in $state/USER.secret and types the current code.
scan_secret_of() {
    # shellcheck disable=SC2016
    printf '%s' 'run:printf %s "$SCREEN" | tr -d "\r" | grep -oE "^([A-Z2-7]{4} ){7}[A-Z2-7]{4}" |
        tail -n 1 | tr -d " " >'"$state/$1.secret
        oathtool --totp -b @$state/$1.secret"
}

# phone_of USER [SECONDS]: what the phone of a scanned secret shows in so many seconds.
phone_of() { oathtool --totp -b "@$state/$1.secret" --now "${2:-0} seconds"; }

# waits_until COMMAND...: until it succeeds, half a minute at most: the machine may be busy.
waits_until() {
    local i
    for ((i = 0; i < 600; i++)); do
        ! "$@" >/dev/null 2>&1 || return 0
        sleep 0.05
    done
    fail "$* at last"
}

# log_since MOMENT PATTERN: a line of the journal written since then that holds PATTERN.
log_since() {
    journalctl --sync
    journalctl --no-pager --since "$1" | grep -E "$2"
}

moment() { date '+%F %T'; }

# ssh_with PORT USER [PROMPT ANSWER]... : logs in and says who it is there.
ssh_with() {
    local port=$1 user=$2
    shift 2
    # shellcheck disable=SC2086
    "$guest/dialogue" "$@" -- \
        ssh -p "$port" ${ssh_key:+-o PubkeyAuthentication=yes -i "$ssh_key"} ${ssh_options:-} \
        "$user@127.0.0.1" 'echo "logged in as $(id -un)"' 2>&1
}

# accepts USER COMMAND...: COMMAND must end well and show that it ran as USER.
accepts() {
    local user=$1 said rc=0
    shift
    said=$("$@" 2>&1) || rc=$?
    printf '$ %s\n%s\n(ended with %s)\n' "$*" "$said" "$rc"
    [ "$rc" -eq 0 ] || fail "$* to succeed"
    grep -q "logged in as $user"$'\r'"*\$" <<<"$said" || fail "'logged in as $user'"
}

# refuses COMMAND...: the whole dialogue must take place and COMMAND must then fail, not run.
refuses() {
    local said rc=0
    said=$("$@" 2>&1) || rc=$?
    printf '$ %s\n%s\n(ended with %s)\n' "$*" "$said" "$rc"
    [ "$rc" -ne 0 ] || fail "$* to be refused"
    [ "$rc" -ne 124 ] && [ "$rc" -ne 125 ] || fail "the dialogue to run to its end"
    ! grep -q 'logged in as' <<<"$said" || fail "$* not to log in"
}

shopt -s extglob

run_cases() {
    local name log failed=0
    log=$(mktemp)
    for name in $(declare -F | sed -n 's/^declare -f case_//p'); do
        (
            set -euo pipefail
            "case_$name"
        ) >"$log" 2>&1
        # A condition on the subshell itself would switch its `set -e` off.
        # shellcheck disable=SC2181
        if [ $? -eq 0 ]; then
            echo "ok ${name##*([0-9])_}"
            [ -z "${VERBOSE:-}" ] || sed 's/\r//; s/^/    /' "$log"
        else
            echo "FAIL ${name##*([0-9])_}"
            sed 's/\r//; s/^/    /' "$log"
            failed=1
        fi
    done
    rm -f "$log"
    return $failed
}
