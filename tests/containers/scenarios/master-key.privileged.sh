# docs/operations/master-key.md: the key moves from its file into a credential. In a machine with all
# privileges: systemd mounts credentials apart.
# shellcheck source=tests/containers/guest/cases.sh shell=bash
. /opt/tests/guest/cases.sh
# shellcheck source=tests/containers/guest/pages.sh
. /opt/tests/guest/pages.sh

# systemd mounts a credential in a namespace of its own and counts on the mount to spread. In a container
# it leaves / as the engine made it, which is private.
mount --make-rshared /

drop_in=/etc/systemd/system/mfa.service.d

opens() { accepts "$1" ssh_with 22 "$1" "Password: " "$1-pw" "One-time code: " "$(code_of "$1")"; }

back_to_the_file() {
    rm -rf "$drop_in" /etc/credstore.encrypted/mfa.master-key
    cp /root/mfa.toml /etc/mfa/mfa.toml
    cp -p /root/master.key /var/lib/mfa/master.key
    systemctl daemon-reload
    systemctl restart mfa.service
}

case_1_a_credential_in_plain_opens_the_same_store() {
    local user
    user=$(enrolled_user)
    cp /etc/mfa/mfa.toml /root/mfa.toml
    cp -p /var/lib/mfa/master.key /root/master.key
    printf '\n[master_key]\ncredential = "mfa.master-key"\n' >>/etc/mfa/mfa.toml
    ! systemctl restart mfa.service || fail "no start without the credential"
    waits_until bash -c 'journalctl -u mfa.service --no-pager | grep "systemd-creds encrypt --name=mfa.master-key"'
    mkdir -p "$drop_in"
    printf '[Service]\nLoadCredential=mfa.master-key:/root/master.key\n' >"$drop_in/key.conf"
    rm /var/lib/mfa/master.key
    systemctl daemon-reload
    systemctl reset-failed mfa.service mfa.socket
    systemctl start mfa.socket
    systemctl restart mfa.service
    ls -l /run/credentials/mfa.service/
    opens "$user"
    [ ! -e /var/lib/mfa/master.key ] || fail "no key to be made"
    systemd-analyze security --no-pager --threshold=10 mfa.service >/dev/null ||
        fail "an exposure of 1.0 or below"
    back_to_the_file
    user=$(enrolled_user)
    opens "$user"
}

case_2_the_commands_of_the_documentation_encrypt_it() {
    local user
    user=$(enrolled_user)
    commands_of operations/master-key.md >"$state/commands"
    set -x
    # shellcheck disable=SC1091
    . "$state/commands"
    set +x
    rm /var/lib/mfa/master.key
    systemctl restart mfa.service
    ! cmp -s /root/master.key /etc/credstore.encrypted/mfa.master-key || fail "it to be encrypted"
    opens "$user"
    back_to_the_file
}

run_cases
