# The pages for readers in a hurry, and those about the trail and backups: their commands as they stand
# there. Between them users and programs log in, where the text says so.
# shellcheck source=tests/containers/guest/cases.sh shell=bash
. /opt/tests/guest/cases.sh
# shellcheck source=tests/containers/guest/pages.sh
. /opt/tests/guest/pages.sh

with_password() { ssh_with 22 "$1" "Password: " "$1-pw" "One-time code: " "$2"; }
by_password() { ssh_with 22 "$1" "Password: " "$1-pw"; }
with_key() { ssh_key=/etc/ssh/test-keys/id ssh_with 22 "$@"; }

# The machine as the package leaves it; each page begins there.
as_at_first() {
    local first=/root/at-first user
    if [ ! -d $first ]; then
        mkdir $first
        cp -a /etc/pam.d /etc/ssh/sshd_config.d /etc/sudoers.d /etc/mfa $first
    fi
    rm -rf /etc/pam.d /etc/ssh/sshd_config.d /etc/sudoers.d /etc/mfa
    cp -a $first/pam.d $first/sudoers.d $first/mfa /etc
    cp -a $first/sshd_config.d /etc/ssh
    # Not reloaded: after that sshd does not listen for a moment.
    systemctl restart ssh
    mfa admin reload
    for user in root alice bob robot u01 u02 u03 u04; do mfa admin reset --yes "$user" >/dev/null 2>&1 || true; done
}

# enrols USER: anew, so that no code of before is spent.
enrols() {
    mfa admin reset --yes "$1" >/dev/null 2>&1 || true
    rm -f "/home/$1/token"
    runuser -u "$1" -- mfa enroll --save-token "/home/$1/token"
    mv "/home/$1/token" "$state/$1.token"
}

the_package_is_here() { cp /root/mfa.deb /root/mfa_0.1.0-1_test.deb; }
alice_enrols() { enrols alice; }

alice_logs_in_with_password_and_code_and_bob_by_password() {
    local code
    refuses with_password alice "$(wrong_code_of alice)"
    code=$(code_of alice)
    accepts alice with_password alice "$code"
    refuses with_password alice "$code"
    accepts bob by_password bob
}

bob_is_refused_and_alice_logs_in() {
    refuses with_password bob 123456
    enrols alice
    accepts alice with_password alice "$(code_of alice)"
}

everybody_logs_in_by_password() {
    accepts alice by_password alice
    accepts bob by_password bob
}

sshd_and_sudo_are_enabled_and_the_daemon_is_gone() {
    mfa pam enable sshd sudo --keep --yes
    systemctl stop mfa.socket mfa.service
    refuses by_password alice
}

everybody_logs_in_by_password_without_a_daemon() {
    everybody_logs_in_by_password
    systemctl start mfa.socket
}

password_and_code() {
    enrols alice
    alice_logs_in_with_password_and_code_and_bob_by_password
}

key_and_code() {
    enrols alice
    refuses with_key alice "One-time code: " "$(wrong_code_of alice)"
    accepts alice with_key alice "One-time code: " "$(code_of alice)"
    # Neither the password nor the key alone.
    refuses ssh_with 22 alice
    refuses with_key bob "One-time code: " 123456
}

one_code_for_the_key() {
    enrols alice
    accepts alice with_key alice "One-time code: " "$(code_of alice)"
    accepts alice with_key alice
    said | grep -q "asks for no code\|no code for\|Grace: after" || fail "the grace in what was explained"
}

# on_terminal USER [PROMPT ANSWER]... -- SCRIPT: in a session and on a terminal of its own.
on_terminal() {
    local user=$1
    "$guest/dialogue" "${@:2:$#-2}" setpriv --reuid "$user" --regid "$user" --init-groups sh -c "${!#}"
}

# shellcheck disable=SC2016
who='sudo sh -c "echo logged in as \$(id -un)"'

sudo_asks_for_password_and_code() {
    enrols alice
    refuses on_terminal alice "password for alice: " alice-pw "One-time code: " "$(wrong_code_of alice)" -- "$who"
    accepts root on_terminal alice "password for alice: " alice-pw "One-time code: " "$(code_of alice)" -- "$who"
    accepts root on_terminal bob "password for bob: " bob-pw -- "$who"
}

sudo_asks_once_for_a_terminal() {
    enrols alice
    accepts root on_terminal alice "password for alice: " alice-pw "One-time code: " "$(code_of alice)" \
        "password for alice: " alice-pw -- "sudo true; $who"
}

sudo_asks_for_the_code_alone() {
    enrols alice
    refuses on_terminal alice "One-time code: " "$(wrong_code_of alice)" -- "$who"
    accepts root on_terminal alice "One-time code: " "$(code_of alice)" -- "$who"
}

bypass_code() { grep -oE '[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{3}' "$1"; }

the_bypass_code_opens_sudo() {
    local code
    code=$(bypass_code /root/code-for-alice)
    accepts root on_terminal alice "One-time code: " "$code" -- "$who"
    refuses on_terminal alice "One-time code: " "$code" -- "$who"
}

