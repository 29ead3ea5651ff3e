# ssh: password and code, key and code, wrong, replayed and simultaneous codes.
# shellcheck source=tests/containers/guest/cases.sh shell=bash
. /opt/tests/guest/cases.sh

with_password() { ssh_with 22 "$1" "Password: " "$1-pw" "One-time code: " "$2"; }
with_key() { ssh_key=/etc/ssh/test-keys/id ssh_with 2222 "$1" "One-time code: " "$2"; }

case_password_and_code_log_in() {
    local user
    user=$(enrolled_user)
    accepts "$user" with_password "$user" "$(code_of "$user")"
}

case_key_and_code_log_in() {
    local user
    user=$(enrolled_user)
    accepts "$user" with_key "$user" "$(code_of "$user")"
}

case_a_key_without_a_code_is_refused() {
    local user
    user=$(enrolled_user)
    ssh_key=/etc/ssh/test-keys/id ssh_options="-o KbdInteractiveAuthentication=no" \
        refuses ssh_with 2222 "$user"
    refuses with_key "$user" ""
    accepts "$user" with_key "$user" "$(code_of "$user")"
}

case_a_wrong_code_is_refused_and_the_right_one_still_works() {
    local user wrong
    user=$(enrolled_user)
    wrong=$(wrong_code_of "$user")
    refuses with_password "$user" "$wrong"
    refuses with_key "$user" "$wrong"
    accepts "$user" with_password "$user" "$(code_of "$user")"
}

case_a_wrong_password_is_refused_and_spends_no_code() {
    local user
    user=$(enrolled_user)
    refuses ssh_with 22 "$user" "Password: " "not-it"
    accepts "$user" with_password "$user" "$(code_of "$user")"
}

case_the_code_of_another_user_is_refused() {
    local user other code
    user=$(enrolled_user)
    other=$(enrolled_user)
    code=$(code_of "$other")
    refuses with_password "$user" "$code"
    accepts "$other" with_password "$other" "$code"
}

case_a_replayed_code_is_refused() {
    local user code
    user=$(enrolled_user)
    code=$(code_of "$user")
    accepts "$user" with_password "$user" "$code"
    refuses with_password "$user" "$code"
    refuses with_key "$user" "$code"
}

case_the_code_that_confirmed_the_enrolment_is_spent() {
    local user used
    user=$(enrolled_user)
    # Not the code of now: where the step has changed since the enrolment, that one is fresh.
    used=$(mfa --json status --user "$user" | grep -oE '"last_used":[0-9]+' | grep -oE '[0-9]+')
    refuses with_password "$user" "$(faketime "@$used" mfa code --token "$state/$user.token")"
    accepts "$user" with_password "$user" "$(code_of "$user")"
}

case_the_same_code_in_two_sessions_at_once_opens_exactly_one() {
    local round user code go won
    for round in 1 2 3 4 5; do
        user=$(enrolled_user)
        code=$(code_of "$user")
        go=$state/go.$user
        for session in 1 2; do
            with_password "$user" "run:touch $go.$session; while [ ! -e $go ]; do :; done; printf $code" \
                >"$go.said.$session" 2>&1 &
        done
        for _ in $(seq 500); do
            [ ! -e "$go.1" ] || [ ! -e "$go.2" ] || break
            sleep 0.02
        done
        touch "$go"
        wait
        won=$(cat "$go".said.* | grep -c "logged in as $user" || true)
        cat "$go".said.*
        [ "$won" -eq 1 ] || fail "exactly one login in round $round, not $won"
    done
}

# The module alone behind a key, as on port 2222.
sshd_with() {
    printf '%s\n' "auth required pam_mfa.so" "account include common-account" "session include common-session" |
        "$guest/start-sshd" "$1" "$2" -o AuthenticationMethods=publickey,keyboard-interactive -o "$3"
}

# failures_of USER NUMBER: what the daemon has counted.
failures_of() {
    mfa --json status --user "$1" | grep -Eq "\"failures\": ?$2[,}]" || {
        mfa --json status --user "$1"
        fail "$2 wrong codes counted"
    }
}

case_sshd_lets_nobody_guess_more_often_than_the_daemon_counts() {
    local user wrong pairs=() n
    sshd_with sshd-three 2230 MaxAuthTries=3
    sshd_with sshd-ten 2231 MaxAuthTries=10
    user=$(enrolled_user)
    wrong=$(wrong_code_of "$user")
    for n in 1 2 3; do pairs+=("One-time code: " "$wrong"); done
    # The third ends the connection, whatever the client would still try.
    ssh_key=/etc/ssh/test-keys/id ssh_options="-o NumberOfPasswordPrompts=10" refuses ssh_with 2230 "$user" "${pairs[@]}"
    failures_of "$user" 3
    accepts "$user" with_key "$user" "$(code_of "$user")"
    # Where sshd allows ten, the daemon's lock comes first: five are counted, and the sixth is not looked at.
    user=$(enrolled_user)
    wrong=$(wrong_code_of "$user")
    pairs=()
    for n in 1 2 3 4 5 6; do pairs+=("One-time code: " "$wrong"); done
    ssh_key=/etc/ssh/test-keys/id ssh_options="-o NumberOfPasswordPrompts=10" refuses ssh_with 2231 "$user" "${pairs[@]}"
    failures_of "$user" 5
    mfa admin unlock "$user"
    accepts "$user" with_key "$user" "$(code_of "$user")"
}

case_further_sessions_of_a_connection_ask_for_no_code_and_a_new_connection_does() {
    local user master
    user=$(enrolled_user)
    master=$state/master.$user
    ssh_options="-M -S $master -o ControlPersist=60" accepts "$user" with_key "$user" "$(code_of "$user")"
    waits_until ssh -S "$master" -O check "$user@127.0.0.1"
    accepts "$user" ssh -S "$master" "$user@127.0.0.1" 'echo "logged in as $(id -un)"'
    refuses with_key "$user" ""
    ssh -S "$master" -O exit "$user@127.0.0.1"
    refuses ssh -p 2222 -S "$master" -o BatchMode=yes -o PubkeyAuthentication=yes -i /etc/ssh/test-keys/id "$user@127.0.0.1" true
}

case_a_client_that_is_killed_and_a_grace_time_that_ends_at_the_prompt_count_nothing() {
    local user
    sshd_with sshd-grace-time 2232 LoginGraceTime=10
    user=$(enrolled_user)
    refuses with_password "$user" "hang-up:"
    refuses with_password "$user" "run:pkill -KILL -f '^ssh -p 22 .*$user@127'; echo 000000"
    ssh_key=/etc/ssh/test-keys/id refuses ssh_with 2232 "$user" "One-time code: " "run:sleep 13; echo 000000"
    waits_until sh -c "! pgrep -f '^sshd: $user'"
    failures_of "$user" 0
    ssh_key=/etc/ssh/test-keys/id accepts "$user" ssh_with 2232 "$user" "One-time code: " "$(code_of "$user")"
}

run_cases
