# docs/operations.md: its commands as they stand there, in their order; a section is a case. Between
# them users log in, where the text says so.
# shellcheck source=tests/containers/guest/cases.sh shell=bash
. /opt/tests/guest/cases.sh
# shellcheck source=tests/containers/guest/pages.sh
. /opt/tests/guest/pages.sh

with_password() { ssh_with 22 "$1" "Password: " "$1-pw" "One-time code: " "$2"; }
google_code() { oathtool --totp -b "$(head -n 1 "$state/$1.google")" --now "${2:-0} seconds"; }

alice_logs_in_by_password() { accepts alice ssh_with 22 alice "Password: " alice-pw; }

alice_enrols() {
    if [ -s /root/invite-for-alice ]; then
        mfa enroll --user alice --save-token "$state/alice.token" --force
    else
        runuser -u alice -- mfa enroll --save-token /home/alice/token
        mv /home/alice/token "$state/alice.token"
    fi
    code_of alice >"$state/alice.used"
    accepts alice with_password alice "$(cat "$state/alice.used")"
}

alice_and_bob_log_in_with_a_code() {
    said | grep -q '^bob ' || fail "bob in what was said"
    [ "$(runuser -u bob -- mfa code)" ] || fail "bob's own mfa code to find his token"
    refuses with_password bob "$(wrong_code_of_file /home/bob/.config/mfa/token)"
    accepts bob with_password bob "$("$guest/next-code" /home/bob/.config/mfa/token)"
    refuses with_password alice "$(cat "$state/alice.used")"
}

wrong_code_of_file() {
    cp "$1" "$state/copy.token"
    wrong_code_of copy
}

alice_logs_in_with_the_bypass_code() {
    local code
    code=$(grep -oE '[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{3}' /root/code-for-alice)
    accepts alice with_password alice "$code"
    refuses with_password alice "$code"
}

somebody_guesses_bobs_code() {
    local _
    for _ in 1 2 3 4 5; do refuses with_password bob "$(wrong_code_of_file /home/bob/.config/mfa/token)"; done
    refuses with_password bob 000000
}

bob_logs_in_after_the_lock() {
    said | grep -q 'bob' || fail "bob among the locked"
    waits_for_a_new_code /home/bob/.config/mfa/token bob
    accepts bob with_password bob "$new_code"
}

# waits_for_a_new_code TOKEN USER: the first code after the last spent one. A real phone would make its
# owner wait as well.
waits_for_a_new_code() {
    local last
    last=$(mfa --json status --user "$2" | grep -oE '"last_used":[0-9]+' | tail -n 1 | grep -oE '[0-9]+')
    while [ $(($(date +%s) / 30)) -le $((${last:-0} / 30)) ]; do sleep 1; done
    new_code=$("$guest/next-code" "$1")
}

nobodys_old_code_opens_a_login() {
    said | grep -q default || fail "carol's token to be back"
    touch "$state/restored"
    refuses with_password carol "$(mfa code --token /root/carol.token)"
    refuses with_password carol "$(faketime -f +30s mfa code --token /root/carol.token)"
}

# Long after the restore, so that its guard has passed.
carol_logs_in() {
    local until
    until=$(($(stat -c %Y "$state/restored") + 100))
    while [ "$(date +%s)" -lt "$until" ]; do sleep 1; done
    accepts carol with_password carol "$("$guest/next-code" /root/carol.token)"
}

users_of_google_authenticator_log_in() {
    local user
    "$guest/start-sshd" sshd-google 2230 <<'PAM'
auth required pam_unix.so
auth required pam_google_authenticator.so
account include common-account
session include common-session
PAM
    for user in u01 u02; do
        runuser -u "$user" -- google-authenticator --time-based --disallow-reuse --force \
            --rate-limit=3 --rate-time=30 --window-size=3 --quiet
        head -n 1 "/home/$user/.google_authenticator" >"$state/$user.google"
        google_code "$user" >"$state/$user.used"
        accepts "$user" ssh_with 2230 "$user" "Password: " "$user-pw" \
            "Verification code: " "$(cat "$state/$user.used")"
    done
}

the_same_phones_go_on() {
    refuses with_password u01 "$(cat "$state/u01.used")"
    accepts u01 with_password u01 "$(google_code u01 +30)"
    scratch=$(grep -E '^[0-9]{8}$' /home/u01/.google_authenticator | head -n 1)
    accepts u01 with_password u01 "$scratch"
    refuses with_password u01 "$scratch"
}

the_same_phone_goes_back() {
    refuses ssh_with 2230 u02 "Password: " u02-pw "Verification code: " "$(cat "$state/u02.used")"
    accepts u02 ssh_with 2230 u02 "Password: " u02-pw "Verification code: " "$(google_code u02 +30)"
}

page operations.md
run_cases
