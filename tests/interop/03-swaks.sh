#!/usr/bin/env bash
# swaks against both listeners: what is accepted, what is refused, pipelined and not.
# shellcheck source=common.sh
source "$(dirname "$0")/common.sh"

hop="$(free_port)"
write_settings "$hop"
smtp-sink -u "$(id -un)" "127.0.0.1:$hop" 200 > "$scratch/sink.log" 2>&1 &
pids+=($!)
until_true "smtp-sink to listen" port_open "$hop"
start_muster

accepts() { swaks --silent 3 --server "$@" > "$scratch/swaks.log" 2>&1 || { echo "refused: $*"; swaks --server "$@" | tail -n 12; exit 1; }; }
refuses() {
    local code="$1"
    shift
    if swaks --server "$@" > "$scratch/swaks.log" 2>&1; then echo "accepted: $*"; exit 1; fi
    grep -q "<\*\* .*$code" "$scratch/swaks.log" || { echo "expected $code: $*"; tail -n 12 "$scratch/swaks.log"; exit 1; }
}

accepts "127.0.0.1:$inbound" --from x@outside.example --to three@contoso.example
accepts "127.0.0.1:$inbound" --from x@outside.example --to three@contoso.example,p9@contoso.example --pipeline
accepts "127.0.0.1:$inbound" --from '<>' --to p1@contoso.example
accepts "127.0.0.1:$relay" --from p1@contoso.example --to someone@elsewhere.example --pipeline
refuses 550 "127.0.0.1:$inbound" --from x@outside.example --to nobody@contoso.example
refuses 550 "127.0.0.1:$inbound" --from x@outside.example --to someone@elsewhere.example
refuses 550 "127.0.0.1:$inbound" --from p1@contoso.example --to three@contoso.example
until_true "an empty queue" queue_empty
echo "swaks: 4 accepted, 3 refused as they should be"
