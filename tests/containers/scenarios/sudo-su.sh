# sudo and su: setuid programs in which the caller and the account checked differ.
# shellcheck source=tests/containers/guest/cases.sh shell=bash
. /opt/tests/guest/cases.sh

who='echo "logged in as $(id -un)"'

with_sudo() {
    "$guest/dialogue" "password for $1: " "$1-pw" "One-time code: " "$2" -- \
        setpriv --reuid "$1" --regid "$1" --init-groups sudo sh -c "$who"
}

# with_su FROM TO CODE
with_su() {
    "$guest/dialogue" "Password: " "$2-pw" "One-time code: " "$3" -- \
        setpriv --reuid "$1" --regid "$1" --init-groups su "$2" -c "$who"
}

case_sudo_with_password_and_code_runs_the_command() {
    local user
    user=$(enrolled_user)
    accepts root with_sudo "$user" "$(code_of "$user")"
}

case_sudo_with_a_wrong_code_is_refused() {
    local user
    user=$(enrolled_user)
    refuses with_sudo "$user" "$(wrong_code_of "$user")"
    accepts root with_sudo "$user" "$(code_of "$user")"
}

case_a_code_spent_over_ssh_does_not_open_sudo() {
    local user code
    user=$(enrolled_user)
    code=$(code_of "$user")
    accepts "$user" ssh_with 22 "$user" "Password: " "$user-pw" "One-time code: " "$code"
    refuses with_sudo "$user" "$code"
}

case_su_asks_for_the_code_of_the_account_it_opens() {
    local from to
    from=$(enrolled_user)
    to=$(enrolled_user)
    refuses with_su "$from" "$to" "$(code_of "$from")"
    accepts "$to" with_su "$from" "$to" "$(code_of "$to")"
}

case_su_with_a_replayed_code_is_refused() {
    local user code
    user=$(enrolled_user)
    code=$(code_of "$user")
    accepts "$user" with_su carol "$user" "$code"
    refuses with_su carol "$user" "$code"
}

# sudo_to FROM TO CODE: sudo that takes TO's password.
sudo_to() {
    "$guest/dialogue" "password for $2: " "$2-pw" "One-time code: " "$3" -- \
        setpriv --reuid "$1" --regid "$1" --init-groups sudo -u "$2" sh -c "$who"
}

case_sudo_with_targetpw_or_rootpw_asks_for_the_code_of_the_account_whose_password_it_takes() {
    local from to since before
    from=$(enrolled_user)
    to=$(enrolled_user)
    since=$(moment)
    install -m 440 /dev/stdin /etc/sudoers.d/target <<<"Defaults:$from targetpw"
    refuses sudo_to "$from" "$to" "$(code_of "$from")"
    accepts "$to" sudo_to "$from" "$to" "$(code_of "$to")"
    # Whose code it was, and who asked for what.
    log_since "$since" "pam_mfa\(sudo:auth\): login accepted; .*user=$to"
    log_since "$since" "sudo\[[0-9]+\]: +$from : .*USER=$to"

    before=$(getent shadow root | cut -d: -f2)
    echo root:root-pw | chpasswd
    mfa enroll --user root --save-token "$state/root.token" >/dev/null
    install -m 440 /dev/stdin /etc/sudoers.d/target <<<"Defaults:$from rootpw"
    refuses sudo_to "$from" root "$(code_of "$from")"
    accepts root sudo_to "$from" root "$(code_of root)"
    rm /etc/sudoers.d/target
    mfa admin reset --yes root
    usermod --password "$before" root
}

run_cases