robots_key_is_at_hand() {
    install -d -m 700 /root/.ssh
    cat >/root/.ssh/config <<'EOF'
Host web1
    HostName 127.0.0.1
    PubkeyAuthentication yes
    IdentityFile /etc/ssh/test-keys/id
EOF
    ! ssh -o BatchMode=yes robot@web1 true || fail "robot to need a code as everybody does"
}

# sshd reads its configuration again, and for a moment does not listen.
ssh_answers() { waits_until ssh -o BatchMode=yes robot@web1 true; }

people_are_still_asked() {
    ssh_answers
    enrols alice
    ! ssh -o BatchMode=yes alice@web1 true || fail "alice to need a code"
    accepts alice with_key alice "One-time code: " "$(code_of alice)"
}

robot_may_do_nothing_else() {
    [ "$(cat /tmp/from-robot)" = "$(cat /etc/hostname)" ] || fail "the file that sftp sent"
    ssh_answers
    ! ssh robot@web1 sudo -n /usr/bin/id || fail "sudo of another command to be refused"
}

# sudo_of USER LINE...: sudo reads these lines from a pipe.
sudo_of() { printf '%s\n' "${@:2}" | runuser -u "$1" -- sudo -H -S -p '' -u root /bin/sh -c 'id -un'; }

people_are_asked_in_sudo() {
    said | grep -q 'root$' || fail "robot to become root"
    enrols bob
    ! sudo_of bob bob-pw || fail "bob to need a code"
    ! sudo_of bob bob-pw "$(wrong_code_of bob)" || fail "a wrong code to be refused"
}

password_and_code_are_two_lines() {
    [ "$(sudo_of bob bob-pw "$(code_of bob)")" = root ] || fail "bob to become root"
}

a_bypass_code_is_a_second_line() {
    local code
    code=$(bypass_code "$state/said")
    [ "$(sudo_of bob bob-pw "$code")" = root ] || fail "bob to become root"
    [ "$(sudo_of bob bob-pw "$code")" = root ] || fail "bob to become root again"
}

alice_logs_in_once_with_her_code() {
    enrols alice
    ! ssh -o BatchMode=no alice@web1 true </dev/null || fail "no grace yet"
    accepts alice with_key alice "One-time code: " "$(code_of alice)"
}

alice_has_a_token() { enrols alice; }

google_code() { oathtool --totp -b "$(head -n 1 "$state/$1.google")" --now "${2:-0} seconds"; }

u01_and_u02_log_in_with_google_authenticator() {
    local user
    sed -i '/^@include common-auth/a auth required pam_google_authenticator.so nullok' /etc/pam.d/sshd
    for user in u01 u02; do
        runuser -u "$user" -- google-authenticator --time-based --disallow-reuse --force \
            --rate-limit=3 --rate-time=30 --window-size=3 --quiet
        head -n 1 "/home/$user/.google_authenticator" >"$state/$user.google"
        google_code "$user" >"$state/$user.used"
        accepts "$user" ssh_with 22 "$user" "Password: " "$user-pw" \
            "Verification code: " "$(cat "$state/$user.used")"
    done
}

the_same_phone_and_a_scratch_code_log_in() {
    local scratch
    refuses with_password u01 "$(cat "$state/u01.used")"
    accepts u01 with_password u01 "$(google_code u01 +30)"
    scratch=$(grep -E '^[0-9]{8}$' /home/u01/.google_authenticator | head -n 1)
    accepts u01 with_password u01 "$scratch"
    refuses with_password u01 "$scratch"
}

u02_logs_in_with_google_authenticator_again() {
    refuses ssh_with 22 u02 "Password: " u02-pw "Verification code: " "$(cat "$state/u02.used")"
    accepts u02 ssh_with 22 u02 "Password: " u02-pw "Verification code: " "$(google_code u02 +30)"
}

# pam_oath itself is not on the test machine: its file is, and its line, which nobody logs in by.
key=3132333435363738393031323334353637383930

a_users_file_is_there() {
    printf 'HOTP/T30 u03 - %s\nHOTP u04 - %s 5\n' $key $key | install -m 600 /dev/stdin /etc/users.oath
    sed -i '/^@include common-auth/a auth required pam_oath.so usersfile=/etc/users.oath window=5' /etc/pam.d/sshd
}

tokens_by_time_and_by_counter_log_in() {
    local code
    code=$(oathtool --totp $key)
    accepts u03 with_password u03 "$code"
    refuses with_password u03 "$code"
    refuses with_password u04 "$(oathtool --hotp -c 4 $key)"
    accepts u04 with_password u04 "$(oathtool --hotp -c 5 $key)"
    refuses with_password u04 "$(oathtool --hotp -c 5 $key)"
}

the_new_file_has_both() {
    grep -q '^HOTP/T30.*u03' /etc/users.oath.new || fail "u03 in the new file"
    grep -qE '^HOTP/E[[:space:]]+u04[[:space:]]+-[[:space:]]+'$key'[[:space:]]+5[[:space:]]' /etc/users.oath.new ||
        fail "u04 with its next counter in the new file"
}

for page in quick-start ssh sudo automation fleet from-google-authenticator from-pam-oath; do
    page $page.md as_at_first
done
for page in mfa.1 mfa-daemon.8 mfa.toml.5; do
    page man/$page.md as_at_first
done
page operations/break-glass.md as_at_first
page operations/audit.md
page operations/backup.md
run_cases
