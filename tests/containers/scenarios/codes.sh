# What a code is worth: clocks that are off, guesses, waits, codes from an administrator, and what
# the owner reads afterwards. The daemon's clock stands where a case puts it; no case waits.
# shellcheck source=tests/containers/guest/cases.sh shell=bash
. /opt/tests/guest/cases.sh

# The first second of a step, later than that of any case before: the clock never goes back.
base=$(($(date +%s) / 3600 * 3600))
later() {
    base=$(($(cat "$state/base" 2>/dev/null || echo "$base") + ${1:-7200}))
    echo "$base" >"$state/base"
    at "$base"
}
clocked() { mfa --socket /run/mfa-clock/mfa.sock "$@"; }
at() { "$guest/clocked-daemon" at "$1"; }

# known_user: a user with a token that has never been used, so that no step of it is spent.
known_user() {
    local user secret
    user=$(fresh_user)
    secret=$(printf '%s' "$user-of-the-container" | sha256sum | cut -c1-40)
    echo "$secret" >"$state/$user.hex"
    (umask 077 && printf 'HOTP/T30/6\t%s\t-\t%s\n' "$user" "$secret" >"$state/$user.oath")
    clocked admin import --format users.oath "$state/$user.oath" >"$state/$user.log" 2>&1 || {
        cat "$state/$user.log" >&2
        return 1
    }
    echo "$user"
}

# phone_at USER MOMENT: what the user's phone shows when its clock says MOMENT.
phone_at() { oathtool --totp "$(cat "$state/$1.hex")" --now "$(date -u -d "@$2" '+%F %T UTC')"; }

# A service whose only question is the code: su - from an unprivileged account.
with_code() {
    "$guest/dialogue" "One-time code: " "$2" -- \
        setpriv --reuid carol --regid carol --init-groups su - "$1" -c 'echo "logged in as $(id -un)"'
}

# A code of the right form, far from now.
wrong() { phone_at "$1" $((base - 864000)); }

# off USER SECOND SECONDS: the daemon's clock at that second of a step, the phone's off by so many.
off() {
    at $((base + $2))
    phone_at "$1" $((base + $2 + $3))
}

case_a_phone_29_s_off_logs_in_at_every_second_of_a_step() {
    local second by user
    later
    for second in 0 15 29; do
        for by in -29 +29; do
            user=$(known_user)
            accepts "$user" with_code "$user" "$(off "$user" $second $by)"
        done
    done
}

# RFC 6238 6: one step to either side. 31 s are two steps only at the edge of one.
case_a_phone_31_s_off_logs_in_unless_that_is_two_steps() {
    local user
    later
    user=$(known_user)
    refuses with_code "$user" "$(off "$user" 29 +31)"
    accepts "$user" with_code "$user" "$(off "$user" 28 +31)"
    user=$(known_user)
    refuses with_code "$user" "$(off "$user" 0 -31)"
    accepts "$user" with_code "$user" "$(off "$user" 1 -31)"
}

case_a_phone_95_s_off_is_refused_with_a_hint_and_resynchronised_by_two_codes() {
    local by user said
    later
    for by in +95 -95; do
        later
        user=$(known_user)
        said=$(with_code "$user" "$(off "$user" 10 $by)") && fail "a clock off by $by to be refused"
        printf '%s\n' "$said"
        grep -qE 'about (90|120) s' <<<"$said" || fail "a hint that names the seconds"
        # The next code of the same phone, in a row.
        accepts "$user" with_code "$user" "$(off "$user" 40 $by)"
        clocked status --user "$user"
    done
    later
    # One code and then a wrong one is not two in a row.
    user=$(known_user)
    refuses with_code "$user" "$(off "$user" 10 +95)"
    refuses with_code "$user" "$(wrong "$user")"
    refuses with_code "$user" "$(off "$user" 40 +95)"
    accepts "$user" with_code "$user" "$(off "$user" 70 0)"
}

case_a_code_that_gave_a_hint_does_not_log_in_when_its_time_comes() {
    local user early
    later
    user=$(known_user)
    early=$(off "$user" 10 +95)
    refuses with_code "$user" "$early"
    at $((base + 105))
    refuses with_code "$user" "$early"
    accepts "$user" with_code "$user" "$(off "$user" 165 0)"
}

