# mfa doctor on a whole machine: the real sshd, PAM's real files, the installed package. What it says of a
# fault is shown to be true, and its mend to help.
# shellcheck source=tests/containers/guest/cases.sh shell=bash
. /opt/tests/guest/cases.sh
# shellcheck source=tests/containers/guest/pages.sh
. /opt/tests/guest/pages.sh

with_password() { ssh_with 22 "$1" "Password: " "$1-pw" "One-time code: " "$2"; }
password_alone() { ssh_with 22 "$1" "Password: " "$1-pw"; }
with_key() { ssh_key=/etc/ssh/test-keys/id ssh_with 22 "$@"; }

# doctor ID: its line of JSON, nothing where it does not find that.
doctor() { mfa --json doctor | grep -F "\"id\":\"$1\"" || true; }

# mend_of ID: the first step that it names.
mend_of() { doctor "$1" | sed -n 's/.*"mend":"\(.*\)"}$/\1/p' | sed 's/\\n.*//; s/\\"/"/g'; }

finds() { [ -n "$(doctor "$1")" ] || fail "the doctor to find $1 in: $(mfa doctor)"; }
finds_not() { [ -z "$(doctor "$1")" ] || fail "the doctor not to find $1: $(doctor "$1")"; }

# ends N [OPTION...]: the doctor's exit code.
ends() {
    local expected=$1 rc=0
    shift
    mfa doctor "$@" >"$state/doctor" 2>&1 || rc=$?
    cat "$state/doctor"
    [ "$rc" -eq "$expected" ] || fail "mfa doctor $* to end with $expected, not $rc"
}

# More often than systemd would let a person.
restart_sshd() {
    systemctl reset-failed ssh.service
    systemctl restart ssh.service
}

# sshd_has LINE...: they come before everything else that is configured.
sshd_has() {
    printf '%s\n' "$@" >/etc/ssh/sshd_config.d/05-planted.conf
    restart_sshd
}

