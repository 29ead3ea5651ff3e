# `mfa pam` on file systems without a free byte.
# shellcheck source=tests/containers/guest/cases.sh shell=bash
. /opt/tests/guest/cases.sh

# small DIRECTORY: what is in it, on a file system of its own that has room for little more.
small() {
    cp -a "$1" "$state/copy"
    mount -t tmpfs -o size=512k,mode="$(stat -c %a "$1")" small "$1"
    cp -a "$state/copy/." "$1"
    rm -rf "$state/copy"
}
fill() {
    cat /dev/zero >"$1/fill" 2>/dev/null || true
    ! echo more >"$1/more" 2>/dev/null || fail "$1 to be full"
    rm -f "$1/more"
}
ends_with_login_as_before() { cmp /etc/pam.d/login "$state/login" && [ ! -e /var/lib/mfa-pam/login.armed ]; }
ends_with_a_comment() { grep -q '^#uth required pam_mfa.so nullok$' /etc/pam.d/login; }

case_1_on_a_full_disk_the_old_file_comes_back() {
    enrolled_user
    install -d -m 700 /var/lib/mfa-pam
    small /etc/pam.d
    small /var/lib/mfa-pam
    cp /etc/pam.d/login "$state/login"
    mfa pam enable login --revert-after 6s --yes
    fill /etc/pam.d
    fill /var/lib/mfa-pam
    waits_until ends_with_login_as_before
    # What was freed by that is filled as well.
    fill /etc/pam.d
    ! mfa pam enable login --keep --yes || fail "no room to be said"
    cmp /etc/pam.d/login "$state/login"
}

case_2_and_a_file_that_somebody_changed_loses_the_line() {
    rm /etc/pam.d/fill /var/lib/mfa-pam/fill
    mfa pam enable login --revert-after 8s --yes
    echo '# by hand' >>/etc/pam.d/login
    fill /etc/pam.d
    fill /var/lib/mfa-pam
    waits_until ends_with_a_comment
    grep -q '^# by hand$' /etc/pam.d/login
    rm /etc/pam.d/fill /var/lib/mfa-pam/fill
    umount /etc/pam.d /var/lib/mfa-pam
}

run_cases
