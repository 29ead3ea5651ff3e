# The path of a newcomer, as README.md has it, on a machine that has never seen the package, and back.
# shellcheck source=tests/containers/guest/cases.sh shell=bash
. /opt/tests/guest/cases.sh
export DEBIAN_FRONTEND=noninteractive

keeps=/root/newcomer
mkdir -p "$keeps"

# Every name below /etc with kind, mode, owner and target, and the bytes of every file.
etc() {
    find /etc -printf '%p %y %m %u %g %l\n' | sort
    find /etc -type f -exec sha256sum {} + | sort -k 2
}
# The account of the daemon stays, so that its number passes to nobody else.
without_account() { grep -vE '/etc/(passwd|group|shadow|gshadow)-?( |$)' "$1"; }

is_ended() { [ "$(systemctl is-active mfa-pam-revert)" = inactive ]; }

as_root_by_sudo() {
    "$guest/dialogue" "password for alice" alice-pw "$@"
}

case_1_the_package_installs_and_asks_nobody_for_a_code() {
    # As Debian ships it.
    sed -i '/^KbdInteractiveAuthentication/d' /etc/ssh/sshd_config.d/test.conf
    sed -i 's/^#\?KbdInteractiveAuthentication.*/KbdInteractiveAuthentication no/' /etc/ssh/sshd_config
    sed -i 's/^PasswordAuthentication no/PasswordAuthentication yes/' /etc/ssh/sshd_config.d/test.conf
    systemctl reload ssh
    etc >"$keeps/before"
    apt-get install -y /root/mfa.deb
    accepts alice ssh_with 22 alice "password: " alice-pw
}

case_2_alice_enrols_with_her_phone() {
    "$guest/dialogue" "The code that it shows now: " "$(scan_secret_of alice)" -- runuser -u alice -- mfa enroll
}

case_3_sshd_is_told_to_ask_as_the_refusal_says() {
    local said
    said=$(as_root_by_sudo -- runuser -u alice -- sudo mfa pam enable sshd sudo --revert-after 10m) &&
        fail "it to be refused"
    echo "$said"
    grep -q '/etc/ssh/sshd_config line' <<<"$said" || fail "the line of sshd_config"
    echo 'KbdInteractiveAuthentication yes' >/etc/ssh/sshd_config.d/mfa.conf
    systemctl reload ssh
}

case_4_she_switches_it_on_and_reads_what_changes() {
    as_root_by_sudo "Type yes: " yes -- \
        runuser -u alice -- sudo mfa pam enable sshd sudo --revert-after 10m | tee "$keeps/said"
    grep -q '+auth required pam_mfa.so nullok' "$keeps/said" || fail "the diff"
    mfa pam status
}

case_5_she_logs_in_with_the_code_of_her_phone_and_it_is_kept() {
    local code
    code=$(phone_of alice 30)
    accepts alice ssh_with 22 alice "Password: " alice-pw "One-time code: " "$code"
    ssh_options="-o PreferredAuthentications=keyboard-interactive" \
        refuses ssh_with 22 alice "Password: " alice-pw "One-time code: " "$code"
    waits_until [ -e /var/lib/mfa-pam/sshd.kept ]
    # The next code; she waits for it as people do.
    sleep 31
    as_root_by_sudo "One-time code: " "$(phone_of alice 30)" -- \
        runuser -u alice -- sudo sh -c 'echo "root says hello"' | grep 'root says hello'
    waits_until [ -e /var/lib/mfa-pam/sudo.kept ]
    waits_until is_ended
}

case_6_the_doctor_finds_nothing_bad() {
    mfa doctor
}

case_7_after_the_purge_everything_is_as_before() {
    # What she wrote herself.
    rm /etc/ssh/sshd_config.d/mfa.conf
    systemctl reload ssh
    apt-get purge -y mfa
    etc >"$keeps/after"
    diff <(without_account "$keeps/before") <(without_account "$keeps/after")
    ! ls -d /var/lib/mfa /var/lib/mfa-pam /run/mfa /run/mfa-pam 2>/dev/null || fail "no directory left"
    ! systemctl list-unit-files | grep mfa || fail "no unit left"
    accepts alice ssh_with 22 alice "password: " alice-pw
}

run_cases
