# Grace: after a code, not asked again for a while from the same ssh key or the same terminal.
# shellcheck source=tests/containers/guest/cases.sh shell=bash
. /opt/tests/guest/cases.sh

with_key() { ssh_key=/etc/ssh/test-keys/$1 ssh_with 2222 "$2" "${@:3}"; }

case_the_same_key_is_not_asked_again_and_another_key_is() {
    local user code
    user=$(enrolled_user)
    # Before the first code nothing is granted.
    refuses with_key id "$user" "One-time code: " ""
    code=$(code_of "$user")
    accepts "$user" with_key id "$user" "One-time code: " "$code"
    accepts "$user" with_key id "$user"
    accepts "$user" with_key id "$user"
    refuses with_key other "$user" "One-time code: " "$code"
    mfa status --user "$user"
    mfa status --user "$user" | grep "$(ssh-keygen -lf /etc/ssh/test-keys/id | cut -d' ' -f2)" >/dev/null ||
        fail "the key's fingerprint in the status"
    # It belongs to this user and to this service.
    refuses with_key id "$(enrolled_user)" "One-time code: " "$code"
    refuses ssh_with 22 "$user" "Password: " "$user-pw" "One-time code: " "$code"
}

case_an_administrator_ends_the_grace() {
    local user recovery
    user=$(enrolled_user)
    accepts "$user" with_key id "$user" "One-time code: " "$(code_of "$user")"
    accepts "$user" with_key id "$user"
    mfa admin end-grace "$user"
    refuses with_key id "$user" "One-time code: " 000000
    recovery=$(grep -oE '^[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{3}' "$state/$user.log" | head -n 1)
    # A recovery code opens the login and gives no grace.
    accepts "$user" with_key id "$user" "One-time code: " "$recovery"
    refuses with_key id "$user" "One-time code: " 000000
}

case_a_wrong_code_gives_no_grace() {
    local user
    user=$(enrolled_user)
    refuses with_key id "$user" "One-time code: " "$(wrong_code_of "$user")"
    refuses with_key id "$user" "One-time code: " ""
    accepts "$user" with_key id "$user" "One-time code: " "$(code_of "$user")"
    accepts "$user" with_key id "$user"
}

# on_terminal USER [PROMPT ANSWER]... -- SCRIPT: in a session and on a terminal of its own.
on_terminal() {
    local user=$1
    "$guest/dialogue" "${@:2:$#-2}" setpriv --reuid "$user" --regid "$user" --init-groups sh -c "${!#}"
}

who='tty; sudo sh -c "echo first logged in as \$(id -un)"; sudo sh -c "echo logged in as \$(id -un)"'

case_sudo_asks_once_for_each_terminal() {
    local user
    user=$(enrolled_user)
    # sudo keeps no timestamp here: the password is asked for each time, the code only once.
    accepts root on_terminal "$user" "password for $user: " "$user-pw" \
        "One-time code: " "$(code_of "$user")" "password for $user: " "$user-pw" -- "$who"
    # Another session is asked, though its terminal may have the same name.
    refuses on_terminal "$user" "password for $user: " "$user-pw" "One-time code: " "000000" \
        -- 'tty; sudo sh -c "echo logged in as \$(id -un)"'
}

# The second terminal is opened from the first one, which keeps its grace.
case_two_terminals_at_once_are_two() {
    local user
    user=$(enrolled_user)
    accepts root on_terminal "$user" "password for $user: " "$user-pw" \
        "One-time code: " "$(code_of "$user")" \
        "opened" "" "password for $user: " "$user-pw" "One-time code: " "000000" \
        "refused" "" "password for $user: " "$user-pw" -- '
            tty; sudo true; echo opened; read -r _
            script -qec "tty; sudo true" /dev/null || echo refused; read -r _
            sudo sh -c "echo logged in as \$(id -un)"'
}

case_a_grace_does_not_outlive_the_token() {
    local user
    user=$(enrolled_user)
    accepts "$user" with_key id "$user" "One-time code: " "$(code_of "$user")"
    accepts "$user" with_key id "$user"
    mfa revoke --user "$user" --name default
    refuses with_key id "$user" "One-time code: " 000000
}

run_cases
