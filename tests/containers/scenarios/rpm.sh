# The RPM package: its scriptlets run by Debian's rpm, which knows the format and none of Fedora's packages.
# shellcheck source=tests/containers/guest/cases.sh shell=bash
. /opt/tests/guest/cases.sh

module=/usr/lib64/security/pam_mfa.so
# Debian's own packages are none of rpm's, so it cannot look for what the package requires.
debian=(--nodeps --force-debian --quiet)
release() { rpm -q --qf '%{VERSION}' mfa; }
old=$(rpm -qp --qf '%{VERSION}' /root/mfa.rpm)
new=$(rpm -qp --qf '%{VERSION}' /root/newer.rpm)

set_schema() {
    # shellcheck disable=SC2059
    printf "\\0\\0\\0\\$1" | dd of=/var/lib/mfa/mfa.db bs=1 seek=60 conv=notrunc status=none
}

case_1_the_installation_makes_the_account_and_changes_no_login() {
    rpm -i "${debian[@]}" /root/mfa.rpm
    rpm -V "${debian[0]}" mfa
    getent passwd mfa
    [ "$(stat -c '%U %a' /run/mfa)" = "root 755" ] || fail "/run/mfa"
    ! grep -r pam_mfa /etc/pam.d || fail "no PAM line"
    accepts alice ssh_with 22 alice "Password: " alice-pw
    # Fedora enables what its presets name; others are for the administrator.
    systemctl enable --now mfa.socket
}

case_2_a_login_with_a_code() {
    local user
    user=$(enrolled_user)
    sed -i "/^@include common-auth/a auth required $module" /etc/pam.d/sshd
    refuses ssh_with 22 "$user" "Password: " "$user-pw" "One-time code: " "$(wrong_code_of "$user")"
    accepts "$user" ssh_with 22 "$user" "Password: " "$user-pw" "One-time code: " "$(code_of "$user")"
}

# What authselect would write, as the PAM configuration of a service.
selected() {
    "$guest/authselect-render" "$@" </usr/share/authselect/vendor/mfa/system-auth >/etc/pam.d/mfa-profile
}
profile() { # USER ANSWER...
    printf '%s\n' "${@:2}" | pamtester mfa-profile "$1" authenticate
}

case_3_the_profile_of_authselect_asks_for_the_password_and_then_for_a_code() {
    local user other third without
    ln -sf "$module" /usr/lib/*/security/
    user=$(enrolled_user) other=$(enrolled_user) third=$(fresh_user) without=$(fresh_user)
    # Counter codes, those of RFC 4226: a code is spent even where the account is locked.
    (umask 077 && echo "HOTP/E/6 $third - 3132333435363738393031323334353637383930 0" >"$state/users.oath")
    mfa admin import "$state/users.oath" --format users.oath
    selected
    ! profile "$user" "$user-pw" "$(wrong_code_of "$user")" || fail "a wrong code to be refused"
    ! profile "$user" not-it "$(code_of "$user")" || fail "a wrong password to be refused"
    profile "$user" "$user-pw" "$(code_of "$user")"
    profile "$without" "$without-pw"

    selected with-mfa-required
    ! profile "$without" "$without-pw" 000000 || fail "a user without a token to be denied"
    profile "$other" "$other-pw" "$(code_of "$other")"

    selected with-faillock
    for _ in 1 2 3; do ! profile "$third" not-it || fail "a wrong password to be refused"; done
    ! profile "$third" "$third-pw" 755224 || fail "the account to be locked"
    faillock --user "$third" --reset
    profile "$third" "$third-pw" 287082
    rm /etc/pam.d/mfa-profile /usr/lib/*/security/pam_mfa.so
}

case_4_replaced_in_both_directions_under_load_no_login_is_lost_and_none_skipped() {
    local inode
    MODULE=$module "$guest/login-load" START
    inode=$(stat -c %i "$module")
    rpm -U "${debian[@]}" /root/newer.rpm
    [ "$(release)" = "$new" ] || fail "the newer version"
    [ "$(stat -c %i "$module")" != "$inode" ] || fail "another module"
    rpm -U "${debian[@]}" --oldpackage /root/mfa.rpm
    [ "$(release)" = "$old" ] || fail "the older version"
    "$guest/login-load" STOP | tee "$state/counts"
    [ "$(sed 's/accepted \([0-9]*\),.*/\1/' "$state/counts")" -ge 50 ] || fail "at least 50 logins"
}

case_5_an_upgrade_with_a_broken_configuration_leaves_the_daemon_alone() {
    local pid
    pid=$(systemctl show -P MainPID mfa.service)
    echo 'no_such_key = 1' >>/etc/mfa/mfa.toml
    rpm -U "${debian[@]}" /root/newer.rpm 2>&1 | tee "$state/said"
    grep no_such_key "$state/said"
    grep -q no_such_key /etc/mfa/mfa.toml || fail "the changed configuration to stay"
    [ "$(systemctl show -P MainPID mfa.service)" = "$pid" ] || fail "the daemon to run on"
    sed -i '/no_such_key/d' /etc/mfa/mfa.toml
}

case_6_an_older_version_refuses_a_store_that_it_cannot_read() {
    local user inode
    user=$(enrolled_user) inode=$(stat -c %i "$module")
    set_schema 4
    ! rpm -U "${debian[@]}" --oldpackage /root/mfa.rpm || fail "the downgrade to be refused"
    [ "$(release)" = "$new" ] || fail "the newer version to stay"
    [ "$(stat -c %i "$module")" = "$inode" ] || fail "the same module"
    accepts "$user" ssh_with 22 "$user" "Password: " "$user-pw" "One-time code: " "$(code_of "$user")"
    set_schema 3
    rpm -U "${debian[@]}" --oldpackage /root/mfa.rpm
    [ "$(release)" = "$old" ] || fail "the downgrade"
}

case_7_removal_is_refused_while_a_line_calls_the_module_and_then_leaves_logins_working() {
    ! rpm -e "${debian[@]:0:2}" mfa || fail "the removal to be refused"
    [ -e "$module" ] && systemctl is-active mfa.socket
    sed -i '/pam_mfa/d' /etc/pam.d/sshd
    rpm -e "${debian[@]:0:2}" mfa
    ! systemctl list-unit-files | grep mfa || fail "no unit left"
    ls -d "$module" /etc/mfa /run/mfa/mfa.sock 2>/dev/null && fail "nothing of it left"
    [ -s /var/lib/mfa/mfa.db ] || fail "the tokens to stay"
    accepts alice ssh_with 22 alice "Password: " alice-pw
}

run_cases
