# Scenarios that every system runs; sourced by bench/run.
#
# Rates count until the last copy has arrived: S1 from the first MAIL, the others from the first dot.

# shape_of SCENARIO: what `generate` writes for it.
shape_of() {
    case $1 in
    S1 | S1B | S1T | S6 | S6T) echo people 1000 ;;
    S2 | S2T) echo flat "$(scaled 10000)" ;;
    S2L | S7*) echo flat "$(scaled 100000)" ;;
    S3) echo nested 200 500 5000 ;;
    S4) echo split "$(scaled 10000)" ;;
    S4L) echo split "$(scaled 100000)" ;;
    esac
}

# relay_count SCENARIO SYSTEM: messages; enough for some seconds. S1_EXIM=… and so on say otherwise.
relay_count() {
    local name=$1_${2^^} count
    case $1_$2 in
    S1_muster) count=60000 ;;
    S1B_muster) count=10000 ;;
    S1T_muster) count=30000 ;;
    S1B_postfix | S1T_postfix) count=4000 ;;
    S1_postfix) count=6000 ;;
    *) count=3000 ;;
    esac
    echo "${!name:-$(scaled "$count")}"
}

scaled() { echo $(($1 / scale)); }

# measure SCENARIO SYSTEM [HOPS]: sets figure (rate), accept_rate, seconds, first (microseconds from the first dot to the
# first copy), memory (KiB, muster only).
measure() {
    local scenario=$1 system=$2 hops_count=${3:-1} size=4096 since=first_dot_micros load copies
    local organisation=$work/$scenario protect= port hops=() sinks=() ledgers=() outs=()
    [[ $scenario == *T ]] && protect=$work/certificate
    case $scenario in
    S1 | S1B | S1T)
        copies=$(relay_count "$scenario" "$system") since=started_micros
        [[ $scenario == S1B ]] && size=65536
        load=(--to p%d@contoso.example --range 1000 --messages "$copies" --sessions 20)
        ;;
    S3) copies=100000 load=(--to g%d@contoso.example --range 200 --messages 200 --sessions 20) ;;
    *) copies=$(shape_of "$scenario" | cut -d' ' -f2) load=(--to all@contoso.example) ;;
    esac
    rm -f "$work/source.ledger"
    start_sinks "$hops_count" --gather --count-exit $((copies / hops_count)) ${protect:+--starttls "$protect"}
    port=$(free_port) memory=
    "start_system_$system"
    local source
    source=$("$rig/source" --server "127.0.0.1:$port" --size "$size" --ledger "$work/source.ledger" --gather \
        --duration "${LIMIT_SECONDS:-600}" ${protect:+--starttls "$protect"} "${load[@]}")
    collect "$system $scenario"
    "stop_system_$system"
    account "$system $scenario" "$work/source.ledger"
    figure_from "$source"
}

# start_sinks COUNT OPTIONS…: fills hops, sinks, ledgers and outs.
start_sinks() {
    local count=$1 number
    shift
    for ((number = 0; number < count; number++)); do
        start_sink "hop$number" "$@"
        hops+=("$sink_port") sinks+=("$sink_pid") ledgers+=("$sink_ledger") outs+=("$sink_out")
    done
}

# collect WHAT: waits until every sink has what it waits for.
collect() {
    local pid
    for pid in "${sinks[@]}"; do
        wait_until "${LIMIT_SECONDS:-600}" gone "$pid" || say "$1: not all copies came in time"
        stop_softly "$pid"
    done
}

# account WHAT SOURCE_LEDGER: every copy once, or the run fails.
account() {
    local books=() ledger
    for ledger in "${ledgers[@]}"; do books+=(--sink "$ledger"); done
    "$rig/ledger" --source "$2" "${books[@]}" --members "$organisation/members" >"$work/verdict" ||
        fail "$1: $(cat "$work/verdict")"
}

# figure_from SOURCE_SUMMARY: with those of the sinks. Uses $since, $copies and $outs of the measurement.
figure_from() {
    local dot last_dot last first_at
    dot=$(number "$1" first_dot_micros) last_dot=$(number "$1" last_dot_micros)
    last=$(for out in "${outs[@]}"; do number "$(tail -1 "$out")" last_micros; done | sort -n | tail -1)
    first_at=$(for out in "${outs[@]}"; do number "$(tail -1 "$out")" first_micros; done | sort -n | head -1)
    figure=$(awk -v n="$copies" -v a="$(number "$1" "$since")" -v b="$last" 'BEGIN { printf "%.0f", n * 1e6 / (b - a) }')
    seconds=$(awk -v a="$last_dot" -v b="$last" 'BEGIN { printf "%.3f", (b - a) / 1e6 }')
    first=$((first_at - dot))
    accept_rate=$(number "$1" messages_per_second)
}

gone() { ! kill -0 "$1" 2>/dev/null || [[ $(sed -nE 's/^State:\s+(.).*/\1/p' "/proc/$1/status" 2>/dev/null) == Z ]]; }

# keep KEY: adds what was measured to the figures of the rounds.
keep() {
    figures["$1"]+="$figure "
    figures["$1 seconds"]+="$seconds "
    figures["$1 first"]+="$first "
    figures["$1 memory"]+="$memory "
}

# run_scenario SCENARIO: all rounds, the systems in turns; S4 over one next hop and over two.
run_scenario() {
    local scenario=$1 round system
    for ((round = 1; round <= rounds; round++)); do
        for system in "${systems[@]}"; do
            if [[ $scenario == S4* ]]; then
                measure "$scenario" "$system" 1
                keep "$scenario $system one"
                say "$scenario round $round $system: $figure/s over one next hop"
                measure "$scenario" "$system" 2
            else
                measure "$scenario" "$system"
            fi
            keep "$scenario $system"
            say "$scenario round $round $system: $figure/s, $seconds s from the last dot to the last copy, first copy after $first us, accepted $accept_rate/s${memory:+, peak $memory KiB (of the start $memory_start)}"
        done
    done
}