case_wrong_codes_lock_and_the_wait_doubles_and_an_administrator_unlocks() {
    local user i said
    later
    user=$(known_user)
    for i in 1 2 3 4 5; do refuses with_code "$user" "$(wrong "$user")"; done
    said=$(with_code "$user" "$(phone_at "$user" "$base")") && fail "the right code to wait"
    printf '%s\n' "$said"
    grep -q "Try again in 30 s" <<<"$said" || fail "a wait of 30 s"
    at $((base + 31))
    refuses with_code "$user" "$(wrong "$user")"
    said=$(with_code "$user" "$(phone_at "$user" $((base + 31)))") && fail "the right code to wait"
    printf '%s\n' "$said"
    grep -q "Try again in 60 s" <<<"$said" || fail "a wait of 60 s"
    # A restart forgives nothing.
    systemctl restart mfa-clock
    refuses with_code "$user" "$(phone_at "$user" $((base + 31)))"
    clocked admin unlock "$user"
    accepts "$user" with_code "$user" "$(phone_at "$user" $((base + 31)))"
}

case_the_wait_ends_by_itself() {
    local user i
    later
    user=$(known_user)
    for i in 1 2 3 4 5; do refuses with_code "$user" "$(wrong "$user")"; done
    at $((base + 29))
    refuses with_code "$user" "$(phone_at "$user" $((base + 29)))"
    at $((base + 31))
    accepts "$user" with_code "$user" "$(phone_at "$user" $((base + 31)))"
}

case_after_a_success_the_owner_reads_what_failed_before() {
    local user said
    later
    user=$(known_user)
    refuses with_code "$user" "$(wrong "$user")"
    refuses with_code "$user" "$(wrong "$user")"
    said=$(with_code "$user" "$(phone_at "$user" "$base")")
    printf '%s\n' "$said"
    grep -q "2 wrong codes since your last login" <<<"$said" || fail "two wrong codes, told"
    said=$(with_code "$user" "$(off "$user" 60 0)")
    printf '%s\n' "$said"
    grep -q "logged in as $user" <<<"$said" || fail "to be logged in"
    ! grep -q "wrong code" <<<"$said" || fail "no failures to be told the second time"
}

# bypass_of USER [OPTION...]: a bypass code for an hour and two logins.
bypass_of() {
    clocked admin bypass "$1" --for 1h --uses 2 "${@:2}" |
        grep -oE '[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{3}'
}

case_a_bypass_code_opens_so_many_logins_of_one_service() {
    local user code
    later
    user=$(known_user)
    code=$(bypass_of "$user" --service su-l)
    refuses ssh_with 2227 "$user" "Password: " "$user-pw" "One-time code: " "$code"
    accepts "$user" with_code "$user" "$code"
    accepts "$user" with_code "$user" "$code"
    refuses with_code "$user" "$code"
    code=$(bypass_of "$user")
    accepts "$user" with_code "$user" "$code"
    at $((base + 3601))
    refuses with_code "$user" "$code"
    accepts "$user" with_code "$user" "$(phone_at "$user" $((base + 3601)))"
    # Who has made it is in the log, and the code is not.
    journalctl --sync
    journalctl --no-pager -u mfa-clock | grep -i bypass || fail "a line on the bypass"
    ! journalctl --no-pager | grep -F "$code" || fail "no code in the log"
}

case_an_old_token_is_rotated_inside_the_login() {
    local user
    later
    user=$(known_user)
    accepts "$user" ssh_with 2227 "$user" "Password: " "$user-pw" \
        "One-time code: " "$(phone_at "$user" "$base")"
    # 31 days later the same login ends with a new secret.
    later $((31 * 86400))
    refuses ssh_with 2227 "$user" "Password: " "$user-pw" \
        "One-time code: " "$(phone_at "$user" $base)" "shows now: " "hang-up:"
    # Abandoned: the old secret still works, and is asked to go again.
    at $((base + 60))
    accepts "$user" ssh_with 2227 "$user" "Password: " "$user-pw" \
        "One-time code: " "$(phone_at "$user" $((base + 60)))" \
        "shows now: " "$(scan_secret_of "$user") --now '$(date -u -d "@$((base + 60))" '+%F %T UTC')'" \
        "written them down" ""
    at $((base + 120))
    refuses ssh_with 2227 "$user" "Password: " "$user-pw" \
        "One-time code: " "$(phone_at "$user" $((base + 120)))"
    accepts "$user" ssh_with 2227 "$user" "Password: " "$user-pw" "One-time code: " \
        "$(oathtool --totp -b "@$state/$user.secret" --now "$(date -u -d "@$((base + 120))" '+%F %T UTC')")"
}

run_cases
