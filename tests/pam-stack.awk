# pam-stack.awk FILE: fails where a line is none of PAM's, or where a jump would leave its group; in auth also
# where it would land behind the last line, which must be the one that decides.
{ sub(/#.*/, "") }
NF == 0 { next }
{
    if ($1 !~ /^-?(auth|account|password|session)$/ || !match($0, /pam_[a-z0-9_]+\.so( |$)/)) {
        print "not a line of PAM: " $0
        bad = 1
        next
    }
    group = $1
    sub(/^-/, "", group)
    n = ++lines[group]
    if ($0 ~ /pam_mfa\.so/) code[group] = n
    if (match($0, /(success|default)=[0-9]+/)) {
        split(substr($0, RSTART, RLENGTH), jump, "=")
        target[group, n] = n + jump[2]
    }
}
END {
    for (where in target) {
        split(where, at, SUBSEP)
        if (target[where] > lines[at[1]] - (at[1] == "auth")) {
            print at[1] " line " at[2] " jumps behind the last one"
            bad = 1
        }
        if (at[2] < code[at[1]] && target[where] >= code[at[1]]) {
            print at[1] " line " at[2] " jumps over the code"
            bad = 1
        }
    }
    exit bad
}
