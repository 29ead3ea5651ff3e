# Containers for tests and the demo: sourced by bash scripts, which call
#   container_image                     builds or finds the image, sets $image
#   container_desktop_image             the same with a desktop's programs
#   container_start [OPTION...]         a fresh machine, sets $container; removed on exit
#   container_restart                   takes it down and up
#   container_copy FILE NAME            puts it there as /root/NAME
#   container_install DEB               installs the package in it
#   container_exec [-u USER] COMMAND... runs a command in it
# shellcheck shell=bash

containers_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
container_label=org.mfa.test
started=()
release=${RELEASE:-bookworm}
# systemd needs a cgroup of its own; the limits are what an unprivileged host can still set.
systemd_flags=(--systemd=always --ulimit nofile=1024:4096 --ulimit nproc=1024:4096)

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo -- "$@"; fi
}

say() { printf '%s\n' "containers: $*" >&2; }

die() {
    say "$*"
    exit 1
}

# Sets $engine to the first of podman, podman with runc, docker that starts a container.
container_engine() {
    local probe=$1 log
    log=$(mktemp)
    if command -v podman >/dev/null; then
        for engine in podman "podman --runtime runc"; do
            read -ra engine <<<"$engine"
            if as_root "${engine[@]}" run --rm --network none "${systemd_flags[@]}" "$probe" true 2>>"$log"; then
                rm -f "$log"
                return
            fi
        done
    fi
    if command -v docker >/dev/null; then
        engine=(docker)
        # docker does not prepare a container for systemd by itself.
        systemd_flags=(--privileged --cgroupns private --tmpfs /run --tmpfs /run/lock)
        if as_root docker run --rm --network none "${systemd_flags[@]}" "$probe" true 2>>"$log"; then
            rm -f "$log"
            return
        fi
    fi
    cat "$log" >&2
    rm -f "$log"
    die "neither podman, podman with runc nor docker starts a container here"
}

engine_at_hand() {
    if command -v podman >/dev/null; then echo podman; else echo docker; fi
}

# With BASE=debian:bookworm a registry is asked for the base; without it nothing is pulled.
container_base() {
    base=${BASE:-localhost/mfa-test-base:$release-$(sha256sum "$containers_dir/packages" | cut -c1-12)}
    [ -z "${BASE:-}" ] || return 0
    as_root "$builder" image inspect "$base" >/dev/null 2>&1 && return 0
    say "building $base with mmdebstrap; once, about half a minute"
    local tree quiet=()
    [ "$builder" = docker ] || quiet=(--quiet)
    tree=$(mktemp --tmpdir mfa-base.XXXXXX.tar)
    if ! as_root mmdebstrap --quiet --variant=minbase \
        --include="$(paste -sd, "$containers_dir/packages")" "$release" - >"$tree" ||
        ! as_root "$builder" import "${quiet[@]}" "$tree" "$base" >/dev/null; then
        rm -f "$tree"
        die "could not build $base"
    fi
    rm -f "$tree"
}

container_image() {
    builder=$(engine_at_hand)
    container_base
    image=localhost/mfa-test:$release-$( (
        echo "$base"
        cat "$containers_dir"/{Containerfile,packages,guest/accounts}
    ) | sha256sum | cut -c1-12)
    if ! as_root "$builder" image inspect "$image" >/dev/null 2>&1; then
        say "building $image on $base"
        local isolation=() pull=()
        [ "$builder" = docker ] || isolation=(--isolation=chroot)
        [ -n "${BASE:-}" ] || [ "$builder" = docker ] || pull=(--pull=never)
        as_root "$builder" build --quiet "${isolation[@]}" "${pull[@]}" --build-arg "BASE=$base" \
            --tag "$image" "$containers_dir" >/dev/null || die "could not build $image"
        remove_images "$release" "$base" "$image"
    fi
    container_engine "$image"
    say "running on: ${engine[*]}"
}

container_desktop_image() {
    container_image
    local plain=$image isolation=() pull=()
    image=localhost/mfa-test-desktop:$release-$( (
        echo "$plain"
        cat "$containers_dir"/{Containerfile,packages}.desktop
    ) | sha256sum | cut -c1-12)
    ! as_root "$builder" image inspect "$image" >/dev/null 2>&1 || return 0
    say "building $image on $plain"
    [ "$builder" = docker ] || isolation=(--isolation=chroot) pull=(--pull=never)
    as_root "$builder" build --quiet "${isolation[@]}" "${pull[@]}" --build-arg "BASE=$plain" \
        --file "$containers_dir/Containerfile.desktop" --tag "$image" "$containers_dir" >/dev/null ||
        die "could not build $image"
}

container_start() {
    [ -n "${image:-}" ] || container_image
    remove_leftovers
    container=mfa-test-$$-$RANDOM
    started+=("$container")
    trap container_remove_all EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    as_root "${engine[@]}" run -d --name "$container" --hostname "${HOST_NAME:-mfa-test}" --network none \
        --label "$container_label=$$" -v "$containers_dir:/opt/tests:ro" \
        -v "$containers_dir/../../docs:/opt/docs:ro" "${systemd_flags[@]}" "$@" \
        "$image" /lib/systemd/systemd >/dev/null || die "could not start a container"
    container_wait
}

container_wait() {
    local state i
    for ((i = 0; i < 150; i++)); do
        state=$(container_exec systemctl is-system-running 2>/dev/null) && return
        [ "$state" != degraded ] || break
        sleep 0.2
    done
    container_exec systemctl --failed --no-pager >&2
    die "systemd in the container is '$state', not running"
}

# Off and on again: what lies in /run is gone.
container_restart() {
    as_root "${engine[@]}" restart --time 5 "$container" >/dev/null && container_wait
}

container_copy() {
    as_root "${engine[@]}" cp "$1" "$container:/root/$2"
}

container_install() {
    container_copy "$1" mfa.deb &&
        container_exec env DEBIAN_FRONTEND=noninteractive dpkg -i /root/mfa.deb
}

container_exec() {
    local options=()
    if [ "$1" = -u ]; then
        options=(-u "$2" -w "/home/$2" -e "HOME=/home/$2" -e "USER=$2")
        shift 2
    fi
    as_root "${engine[@]}" exec "${options[@]}" "$container" "$@"
}

# Killed first: nothing in it is worth an orderly shutdown.
container_remove() {
    as_root "${engine[@]}" kill "$1" >/dev/null 2>&1
    as_root "${engine[@]}" rm -f "$1" >/dev/null 2>&1
}

container_remove_all() {
    local name
    for name in "${started[@]}"; do
        container_remove "$name"
    done
    started=()
}

# remove_images [RELEASE [KEPT...]]: those of earlier package lists, unless a container still uses one.
remove_images() {
    local name
    for name in $(as_root "$builder" images --format '{{.Repository}}:{{.Tag}}' |
        grep -E "(^|/)mfa-test(-base|-desktop)?:${1:-}"); do
        [[ " $* " == *" $name "* ]] || as_root "$builder" rmi "$name" >/dev/null 2>&1
    done
    return 0
}

# Containers whose script was killed before it could remove them.
remove_leftovers() {
    local id owner
    while read -r id owner; do
        [ -n "$owner" ] && [ ! -d "/proc/$owner" ] || continue
        container_remove "$id"
    done < <(as_root "${engine[@]}" ps -a --filter "label=$container_label" \
        --format "{{.ID}} {{.Label \"$container_label\"}}" 2>/dev/null)
}
