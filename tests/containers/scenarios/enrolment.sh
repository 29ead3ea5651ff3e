# Users without a token, and enrolments that were cut off.
# shellcheck source=tests/containers/guest/cases.sh shell=bash
. /opt/tests/guest/cases.sh

with_password() { ssh_with "$1" "$2" "Password: " "$2-pw" "One-time code: " "$3"; }

case_a_user_without_a_token_is_asked_and_refused() {
    local user other
    user=$(fresh_user)
    refuses with_password 22 "$user" 123456
    other=$(enrolled_user)
    accepts "$other" with_password 22 "$other" "$(code_of "$other")"
}

case_nullok_lets_a_user_without_a_token_in_by_password_alone() {
    local user
    user=$(fresh_user)
    refuses ssh_with 2223 "$user" "Password: " not-it
    accepts "$user" ssh_with 2223 "$user" "Password: " "$user-pw"
}

case_nullok_still_asks_a_user_with_a_token() {
    local user
    user=$(enrolled_user)
    refuses with_password 2223 "$user" "$(wrong_code_of "$user")"
    accepts "$user" with_password 2223 "$user" "$(code_of "$user")"
}

case_users_enrol_themselves_and_nobody_else() {
    local user other
    user=$(fresh_user)
    other=$(fresh_user)
    ! runuser -u "$user" -- mfa enroll --user "$other" --save-token "/home/$user/token" ||
        fail "the enrolment of $other by $user to be refused"
    runuser -u "$user" -- mfa enroll --save-token "/home/$user/token"
    [ "$(stat -c '%U %a' "/home/$user/token")" = "$user 600" ] || fail "a token file for $user alone"
    accepts "$user" with_password 22 "$user" "$("$guest/next-code" "/home/$user/token")"
    accepts "$other" ssh_with 2223 "$other" "Password: " "$other-pw"
}

# oathtool stands for a phone: it knows the secret that the terminal shows, and nothing else.
case_a_phone_enrolled_from_the_terminal_gives_codes_that_log_in() {
    local user secret
    user=$(fresh_user)
    # shellcheck disable=SC2016
    "$guest/dialogue" "shows now: " 'run:printf %s "$SCREEN" | tr -d "\r" |
        grep -xE "([A-Z2-7]{4} ?)+" | tr -d " \n" >'"$state/$user.secret
        oathtool --totp -b @$state/$user.secret" -- runuser -u "$user" -- mfa enroll
    secret=$state/$user.secret
    refuses with_password 22 "$user" "$(oathtool --totp -b "@$secret" --now "10 minutes ago")"
    accepts "$user" with_password 22 "$user" "$(oathtool --totp -b "@$secret" --now "+30 seconds")"
}

# Logs in where nullok asks only users who have a token. Prints "none" where no code was asked for,
# "works" where the code in the token file opened the login.
token_of() {
    local user=$1 said rc=0
    said=$(with_password 2223 "$user" "$(code_of "$user" 2>/dev/null || echo 000000)" 2>&1) || rc=$?
    echo "$said" >&2
    if [ "$rc" -eq 125 ] && grep -q "logged in as $user" <<<"$said"; then
        echo none
    elif [ "$rc" -eq 0 ]; then
        echo works
    else
        echo "the user is locked out"
    fi
}

# The client is killed at its first message, its second, and so on to the last. Before the daemon has
# taken the confirming code there is no token; after that it counts, and the user has it on disk.
case_an_enrolment_killed_at_any_message_costs_nobody_the_way_in() {
    local call user n token killed=0
    for call in sendto recvfrom; do
        user=$(fresh_user)
        for ((n = 1; n <= 100; n++)); do
            rm -f "$state/$user.token"
            ! strace -qq -o /dev/null -e trace="$call" -e inject="$call:signal=KILL:when=$n" \
                mfa enroll --user "$user" --save-token "$state/$user.token" || break
            killed=$((killed + 1))
            token=$(token_of "$user")
            echo "killed at $call $n: $token"
            [ "$token" = none ] || break
        done
        [ "$n" -le 100 ] || fail "the enrolment to end"
        [ "$token" = works ] || token=$(token_of "$user")
        [ "$token" = works ] || fail "a token that works, not: $token"
    done
    [ "$killed" -ge 6 ] || fail "the client to be killed at six messages, not $killed"
}

case_an_enrolment_killed_at_the_code_prompt_leaves_no_token() {
    local user
    user=$(fresh_user)
    refuses "$guest/dialogue" "shows now: " "run:pkill -KILL -x mfa" -- \
        mfa enroll --user "$user" --qr never
    accepts "$user" ssh_with 2223 "$user" "Password: " "$user-pw"
    # The next attempt succeeds, and from then on a code is asked for.
    mfa enroll --user "$user" --save-token "$state/$user.token"
    accepts "$user" with_password 2223 "$user" "$(code_of "$user")"
}

run_cases