# sshd_mended ID: as the doctor says, `add to FILE: LINE`.
sshd_mended() {
    local mend
    mend=$(mend_of "$1")
    echo "mend: $mend"
    mend=${mend#add to }
    echo "${mend#*: }" >>"${mend%%: *}"
    sshd -t
    restart_sshd
}

sshd_as_before() {
    rm -f /etc/ssh/sshd_config.d/{00-mfa,05-planted}.conf
    restart_sshd
}

case_000_before_the_line_and_after_it() {
    ends 1
    finds pam.nowhere
    [ "$(mend_of pam.nowhere)" = "mfa pam enable sshd" ] || fail "the command that enables it"
    pam-auth-update --enable mfa
    finds_not pam.nowhere
    mfa doctor
    finds users.none
    local user
    user=$(enrolled_user)
    ends 0
    finds_not users.none
    ! grep -q critical "$state/doctor" || fail "nothing critical"
    # It is true.
    accepts "$user" with_password "$user" "$(code_of "$user")"
    refuses with_password "$user" "$(wrong_code_of "$user")"
}

case_2_monitoring_leaves_out_what_was_chosen() {
    ends 1 --strict
    finds sshd.key-alone
    ends 0 --strict --quiet --ignore sshd.key-alone --ignore clock.unsynchronised
    [ ! -s "$state/doctor" ] || fail "nothing to read"
    ends 2 --ignore no.such
}

case_3_an_ordinary_user_is_told_what_was_not_looked_at() {
    local said rc=0
    said=$(runuser -u alice -- mfa doctor) || rc=$?
    echo "$said"
    [ "$rc" -eq 0 ] || fail "an end with 0"
    grep -q 'state \[not-looked-at\]' <<<"$said" || fail "the state"
    grep -q 'sshd \[not-looked-at\]' <<<"$said" || fail "sshd"
    grep -q 'alice \[user.no-token\]' <<<"$said" || fail "the own token"
}

case_4_a_key_alone() {
    local user
    user=$(enrolled_user)
    finds sshd.key-alone
    accepts "$user" with_key "$user"
    sshd_mended sshd.key-alone
    finds_not sshd.key-alone
    ssh_options="-o KbdInteractiveAuthentication=no" refuses with_key "$user"
    accepts "$user" with_key "$user" "Password: " "$user-pw" "One-time code: " "$(code_of "$user")"
    sshd_as_before
}

case_5_sshd_without_a_dialogue() {
    local user
    user=$(enrolled_user)
    sshd_has "KbdInteractiveAuthentication no" "PasswordAuthentication yes"
    finds sshd.no-dialogue
    refuses password_method "$user"
    sshd_mended sshd.no-dialogue
    finds_not sshd.no-dialogue
    accepts "$user" with_password "$user" "$(code_of "$user")"
    # The method with one message stays: sshd gives the password as the answer to both questions.
    finds sshd.password-method
    refuses password_method "$user"
    sshd_mended sshd.password-method
    finds_not sshd.password-method
    sshd_as_before
}

# The ssh method `password`, where sshd asks once.
password_method() {
    ssh_options="-o PreferredAuthentications=password" ssh_with 22 "$1" "password: " "$1-pw"
}

case_6_sshd_without_pam() {
    local user
    user=$(enrolled_user)
    sshd_has "UsePAM no" "PasswordAuthentication yes"
    finds sshd.no-pam
    accepts "$user" password_method "$user"
    sshd_mended sshd.no-pam
    finds_not sshd.no-pam
    refuses password_method "$user"
    sshd_as_before
}

case_7_a_match_block_by_user_group_and_address() {
    local block user
    user=$(enrolled_user)
    for block in "User bob" "Group robots" "Address 192.0.2.0/24" "LocalPort 2022"; do
        sshd_has "AuthenticationMethods keyboard-interactive" "Match $block" \
            "    KbdInteractiveAuthentication no" "    AuthenticationMethods publickey"
        finds sshd.key-alone
        doctor sshd.key-alone
        doctor sshd.key-alone | grep -qF "\"subject\":\"sshd, Match $block\"" || fail "the block $block"
        finds sshd.no-dialogue
    done
    # Outside of it a key alone is refused.
    ssh_options="-o KbdInteractiveAuthentication=no" refuses with_key "$user"
    sshd_has "AuthenticationMethods keyboard-interactive" "Match User bob" "    X11Forwarding no"
    finds_not sshd.key-alone
    sshd_as_before
}

case_8_other_settings_of_sshd() {
    local setting id
    while read -r id setting; do
        sshd_has "$setting"
        finds "$id"
        sshd_mended "$id"
        finds_not "$id"
        sshd_as_before
        finds_not "$id"
    done <<'SETTINGS'
sshd.short-grace LoginGraceTime 20
sshd.few-tries MaxAuthTries 2
sshd.empty-passwords PermitEmptyPasswords yes
sshd.hostbased-alone HostbasedAuthentication yes
sshd.gssapi-alone GSSAPIAuthentication yes
SETTINGS
    echo "NoSuchSetting yes" >/etc/ssh/sshd_config.d/05-planted.conf
    ends 1
    finds sshd.invalid
    sshd_as_before
    finds_not sshd.invalid
}

case_9_a_sufficient_password_before_the_code() {
    local user line wanted
    user=$(enrolled_user)
    cp /etc/pam.d/common-auth "$state/common-auth"
    line=$(grep -n pam_unix /etc/pam.d/common-auth | cut -d: -f1)
    sed -i "${line}s/.*/auth sufficient pam_unix.so nullok/" /etc/pam.d/common-auth
    ends 1
    finds pam.skipped
    accepts "$user" password_alone "$user"
    # "FILE line N goes", and "FILE before line N: TEXT".
    wanted=$(doctor pam.skipped | sed 's/.* before line [0-9]*: \([^"]*\)".*/\1/')
    sed -i '/pam_mfa/d' /etc/pam.d/common-auth
    sed -i "${line}i $wanted" /etc/pam.d/common-auth
    cat /etc/pam.d/common-auth
    finds_not pam.skipped
    refuses password_alone_first_code "$user" "$(wrong_code_of "$user")"
    accepts "$user" password_alone_first_code "$user" "$(code_of "$user")"
    cp "$state/common-auth" /etc/pam.d/common-auth
}

# With the line of the module first the code is asked for first.
password_alone_first_code() { ssh_with 22 "$1" "One-time code: " "$2" "Password: " "$1-pw"; }

case_a_files_that_others_change_or_read() {
    local file mode
    systemctl start mfa.service
    while read -r id file; do
        mode=$(stat -c %a "$file")
        finds_not "$id"
        chmod o+rw "$file"
        finds "$id"
        sh -c "$(mend_of "$id")"
        finds_not "$id"
        [ "$(stat -c %a "$file")" = "$mode" ] || fail "$file as before"
    done <<FILES
file.writable $(echo /usr/lib/*/security/pam_mfa.so)
file.writable /etc/pam.d/common-auth
file.writable /etc/mfa/mfa.toml
file.readable /var/lib/mfa/master.key
file.readable /var/lib/mfa/mfa.db
FILES
    chown bob /var/lib/mfa/master.key
    finds file.owner
    sh -c "$(mend_of file.owner)"
    finds_not file.owner
}

case_b_a_configuration_with_a_slip() {
    finds configuration.valid
    echo 'no_such_key = 1' >>/etc/mfa/mfa.toml
    ends 1
    finds configuration.invalid
    doctor configuration.invalid | grep -q no_such_key || fail "the key to be named"
    sed -i '/no_such_key/d' /etc/mfa/mfa.toml
    ends 0
}

case_c_a_daemon_that_is_not_there() {
    systemctl stop mfa.socket mfa.service
    ends 3
    finds socket.missing
    sh -c "$(mend_of socket.missing)"
    ends 0
    finds daemon.answers
}

case_d_the_module_tells_its_version() {
    local module
    module=$(echo /usr/lib/*/security/pam_mfa.so)
    finds_not version.module
    cp -p "$module" "$state/module"
    # As many letters, so that nothing else in the file moves.
    sed 's/@(#)pam_mfa [0-9]/@(#)pam_mfa 9/' "$state/module" >"$module"
    finds version.module
    cat "$state/module" >"$module"
    finds_not version.module
}

page operations/doctor.md
run_cases
