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
    local user code
    user=$(enrolled_user)
    code=$(faketime -f +0s mfa code --token "$state/$user.token")
    # At a change of step this is the next code, which is fresh.
    [ "$code" = "$(code_of "$user")" ] || refuses with_password "$user" "$code"
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

run_cases
