# Enrolment inside the login: forced, by a deadline, by invitation, on a console, abandoned.
# shellcheck source=tests/containers/guest/cases.sh shell=bash
. /opt/tests/guest/cases.sh

written_down="written them down"

# enrols_over_ssh USER [PROMPT ANSWER]...: the whole first login; more prompts stand before the code's.
enrols_over_ssh() {
    local user=$1
    shift
    ssh_with 2224 "$user" "Password: " "$user-pw" "$@" \
        "shows now: " "$(scan_secret_of "$user")" "$written_down" ""
}

with_code() { ssh_with 2224 "$1" "Password: " "$1-pw" "One-time code: " "$2"; }

has_no_token() {
    local said
    said=$(mfa --json status --user "$1")
    echo "$said"
    grep -q '"tokens": *\[\]' <<<"$said" || fail "no token of $1"
}

case_the_first_ssh_login_enrols_and_the_next_one_needs_a_code() {
    local user said recovery
    user=$(fresh_user)
    said=$(enrols_over_ssh "$user")
    printf '%s\n' "$said"
    grep -q "logged in as $user" <<<"$said" || fail "to be logged in by the enrolment"
    [ "$(grep -cE '^[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{3}' <<<"$said")" -eq 10 ] || fail "ten recovery codes"
    # Neither the password alone nor the code that confirmed opens the next login.
    refuses with_code "$user" "$(phone_of "$user" -60)"
    accepts "$user" with_code "$user" "$(phone_of "$user" 30)"
    recovery=$(grep -oE '^[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{3}' <<<"$said" | head -n 1)
    accepts "$user" with_code "$user" "$recovery"
    refuses with_code "$user" "$recovery"
}

# The picture as ssh shows it, read by zbar: what a phone's camera would see.
case_the_qr_code_in_the_ssh_login_can_be_scanned() {
    local user uri
    user=$(fresh_user)
    # shellcheck disable=SC2016
    accepts "$user" ssh_with 2224 "$user" "Password: " "$user-pw" "shows now: " \
        'run:printf %s "$SCREEN" | /opt/tests/guest/scan-screen >'"$state/$user.uri
        sed -n 's/.*[?&]secret=\([A-Z2-7]*\).*/\1/p' $state/$user.uri >$state/$user.secret
        oathtool --totp -b @$state/$user.secret" "$written_down" ""
    uri=$(cat "$state/$user.uri")
    echo "$uri"
    grep -q "^QR-Code:otpauth://totp/" <<<"$uri" || fail "an otpauth URI"
    accepts "$user" with_code "$user" "$(phone_of "$user" 30)"
}

case_the_first_login_on_a_console_enrols() {
    local user
    user=$(fresh_user)
    accepts "$user" "$guest/dialogue" "login: " "$user" "Password: " "$user-pw" \
        "shows now: " "$(scan_secret_of "$user")" "$written_down" "" \
        "\$ " 'echo "logged in as $(id -un)"; exit' -- login
    accepts "$user" with_code "$user" "$(phone_of "$user" 30)"
}

case_an_enrolment_abandoned_at_the_qr_code_changes_nothing() {
    local user
    user=$(fresh_user)
    refuses ssh_with 2224 "$user" "Password: " "$user-pw" "shows now: " "hang-up:"
    has_no_token "$user"
    refuses ssh_with 2224 "$user" "Password: " "$user-pw" "shows now: " ""
    has_no_token "$user"
    accepts "$user" enrols_over_ssh "$user"
}

case_wrong_first_codes_end_the_enrolment_and_change_nothing() {
    local user
    user=$(fresh_user)
    printf '%s' 'AAAABBBBCCCCDDDDEEEEFFFFGGGGHHHH' >"$state/$user.secret"
    ! ssh_with 2224 "$user" "Password: " "$user-pw" "shows now: " "000000" "shows now: " "000000" \
        "shows now: " "000000" "shows now: " "000000" "shows now: " "000000" | tee "$state/$user.said" ||
        fail "five wrong codes to be refused"
    ! grep -q "logged in as" "$state/$user.said" || fail "not to log in"
    has_no_token "$user"
    accepts "$user" enrols_over_ssh "$user"
}

