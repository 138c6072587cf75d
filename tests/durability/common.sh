# Shared by the durability scripts and bench/run; sourced, never run.
#
# Everything that depends on the product's words (settings, commands, listeners) stands in this file, in the
# section "The product". Everything else only knows SMTP, processes and files.

set -euo pipefail

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
rig=$repository/target/release/examples
muster=${MUSTER:-$repository/target/release/muster}
faulty_muster=${MUSTER_FAULTY:-$repository/target/fault/release/muster}
skipped=77

# ---------------------------------------------------------------- processes

work=
started=()

say() { printf '%s\n' "$*" >&2; }
fail() { say "FAIL: $*"; exit 1; }
skip() { say "SKIPPED, nothing was shown: $*"; exit "$skipped"; }

# Makes $work, on a disk unless told otherwise, and takes it away at the end with all that was started.
begin() {
    work=$(mktemp -d "${1:-${TMPDIR:-/var/tmp}}/muster-rig.XXXXXX")
    chmod 755 "$work"
    trap 'finish $?' EXIT
    trap 'exit 130' INT TERM
}

finish() {
    local status=$1 process
    trap - EXIT
    for process in "${started[@]}"; do
        if kill -CONT "$process" 2>/dev/null; then kill -KILL "$process" 2>/dev/null || true; fi
    done
    wait 2>/dev/null || true
    if declare -F at_end >/dev/null; then at_end || true; fi
    if [[ $status -ne 0 && $status -ne $skipped && -n ${KEEP:-} ]]; then say "kept: $work"; else rm -rf "$work"; fi
    exit "$status"
}

# Takes a process that has ended off the list, so that its number is never signalled again.
forget() {
    local process rest=()
    for process in "${started[@]}"; do [[ $process == "$1" ]] || rest+=("$process"); done
    started=("${rest[@]}")
}

# kill_hard PID: power off for one process, and wait until it is gone.
kill_hard() {
    kill -KILL "$1" 2>/dev/null || true
    wait "$1" 2>/dev/null || true
    forget "$1"
}

# stop_softly PID: asks it to end and waits.
stop_softly() {
    kill -TERM "$1" 2>/dev/null || true
    wait "$1" 2>/dev/null || true
    forget "$1"
}

# wait_until SECONDS COMMAND…: polls until the command succeeds.
wait_until() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        if ((SECONDS >= deadline)); then return 1; fi
        sleep 0.05
    done
}

listening() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
size_of() { stat -c %s "$1" 2>/dev/null || echo 0; }

# quiet_for SECONDS FILE…: succeeds once the files have not grown for that long; gives up after 300 s.
quiet_for() {
    local seconds=$1 before after since=$SECONDS deadline=$((SECONDS + 300))
    shift
    before=$(stat -c %s "$@" | paste -sd' ')
    while ((SECONDS - since < seconds)); do
        sleep 0.2
        after=$(stat -c %s "$@" | paste -sd' ')
        if [[ $after != "$before" ]]; then before=$after since=$SECONDS; fi
        if ((SECONDS >= deadline)); then return 1; fi
    done
}

free_port() {
    local port
    while :; do
        port=$((20000 + RANDOM % 10000))
        if ! listening "$port"; then echo "$port"; return; fi
    done
}

# between LOW HIGH: a random number of milliseconds, as seconds. RANDOM is seeded by --seed (SEED).
between() {
    local span=$(($2 - $1))
    local milliseconds=$(($1 + (RANDOM * 32768 + RANDOM) % span))
    printf '%d.%03d' $((milliseconds / 1000)) $((milliseconds % 1000))
}

# number JSON KEY: the number under the first such key of our own flat JSON.
number() { sed -nE "s/.*\"$2\":(-?[0-9.]+).*/\1/p" <<<"$1" | head -1; }

seed() {
    SEED=${SEED:-$(($(date +%s) % 32768))}
    RANDOM=$SEED
    say "seed $SEED (SEED=$SEED repeats the moments)"
}

build_rig() {
    (cd "$repository" && cargo build --quiet --release --examples)
}

