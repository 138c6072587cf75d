#!/usr/bin/env bash
# Power cuts: what was answered 250 before the cut is still there after it.
#
#   tests/durability/power-cut.sh [CUTS]                 10 by default (CI); 50 is the full run
#   tests/durability/power-cut.sh --expect-fail [CUTS]   a build without syncs must be seen to lose mail
#
# The store lies on ext4 in an image file on tmpfs. A copy of the image holds what the disk had been given, and
# nothing of the page cache: a power cut. The product is stopped while the image is copied (4 to 50 ms), since a
# copy that straddles later writes would be a disk no cut can leave. A sync that was under way completes, but its
# 250 cannot leave. `commit=300` keeps the file system from syncing by itself what the product forgot.
#
# Per cut: what was acknowledged before the copy began must be at the original sink by the end of the copy, or at
# a fresh sink once a relay has started on the copy. Load and original stand still meanwhile and go on after it, so
# that later cuts meet a store with a history.
source "$(dirname "$0")/common.sh"

expected=pass
if [[ ${1:-} == --expect-fail ]]; then
    expected=fail
    export MUSTER_FAULT=${MUSTER_FAULT:-skip-sync}
    shift
fi
cuts=${1:-10}

[[ $(id -u) -eq 0 ]] || skip "loop mounts need root"
for tool in mkfs.ext4 losetup mount; do command -v "$tool" >/dev/null || skip "$tool is not installed"; done
[[ $(stat -f -c %T /dev/shm) == tmpfs ]] || skip "/dev/shm is not a tmpfs"
if [[ $expected == fail ]]; then build_muster fault; else build_muster; fi
build_rig
begin /dev/shm
seed

mounted=()
at_end() {
    local folder
    for folder in "${mounted[@]}"; do umount "$folder" 2>/dev/null || umount -l "$folder" 2>/dev/null || true; done
}

mkdir "$work/disk" "$work/restored"
truncate -s "${IMAGE_SIZE:-4G}" "$work/image"
mkfs.ext4 -q -E lazy_itable_init=0,lazy_journal_init=0 "$work/image"
mount -o loop,commit=300 "$work/image" "$work/disk" 2>"$work/mount.err" || skip "no loop mount here: $(cat "$work/mount.err")"
mounted+=("$work/disk")

"$rig/generate" "$work/organisation" mixed 10
# A slow hop leaves a queue to lose.
start_sink original --delay-ms "${HOP_DELAY_MS:-300}"
original_ledger=$sink_ledger original_pid=$sink_pid
port=$(free_port)
mkdir "$work/disk/data"
sync -f "$work/disk"
write_config "$work/muster.toml" "$work/disk/data" "$work/organisation/directory" "$port" "$sink_port"
start_muster "$work/muster.toml" "$port"
"$rig/source" --server "127.0.0.1:$port" --to one%d@contoso.example --to team%d@contoso.example \
    --range 10 --messages 0 --sessions 8 --rate "${RATE:-100}" --size 4096 --size 4096 --size 40000 --size 4096 \
    --size 4096 --size 40000 --size 4096 --size 1500000 --duration 7200 \
    --ledger "$work/source.ledger" >"$work/source.out" &
source_pid=$!
started+=("$source_pid")

all_stopped() { ! grep -hE '^State:' /proc/"$muster_pid"/task/*/status | grep -qv 'T (stopped)'; }
block_device=$(basename "$(findmnt -no SOURCE "$work/disk")")
disk_idle() { [[ $(tr -s ' ' <"/sys/block/$block_device/inflight") == " 0 0" ]]; }

# cut_power: sets acked_octets and delivered_octets, leaves the copy in $work/cut.image.
cut_power() {
    kill -STOP "$muster_pid"
    wait_until 10 all_stopped || fail "the process did not stop"
    wait_until 10 disk_idle || fail "the disk did not become idle"
    sleep 0.05 # Replies that had left reach the ledger.
    kill -STOP "$source_pid"
    acked_octets=$(size_of "$work/source.ledger")
    cp --sparse=always "$work/image" "$work/cut.image"
    delivered_octets=$(size_of "$original_ledger")
}

# recover NUMBER: starts a relay on the copy, drains it into a fresh sink, compares.
recover() {
    local fresh_port config=$work/restored.toml status=0
    mount -o loop "$work/cut.image" "$work/restored" || fail "the copy does not mount"
    mounted+=("$work/restored")
    start_sink "fresh-$1"
    fresh_port=$(free_port)
    write_config "$config" "$work/restored/data" "$work/organisation/directory" "$fresh_port" "$sink_port"
    start_muster "$config" "$fresh_port"
    drain "$config" "$sink_ledger"
    kill_hard "$muster_pid"
    stop_softly "$sink_pid"
    "$rig/ledger" --source "$work/source.ledger" --acked-before "$acked_octets" \
        --sink "$original_ledger@$delivered_octets" --sink "$sink_ledger" \
        --members "$work/organisation/members" --duplicates-max any >"$work/verdict" || status=$?
    umount "$work/restored"
    rm "$work/cut.image" "$sink_ledger"
    return "$status"
}

lossy=0 recovered=0
for ((number = 1; number <= cuts; number++)); do
    sleep "$(between 300 2000)"
    cut_power
    original_muster=$muster_pid
    status=0
    recover "$number" || status=$?
    muster_pid=$original_muster
    kill -CONT "$muster_pid" "$source_pid"
    say "cut $number: $(cat "$work/verdict")"
    case $status in
    0) recovered=$((recovered + 1)) ;;
    1) lossy=$((lossy + 1)) ;;
    *) fail "cut $number proved nothing" ;;
    esac
done
kill_hard "$source_pid"
kill_hard "$muster_pid"
kill_hard "$original_pid"

say "cuts $cuts: $recovered kept everything, $lossy lost or half-delivered something"
if [[ $expected == fail ]]; then
    ((lossy > 0)) || fail "a build without syncs lost nothing: the test does not test"
    say "caught, as it must be"
else
    ((lossy == 0)) || fail "mail answered 250 was lost"
fi
