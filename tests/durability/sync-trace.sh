#!/usr/bin/env bash
# Sync trace: no 250 after a dot leaves before the syncs that cover its message.
#
#   tests/durability/sync-trace.sh                 the product must pass
#   tests/durability/sync-trace.sh --expect-fail   a build without syncs must be caught
#
# Sizes of 4 KiB, 100 KiB and 2 MiB, so that the journal, shared segments and single body files all carry
# messages. The reverse-path names the message, so that its row can be recognised in the journal.
source "$(dirname "$0")/common.sh"

command -v strace >/dev/null || skip "strace is not installed"
expected=pass
if [[ ${1:-} == --expect-fail ]]; then
    expected=fail
    export MUSTER_FAULT=${MUSTER_FAULT:-skip-sync}
    build_muster fault
else
    build_muster
fi
build_rig
begin
"$rig/generate" "$work/organisation" mixed 5
start_sink hop
port=$(free_port)
mkdir "$work/data"
write_config "$work/muster.toml" "$work/data" "$work/organisation/directory" "$port" "$sink_port"

calls=read,readv,recvfrom,recvmsg,write,writev,pwrite64,pwritev,pwritev2,sendto,sendmsg
calls+=,fsync,fdatasync,open,openat,mkdir,mkdirat,rename,renameat,renameat2,unlink,unlinkat,close
# A whole frame of the journal (up to a message and an outcome per session) must fit, or a message in it is not seen.
MUSTER_WRAP="strace -f -e trace=$calls -yy -s 65536 -o $work/trace" start_muster "$work/muster.toml" "$port"

"$rig/source" --server "127.0.0.1:$port" --from 'load+%t@contoso.example' --to one%d@contoso.example \
    --to team%d@contoso.example --range 5 --messages "${MESSAGES:-240}" --sessions 8 --size 4096 --size 102400 \
    --size 2097152 --duration 300 >"$work/source.out"
say "source: $(cat "$work/source.out")"
# The traced process, not the tracer: the trace must end whole.
stop_softly_traced() {
    local traced
    traced=$(cat "/proc/$muster_pid/task/$muster_pid/children")
    # shellcheck disable=SC2086
    kill -TERM $traced
    wait "$muster_pid" || true
    forget "$muster_pid"
}
stop_softly_traced

acked=$(number "$(cat "$work/source.out")" acked)
((acked >= 100)) || fail "only $acked messages were acknowledged"
status=0
"$rig/synctrace" "$work/trace" --store "$(realpath "$work/data")" --replies-min "$acked" --all-kinds || status=$?
if [[ $expected == pass ]]; then exit "$status"; fi
if [[ $status -eq 1 ]]; then
    say "caught, as it must be"
    exit 0
fi
fail "a build without syncs was not caught (status $status)"
