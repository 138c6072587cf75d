#!/usr/bin/env bash
# Postfix's smtp-source into muster, muster into Postfix's smtp-sink.
# shellcheck source=common.sh
source "$(dirname "$0")/common.sh"

hop="$(free_port)"
write_settings "$hop"
smtp-sink -u "$(id -un)" -c "127.0.0.1:$hop" 200 > "$scratch/sink.log" 2>&1 &
pids+=($!)
until_true "smtp-sink to listen" port_open "$hop"
start_muster

smtp-source -c -s 10 -m 500 -l 4000 -f x@outside.example -t three@contoso.example "127.0.0.1:$inbound" > "$scratch/source.log" 2>&1
until_true "an empty queue" queue_empty

# smtp-sink -c rewrites one line `sess=… quit=… mesg=…` with every message.
count="$(grep -o 'mesg=[0-9]*' "$scratch/sink.log" | tail -n 1 | cut -d= -f2)"
[ "$count" = 500 ] || { echo "smtp-sink took $count messages of 500"; exit 1; }
echo "smtp-source > muster > smtp-sink: 500 messages, 500 copies for groups of 3"
