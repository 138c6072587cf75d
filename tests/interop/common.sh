# Shared by the interop scripts: a scratch directory, a running muster, conditions instead of sleeps.
# shellcheck shell=bash
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
PATH="$PATH:/usr/sbin:/sbin"

muster="${MUSTER:-target/release/muster}"
scratch="$(mktemp -d)"
pids=()

finish() {
    local status=$?
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
    [ -x "${postfix_stop:-}" ] && "$postfix_stop"
    if [ "$status" != 0 ]; then
        printf 'FAILED: %s\n' "$0"
        tail -n 20 "$scratch"/*.log 2>/dev/null | cut -c -300 || true
    fi
    rm -rf "$scratch"
    exit "$status"
}
trap finish EXIT

# until_true WHAT COMMAND...: repeats the command until it succeeds, at most 30 s.
until_true() {
    local what="$1" end=$((SECONDS + 30))
    shift
    until "$@" 2>/dev/null; do
        if [ "$SECONDS" -ge "$end" ]; then printf 'waited for %s\n' "$what"; return 1; fi
        read -r -t 0.05 <> <(:) || true
    done
}

port_open() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

free_port() {
    local port
    while :; do
        port=$((20000 + RANDOM % 20000))
        port_open "$port" || { echo "$port"; return; }
    done
}

# write_settings HOP_PORT: one next hop for everybody; contoso.example with groups of 3 and 50.
write_settings() {
    mkdir -p "$scratch/organisation"
    inbound="$(free_port)" relay="$(free_port)"
    cat > "$scratch/muster.toml" <<TOML
hostname = "muster.contoso.example"
data_dir = "data"
postmaster = "p0@contoso.example"
accepted_domains = ["contoso.example"]

[[listeners]]
name = "inbound"
address = "127.0.0.1:$inbound"
role = "inbound"

[[listeners]]
name = "relay"
address = "127.0.0.1:$relay"
role = "relay"

[[trusted_networks]]
name = "loopback"
networks = ["127.0.0.0/8"]
listeners = ["relay"]

[[sources]]
name = "files"
kind = "files"
path = "organisation"

[[next_hops]]
name = "hop"
hosts = ["127.0.0.1:$1"]

[routing]
default = "hop"
TOML
    {
        for n in $(seq 0 49); do
            printf '[[recipients]]\nid = "p%s"\nprimary_smtp_address = "p%s@contoso.example"\nalias = "p%s"\nrecipient_type_details = "UserMailbox"\n\n' "$n" "$n" "$n"
        done
        for group in "three 2" "fifty 49"; do
            # shellcheck disable=SC2086
            set -- $group
            printf '[[groups]]\nid = "%s"\nprimary_smtp_address = "%s@contoso.example"\nalias = "%s"\nrecipient_type_details = "MailUniversalDistributionGroup"\nrequire_sender_authentication_enabled = false\nmembers = [' "$1" "$1" "$1"
            for n in $(seq 0 "$2"); do printf '"p%s@contoso.example", ' "$n"; done
            printf ']\n\n'
        done
    } > "$scratch/organisation/all.toml"
}

start_muster() {
    "$muster" serve --config "$scratch/muster.toml" > "$scratch/muster.log" 2>&1 &
    muster_pid=$!
    pids+=("$muster_pid")
    until_true "muster to listen" port_open "$inbound"
    until_true "muster to be ready" grep -q '^ready' "$scratch/muster.log"
}

queue_empty() { [ "$("$muster" --config "$scratch/muster.toml" queue list --json)" = "[]" ]; }