# start_sink NAME OPTIONS…: sets sink_pid, sink_port, sink_ledger, sink_out.
start_sink() {
    local name=$1
    shift
    sink_ledger=$work/$name.ledger sink_out=$work/$name.out
    : >"$sink_ledger"
    : >"$sink_out"
    "$rig/sink" --ledger "$sink_ledger" "$@" >>"$sink_out" 2>"$work/$name.err" &
    sink_pid=$!
    started+=("$sink_pid")
    wait_until 10 test -s "$sink_out" || fail "sink $name did not start"
    sink_port=$(head -1 "$sink_out" | cut -d: -f2)
}

# ---------------------------------------------------------------- the product

# build_muster [fault]: the product, or the product with its syncs removable. The faulty one lies in its own folder,
# but takes its dependencies from the common build folder, and is optimised less: only the order of its calls counts.
# An example is named with it because dependencies are built anew when none asks for the development ones.
build_muster() {
    if [[ ${1:-} == fault ]]; then
        [[ -n ${MUSTER_FAULTY:-} ]] ||
            (cd "$repository" && cargo build --quiet --release --bin muster --example ledger --features fault-injection \
                --config 'build.build-dir="target"' --config 'profile.release.package.muster.opt-level=1' \
                --target-dir target/fault)
        muster=$faulty_muster
    else
        [[ -n ${MUSTER:-} ]] || (cd "$repository" && cargo build --quiet --release --bin muster --examples)
    fi
}

# write_config FILE DATA_DIR DIRECTORY PORT HOP_PORT [RECIPIENTS_MAX]: a relay for contoso.example with one hop.
write_config() {
    cat >"$1" <<EOF
hostname = "muster.contoso.example"
data_dir = "$2"
accepted_domains = ["contoso.example"]
postmaster = "p0@contoso.example"

[[listeners]]
name = "load"
address = "127.0.0.1:$4"
role = "relay"

[[trusted_networks]]
name = "loopback"
networks = ["127.0.0.0/8"]
listeners = ["load"]

[[sources]]
name = "files"
kind = "files"
path = "$3"

[[next_hops]]
name = "sink"
hosts = ["127.0.0.1:$5"]
recipients_max = ${6:-500}

[routing]
default = "sink"

[queue]
retry_first = "1s"
retry_max = "2s"
EOF
}

# start_muster CONFIG PORT: sets muster_pid; returns when the listener answers. MUSTER_WRAP runs it under a tool.
start_muster() {
    local config=$1 port=$2
    # shellcheck disable=SC2086
    ${MUSTER_WRAP:-} "$muster" serve --config "$config" >>"$work/muster.log" 2>&1 &
    muster_pid=$!
    started+=("$muster_pid")
    wait_until 120 ready_at "$port" || { tail -20 "$work/muster.log" >&2; fail "muster does not answer on port $port"; }
}

# It listens only after the directory is loaded, so an answer is enough.
ready_at() {
    kill -0 "$muster_pid" 2>/dev/null || { tail -20 "$work/muster.log" >&2; fail "muster ended"; }
    answering "$1"
}

answering() {
    local line=
    {
        read -r -t 5 line <&3 || true
        printf 'QUIT\r\n' >&3
    } 2>/dev/null 3<>"/dev/tcp/127.0.0.1/$1"
    [[ $line == 220* ]]
}

# queue_empty CONFIG: no message left that is not delivered, reported or held.
queue_empty() {
    local list
    list=$("$muster" --config "$1" queue list --json 2>/dev/null) || return 1
    [[ $list =~ ^[[:space:]]*(\[[[:space:]]*\]|.*\"(messages|items|queue)\":[[:space:]]*\[[[:space:]]*\]) ]]
}

# drain CONFIG LEDGER…: waits until the queue is empty, then until the sinks are quiet.
drain() {
    local config=$1
    shift
    wait_until "${DRAIN_SECONDS:-300}" queue_empty "$config" || say "the queue was not seen empty; the ledger decides"
    quiet_for 2 "$@" || fail "the sinks did not become quiet"
}
