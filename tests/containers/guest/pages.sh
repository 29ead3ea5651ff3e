# Pages of the documentation as cases: sourced after cases.sh by a scenario, which calls `page FILE` for
# each and then `run_cases`. What is typed in a page stands in its ```sh blocks; they are run as root in
# their order, and `<!-- test: NAME -->` between them calls the scenario's function NAME. A section is a
# case. A block below `<!-- not run: REASON -->` is left out.
# Which blocks were run is written for run-all, which looks whether any page has one that was not.
# shellcheck shell=bash disable=SC2154

cd /root || exit 1
docs=/opt/docs
sections=0
ran=$(mktemp)
trap 'sed "s/^/# ran /" "$ran"; rm -f "$ran"' EXIT

# page FILE [FUNCTION]: the cases of a page below docs/; FUNCTION before the first. A section without
# anything to run is none.
page() {
    local file=$1 before=${2:-:} section name title
    while read -r section title; do
        sections=$((sections + 1))
        name=$(tr 'A-Z ' 'a-z_' <<<"${file%.md} $title" | tr -c 'a-z_\n' _)
        eval "case_$(printf '%03d' "$sections")_$name() { run_section '$file' $section '$before'; }"
        before=:
    done < <(in_order "$file" | awk '$2 != "section" { if (!seen[$1]++) print title[$1] }
        $2 == "section" { sub(/^[0-9]+ section /, ""); title[++n] = n " " $0 }')
}

# in_order FILE: what there is to do on a page, each with the number of its section: `section TITLE`,
# `block LINE` and `test FUNCTION`.
in_order() {
    awk '
        /^ *```/ && inside { inside = 0; next }
        inside { next }
        /^ *```sh$/ && !skipped { print n + 0, "block", NR }
        /^ *```/ { inside = 1; skipped = 0; next }
        /^##* / { n++; sub(/^#* /, ""); print n, "section", $0 }
        /^<!-- not run: / { skipped = 1 }
        /^<!-- test: / { print n + 0, "test", $3 }
    ' "$docs/$1"
}

# run_section FILE N FUNCTION: the commands and tests of a section, in their order.
run_section() {
    local file=$1 wanted=$2 section what which
    "$3"
    # Descriptor 3, since commands read standard input.
    while read -r -u 3 section what which; do
        [ "$section" = "$wanted" ] || continue
        case $what in
        block) run_block "$file" "$which" ;;
        test) "$which" ;;
        esac
    done 3< <(in_order "$file")
}

# run_block FILE LINE: the commands of a block as root types them; the first one that fails is the end.
run_block() {
    awk -v first="$2" 'NR > first && /^ *```$/ { exit } NR > first' "$docs/$1" >"$state/block"
    bash -euxo pipefail "$state/block" >"$state/said" 2>&1 3<&- || {
        cat "$state/said"
        fail "the commands of docs/$1:$2 to succeed"
    }
    echo "docs/$1:$2" >>"$ran"
}

# commands_of FILE: all of a page at once, for scenarios that run them by themselves.
commands_of() {
    awk -v page="docs/$1" -v ran="$ran" '
        /^```sh$/ { inside = !skipped; if (inside) print page ":" NR >>ran; skipped = 0; next }
        /^```/ { inside = 0 }
        /^<!-- not run: / { skipped = 1 }
        inside
    ' "$docs/$1"
}

# What the last block printed.
said() { cat "$state/said"; }
