#!/usr/bin/env bash
# Kill test: `kill -9` at random moments under load loses nothing that was answered 250.
#
#   tests/durability/kill.sh [KILLS]      20 by default (CI); 200 is the full run
#
# Fails on a lost pair, one nobody asked for, or more duplicates than kills × open sessions × batch. A killed
# process never loses the page cache: power-cut.sh and sync-trace.sh are for that.
source "$(dirname "$0")/common.sh"

kills=${1:-20}
batch=500 # The hop's limit in the settings below: promise 8 allows one batch per open session and kill.

build_rig
build_muster
begin
seed
"$rig/generate" "$work/organisation" mixed 20
start_sink hop --recipients-max "$batch" --delay-ms 5
port=$(free_port)
write_config "$work/muster.toml" "$work/data" "$work/organisation/directory" "$port" "$sink_port" "$batch"
mkdir "$work/data"
start_muster "$work/muster.toml" "$port"

"$rig/source" --server "127.0.0.1:$port" --to one%d@contoso.example --to team%d@contoso.example \
    --to big%d@contoso.example --range 20 --messages 0 --sessions 10 --rate "${RATE:-300}" --size 4096 --size 40000 \
    --duration 7200 --ledger "$work/source.ledger" >"$work/source.out" &
source_pid=$!
started+=("$source_pid")

for ((cut = 1; cut <= kills; cut++)); do
    sleep "$(between 300 3000)"
    kill_hard "$muster_pid"
    start_muster "$work/muster.toml" "$port"
done
stop_softly "$source_pid"
drain "$work/muster.toml" "$sink_ledger"
stop_softly "$sink_pid"

hop=$(tail -1 "$sink_out")
open=$(number "$hop" sessions_open_max)
bound=$((kills * open * batch))
say "source: $(tail -1 "$work/source.out")"
say "sink:   $hop"
say "kills $kills, most open sessions $open, batch $batch: at most $bound duplicates"
"$rig/ledger" --source "$work/source.ledger" --sink "$sink_ledger" --members "$work/organisation/members" \
    --duplicates-max "$bound" --acked-min "$((kills * 20))"