case_a_wrong_password_shows_no_secret() {
    local user said
    user=$(fresh_user)
    said=$(ssh_with 2224 "$user" "Password: " "not-it" || true)
    printf '%s\n' "$said"
    ! grep -qE '([A-Z2-7]{4} ){7}' <<<"$said" || fail "no secret before the password"
    accepts "$user" enrols_over_ssh "$user"
}

# sshd runs `account` for it as well, and has no dialogue to enrol in.
case_a_key_alone_does_not_pass_while_an_enrolment_is_due() {
    local user
    user=$(fresh_user)
    ssh_key=/etc/ssh/test-keys/id refuses ssh_with 2224 "$user"
    has_no_token "$user"
    user=$(enrolled_user)
    ssh_key=/etc/ssh/test-keys/id accepts "$user" ssh_with 2224 "$user"
}

case_before_the_deadline_a_notice_counts_the_days() {
    local said
    said=$("$guest/dialogue" "Password: " soon-pw "\$ " 'echo "logged in as $(id -un)"; exit' -- \
        ssh -p 2224 soon@127.0.0.1)
    printf '%s\n' "$said"
    grep -q "logged in as soon" <<<"$said" || fail "to be let in"
    grep -qE 'within 1[12] days' <<<"$said" || fail "a notice that counts the days"
    has_no_token soon
}

case_between_the_dates_enrolment_is_forced() {
    # Without the enrolment the password does not do.
    refuses ssh_with 2224 due "Password: " due-pw "shows now: " ""
    accepts due enrols_over_ssh due
    accepts due with_code due "$(phone_of due 30)"
}

case_after_the_deadline_a_user_without_a_token_is_denied() {
    refuses with_code late 123456
    mfa explain late sshd-enroll
    mfa enroll --user late --save-token "$state/late.token"
    accepts late with_code late "$(code_of late)"
}

case_an_invite_code_opens_the_enrolment() {
    local invite
    ! runuser -u guest -- mfa enroll --save-token /home/guest/token ||
        fail "an enrolment without an invitation to be refused"
    refuses ssh_with 2224 guest "Password: " guest-pw "nvit" "0000-0000-000"
    has_no_token guest
    invite=$(mfa admin invite guest --for 1h | grep -oE '[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{3}')
    accepts guest enrols_over_ssh guest "nvit" "$invite"
    accepts guest with_code guest "$(phone_of guest 30)"
    # It is spent: without a token again, it does not do a second time.
    mfa revoke --user guest --name default
    refuses ssh_with 2224 guest "Password: " guest-pw "nvit" "$invite"
}

case_passwd_and_an_expired_password_work_as_before() {
    local user
    user=$(enrolled_user)
    "$guest/dialogue" "Current password: " "$user-pw" "New password: " "Plugh-9-xyzzy" \
        "Retype new password: " "Plugh-9-xyzzy" -- \
        setpriv --reuid "$user" --regid "$user" --init-groups passwd
    chage -d 0 "$user"
    accepts "$user" ssh_with 2224 "$user" "Password: " "Plugh-9-xyzzy" \
        "One-time code: " "$(code_of "$user")" \
        "urrent password: " "Plugh-9-xyzzy" "ew password: " "Xyzzy-8-plugh" "new password: " "Xyzzy-8-plugh"
    refuses ssh_with 2224 "$user" "Password: " "Plugh-9-xyzzy"
}

case_an_expired_password_is_changed_before_the_enrolment() {
    local user
    user=$(fresh_user)
    chage -d 0 "$user"
    # Who enrols must not keep an expired password by it.
    accepts "$user" ssh_with 2224 "$user" "Password: " "$user-pw" \
        "urrent password: " "$user-pw" "ew password: " "Xyzzy-8-plugh" "new password: " "Xyzzy-8-plugh"
    has_no_token "$user"
    accepts "$user" ssh_with 2224 "$user" "Password: " "Xyzzy-8-plugh" \
        "shows now: " "$(scan_secret_of "$user")" "$written_down" ""
}

run_cases
