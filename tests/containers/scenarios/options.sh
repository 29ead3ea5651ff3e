# The options of the module in the programs that use them, and the settings of rules.
# shellcheck source=tests/containers/guest/cases.sh shell=bash
. /opt/tests/guest/cases.sh

# with_field USER FIELD: sshd's password authentication, one field and no dialogue.
with_field() {
    ssh_options="-o PreferredAuthentications=password -o KbdInteractiveAuthentication=no" \
        ssh_with 2225 "$1" "password: " "$2"
}

# su_with_field FROM TO FIELD
su_with_field() {
    "$guest/dialogue" "code: " "$3" -- \
        setpriv --reuid "$1" --regid "$1" --init-groups su "$2" -c 'echo "logged in as $(id -un)"'
}

with_password() { ssh_with "$1" "$2" "Password: " "$2-pw" "One-time code: " "$3"; }

case_password_and_code_in_one_field_log_in_over_ssh() {
    local user code
    user=$(enrolled_user)
    refuses with_field "$user" "$(code_of "$user")"
    user=$(enrolled_user)
    code=$(code_of "$user")
    refuses with_field "$user" "$user-pw"
    refuses with_field "$user" "$user-pw$(wrong_code_of "$user")"
    accepts "$user" with_field "$user" "$user-pw$code"
    refuses with_field "$user" "$user-pw$code"
}

case_a_wrong_password_before_the_code_is_refused() {
    local user other
    user=$(enrolled_user)
    refuses with_field "$user" "not-it$(code_of "$user")"
    other=$(enrolled_user)
    accepts "$other" with_field "$other" "$other-pw$(code_of "$other")"
}

case_password_and_code_in_one_field_open_su() {
    local user
    user=$(enrolled_user)
    refuses su_with_field carol "$user" "$user-pw$(wrong_code_of "$user")"
    accepts "$user" su_with_field carol "$user" "$user-pw$(code_of "$user")"
}

case_a_recovery_code_behind_the_password_logs_in_once() {
    local user recovery
    user=$(enrolled_user)
    recovery=$(grep -oE '^[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{3}' "$state/$user.log" | head -n 1)
    accepts "$user" with_field "$user" "$user-pw$recovery"
    refuses with_field "$user" "$user-pw$recovery"
}

case_use_first_pass_takes_the_field_that_another_module_asked_for() {
    local user
    user=$(enrolled_user)
    refuses ssh_with 2226 "$user" "Password: " "$user-pw"
    refuses ssh_with 2226 "$user" "Password: " "$user-pw$(wrong_code_of "$user")"
    refuses ssh_with 2226 "$user" "Password: " "not-it$(code_of "$user")"
    user=$(enrolled_user)
    accepts "$user" ssh_with 2226 "$user" "Password: " "$user-pw$(code_of "$user")"
}

case_retry_asks_three_times_in_one_login_and_counts_each() {
    local user wrong
    user=$(enrolled_user)
    wrong=$(wrong_code_of "$user")
    refuses ssh_with 2235 "$user" "Password: " "$user-pw" "One-time code: " "$wrong" \
        "One-time code: " "$wrong" "One-time code: " "$wrong"
    mfa --json status --user "$user" | grep -q '"failures": *3' || fail "three failures"
    accepts "$user" ssh_with 2235 "$user" "Password: " "$user-pw" "One-time code: " "$wrong" \
        "One-time code: " "$(code_of "$user")"
}

case_members_of_the_exempt_group_are_not_asked_and_others_are() {
    local user
    accepts robot ssh_with 2231 robot "Password: " robot-pw
    refuses ssh_with 2231 robot "Password: " not-it
    # On another service the same account is asked.
    refuses with_password 22 robot 123456
    user=$(enrolled_user)
    refuses with_password 2231 "$user" "$(wrong_code_of "$user")"
    accepts "$user" with_password 2231 "$user" "$(code_of "$user")"
}

case_a_group_exempt_by_a_rule_is_not_asked_until_its_date() {
    accepts temp ssh_with 22 temp "Password: " temp-pw
    refuses ssh_with 22 temp "Password: " not-it
    mfa explain temp sshd
    mfa explain temp sshd | grep "contractors" >/dev/null || fail "the rule that decides"
    refuses with_password 22 "$(fresh_user)" 123456
}

case_observe_asks_and_logs_and_never_denies() {
    local user since port
    for port in 2232 2233; do
        user=$(enrolled_user)
        since=$(moment)
        accepts "$user" with_password "$port" "$user" "$(wrong_code_of "$user")"
        log_since "$since" "pam_mfa.*observe.*user=$user" || fail "a line on what would have been denied"
        accepts "$user" with_password "$port" "$user" "$(code_of "$user")"
        refuses ssh_with "$port" "$user" "Password: " not-it
    done
    # The same user on a service that does not observe.
    refuses with_password 22 "$user" "$(wrong_code_of "$user")"
}

case_an_unavailable_daemon_lets_in_with_an_alert_where_told_so() {
    local user since
    user=$(enrolled_user)
    systemctl stop mfa.socket mfa.service
    since=$(moment)
    accepts "$user" ssh_with 2234 "$user" "Password: " "$user-pw"
    journalctl --sync
    journalctl --no-pager -p alert --since "$since" | grep pam_mfa || fail "an alert"
    refuses ssh_with 2234 "$user" "Password: " not-it
    refuses ssh_with 22 "$user" "Password: " "$user-pw"
    systemctl start mfa.socket
    # With the daemon back a code is asked for again.
    refuses with_password 2234 "$user" "$(wrong_code_of "$user")"
    accepts "$user" with_password 2234 "$user" "$(code_of "$user")"
}

case_explain_says_what_a_login_gets_and_which_rule_decides() {
    local said line user
    user=$(enrolled_user)
    said=$(mfa explain "$user" sudo)
    printf '%s\n' "$said"
    line=$(grep -n 'one code for each terminal' /etc/mfa/mfa.toml | cut -d: -f1)
    grep -qE "line ($line|$((line - 1)))" <<<"$said" || fail "the rule's line"
    mfa explain late sshd
    mfa explain due sshd
}

case_the_rules_in_the_documents_are_valid() {
    local document
    for document in enrolment policy; do
        awk '/^```toml/ { inside = 1; next } /^```/ { inside = 0 } inside' \
            "/usr/share/doc/mfa/operations/$document.md" >"$state/$document.toml"
        grep -c '^\[\[rule\]\]' "$state/$document.toml"
        mfa-daemon --check --config "$state/$document.toml"
        echo 'no_such_setting = 1' >>"$state/$document.toml"
        ! mfa-daemon --check --config "$state/$document.toml" || fail "an unknown setting to be an error"
    done
}

# The lines that the documents tell an administrator to write are those that run on this machine.
case_the_pam_lines_in_the_documents_are_the_ones_run_here() {
    local line
    grep -hE '^(auth|account|password) .*pam_mfa\.so' /usr/share/doc/mfa/operations/*.md >"$state/lines"
    [ "$(wc -l <"$state/lines")" -ge 5 ] || fail "five lines in the documents"
    while read -r line; do
        grep -qxF -- "$line" /etc/pam.d/* || fail "'$line' in /etc/pam.d"
    done <"$state/lines"
}

run_cases
