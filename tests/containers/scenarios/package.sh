# The package upgraded, removed and installed again. Comes last: it takes the module away.
# shellcheck source=tests/containers/guest/cases.sh shell=bash
. /opt/tests/guest/cases.sh
export DEBIAN_FRONTEND=noninteractive

with_password() { ssh_with 22 "$1" "Password: " "$1-pw" "One-time code: " "$2"; }

case_1_the_command_and_the_daemon_agree_with_the_shipped_configuration() {
    mfa-daemon --check --config /etc/mfa/mfa.toml
    echo 'no_such_key = 1' | cat - /etc/mfa/mfa.toml >"$state/bad.toml"
    ! mfa-daemon --check --config "$state/bad.toml" || fail "an unknown key to be an error"
    # Every line that is commented out is a valid default.
    sed -n 's/^# \(\[.*\]\|[a-z_]* = .*\)$/\1/p' /etc/mfa/mfa.toml >"$state/defaults.toml"
    cat "$state/defaults.toml"
    mfa-daemon --check --config "$state/defaults.toml"
}

case_2_an_upgrade_restarts_the_daemon_and_keeps_the_tokens() {
    local user before
    user=$(enrolled_user)
    systemctl start mfa.service
    before=$(systemctl show -P MainPID mfa.service)
    dpkg -i /root/mfa.deb
    [ "$(systemctl show -P MainPID mfa.service)" != "$before" ] || fail "another process"
    accepts "$user" with_password "$user" "$(code_of "$user")"
}

case_3_an_upgrade_with_a_broken_configuration_leaves_the_daemon_alone() {
    local user before
    user=$(enrolled_user)
    before=$(systemctl show -P MainPID mfa.service)
    echo 'no_such_key = 1' >>/etc/mfa/mfa.toml
    dpkg -i /root/mfa.deb
    [ "$(systemctl show -P MainPID mfa.service)" = "$before" ] || fail "the same process"
    sed -i '/no_such_key/d' /etc/mfa/mfa.toml
    accepts "$user" with_password "$user" "$(code_of "$user")"
}

case_4_removal_is_refused_while_a_line_calls_the_module() {
    local user
    user=$(enrolled_user)
    ! dpkg -r mfa || fail "the removal to be refused"
    accepts "$user" with_password "$user" "$(code_of "$user")"
}

case_5_pam_auth_update_switches_the_code_on_for_every_service() {
    local user without
    user=$(enrolled_user)
    without=$(fresh_user)
    sed -i '/pam_mfa/d' /etc/pam.d/{sshd,sudo,su} && rm /etc/pam.d/sshd-*
    accepts "$user" ssh_with 22 "$user" "Password: " "$user-pw"
    pam-auth-update --enable mfa
    cat /etc/pam.d/common-auth
    refuses with_password "$user" "$(wrong_code_of "$user")"
    accepts "$user" with_password "$user" "$(code_of "$user")"
    accepts "$without" ssh_with 22 "$without" "Password: " "$without-pw"
}

case_6_removal_leaves_logins_working() {
    local user
    user=$(enrolled_user)
    dpkg -r mfa
    ! grep -r pam_mfa /etc/pam.d || fail "no PAM line left"
    accepts "$user" ssh_with 22 "$user" "Password: " "$user-pw"
    refuses ssh_with 22 "$user" "Password: " not-it
    # Installed again, it knows the user's token.
    dpkg -i /root/mfa.deb
    pam-auth-update --enable mfa
    accepts "$user" with_password "$user" "$(code_of "$user")"
}

case_7_purge_takes_everything_along() {
    dpkg -P mfa
    ls -d /var/lib/mfa /etc/mfa /run/mfa 2>/dev/null && fail "no directory left"
    systemctl list-unit-files | grep mfa && fail "no unit left"
    accepts alice ssh_with 22 alice "Password: " alice-pw
}

run_cases
