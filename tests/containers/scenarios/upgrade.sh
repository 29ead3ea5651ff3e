# The package replaced by a newer and by an older one while people log in, and what must not be replaced.
# shellcheck source=tests/containers/guest/cases.sh shell=bash
. /opt/tests/guest/cases.sh
export DEBIAN_FRONTEND=noninteractive

old="installed $(dpkg-deb -f /root/mfa.deb Version)"
new="installed $(dpkg-deb -f /root/newer.deb Version)"
version() { dpkg-query -W -f '${db:Status-Status} ${Version}' mfa; }
module() { dpkg -L mfa | grep 'pam_mfa\.so$'; }

# A store as a newer version leaves it: only the number of its schema tells.
set_schema() {
    # shellcheck disable=SC2059
    printf "\\0\\0\\0\\$1" | dd of=/var/lib/mfa/mfa.db bs=1 seek=60 conv=notrunc status=none
}
schema() { od -An -tu4 --endian=big -j60 -N4 /var/lib/mfa/mfa.db | tr -d ' '; }

case_1_the_installation_changes_no_login() {
    ! grep -r pam_mfa /etc/pam.d || fail "no PAM line"
    accepts alice ssh_with 22 alice "Password: " alice-pw
    systemctl is-active mfa.socket
    systemctl is-enabled mfa.socket
    ! systemctl is-enabled mfa-metrics.socket || fail "the metrics to be off"
}

case_2_the_module_lies_where_this_release_looks_for_modules() {
    local others
    others=$(realpath "$(dirname "$(dpkg -L libpam-modules | grep 'pam_unix\.so$')")")
    [ "$(realpath "$(dirname "$(module)")")" = "$others" ] || fail "$(module) to be in $others"
}

case_3_replaced_in_both_directions_under_load_no_login_is_lost_and_none_skipped() {
    local round inode
    "$guest/login-load" START
    for round in 1 2; do
        inode=$(stat -c %i "$(module)")
        dpkg -i /root/newer.deb
        [ "$(version)" = "$new" ] || fail "the newer version"
        [ "$(stat -c %i "$(module)")" != "$inode" ] || fail "another module"
        dpkg -i /root/mfa.deb
        [ "$(version)" = "$old" ] || fail "the older version"
        echo "round $round done"
    done
    "$guest/login-load" STOP | tee "$state/counts"
    # It must have been a load.
    [ "$(sed 's/accepted \([0-9]*\),.*/\1/' "$state/counts")" -ge 100 ] || fail "at least 100 logins"
}

case_4_the_module_is_replaced_by_rename_alone() {
    strace -f -qq -o "$state/dpkg.trace" -e trace=rename,renameat,renameat2,unlink,unlinkat,open,openat,truncate \
        dpkg -i /root/newer.deb
    # What succeeded, and what was opened to be written to.
    grep -F 'pam_mfa.so' "$state/dpkg.trace" | grep -v ' = -1 ' | tee "$state/module.trace"
    grep -E 'rename.*pam_mfa\.so\.dpkg-new", .*pam_mfa\.so"' "$state/module.trace" ||
        fail "the new module renamed over the old one"
    ! grep -E '(unlink|truncate|O_WRONLY|O_RDWR|rename).*pam_mfa\.so"' "$state/module.trace" |
        grep -v 'dpkg-new", ' || fail "the module neither removed nor written to"
    dpkg -i /root/mfa.deb
}

case_5_an_older_version_refuses_a_store_that_it_cannot_read() {
    local user there inode pid
    user=$(enrolled_user)
    dpkg -i /root/newer.deb
    systemctl start mfa.service
    [ "$(schema)" = 3 ] || fail "the schema in the file of a running daemon to be current"
    sed -i '/^@include common-auth/a auth required pam_mfa.so' /etc/pam.d/sshd
    there=$(version) inode=$(stat -c %i "$(module)") pid=$(systemctl show -P MainPID mfa.service)
    set_schema 4
    ! dpkg -i /root/mfa.deb || fail "the downgrade to be refused"
    [ "$(version)" = "$there" ] || fail "the newer version to stay: $(version)"
    [ "$(stat -c %i "$(module)")" = "$inode" ] || fail "the same module"
    [ "$(systemctl show -P MainPID mfa.service)" = "$pid" ] || fail "the daemon to run on"
    accepts "$user" ssh_with 22 "$user" "Password: " "$user-pw" "One-time code: " "$(code_of "$user")"
    # That number is what keeps this version out: it would not start.
    systemctl stop mfa.service
    ! timeout 10 runuser -u mfa -- mfa-daemon 2>"$state/refusal" || fail "the daemon to refuse the store"
    grep 'has schema 4' "$state/refusal"
    sed -i '/pam_mfa/d' /etc/pam.d/sshd
    dpkg -r mfa
    ! dpkg -i /root/mfa.deb || fail "the installation to be refused as well"
    set_schema 3
    dpkg -i /root/mfa.deb
    [ "$(version)" = "$old" ] || fail "the downgrade"
}

case_6_the_version_that_comes_does_not_overrule_the_one_that_objects() {
    dpkg -i /root/newer.deb
    sed -i '2i [ "$1" != upgrade ] || exit 1' /var/lib/dpkg/info/mfa.prerm
    ! dpkg -i /root/mfa.deb || fail "the objection to hold"
    [ "$(version)" = "$new" ] || fail "the newer version to stay: $(version)"
    sed -i 2d /var/lib/dpkg/info/mfa.prerm
    dpkg -i /root/mfa.deb
    [ "$(version)" = "$old" ] || fail "the downgrade"
}

run_cases
