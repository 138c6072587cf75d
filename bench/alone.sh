# Scenarios of muster alone: what many sessions cost, and how long small mail takes beside a large message. Sourced.

# measure_sessions SCENARIO: sets memory_open and memory_kib, resident memory with all sessions open and at most while
# messages came.
measure_sessions() {
    local scenario=$1 organisation=$work/$1 protect= port hops=() sinks=() ledgers=() outs=() report
    local idle=${S6_IDLE:-$(scaled 10000)} active=${S6_ACTIVE:-$(scaled 1000)} messages sessions_allowed
    messages=$((active * 3)) sessions_allowed=$((idle + active + 100))
    [[ $scenario == *T ]] && protect=$work/certificate
    ulimit -n "$(ulimit -Hn)"
    (($(ulimit -n) > idle + active + 200)) || skip "$scenario needs $((idle + active + 200)) open files, $(ulimit -n) are allowed"
    start_sinks 1 --count-exit "$messages" ${protect:+--starttls "$protect"}
    port=$(free_port)
    start_system_muster
    report=$("$rig/sessions" --server "127.0.0.1:$port" --process "$muster_pid" --idle "$idle" --active "$active" \
        --messages "$messages" --to p%d@contoso.example --range 1000 --ledger "$work/source.ledger" \
        ${protect:+--starttls "$protect"}) || fail "$scenario: $report"
    collect "$scenario"
    stop_system_muster
    account "$scenario" "$work/source.ledger"
    memory_open=$(number "$report" memory_open_kib) memory_kib=$(number "$report" memory_kib)
    say "$scenario: $report"
}

# hop_of SCENARIO: how the next hop of S7 answers, as options of the sink.
hop_of() {
    case $1 in
    S7) ;;
    S7D) echo --distance-ms 10 ;;
    S7C) echo --command-ms 10 ;;
    esac
}

# small_stream: two-recipient messages, 50 a second.
small_stream() {
    "$rig/source" --server "127.0.0.1:$port" --to p%d@contoso.example --range 1000 --recipients 2 --sessions 8 \
        --rate 50 --messages "${S7_MESSAGES:-600}" --ledger "$work/small.ledger" >/dev/null
}

# measure_latency SCENARIO idle|beside: sets p50 and p99, in microseconds. Beside: a message to the whole group is always
# on its way (S7_LARGE=2: two), followed by the next one once its last copy has arrived.
measure_latency() {
    local scenario=$1 organisation=$work/$1 protect= port hops=() sinks=() ledgers=() outs=() big beside=() report
    local least=$(scaled 300)
    rm -f "$work"/{small,big}.ledger
    : >"$work/big.ledger"
    # shellcheck disable=SC2046
    start_sinks 1 $(hop_of "$scenario")
    port=$(free_port)
    start_system_muster
    if [[ $2 == beside ]]; then
        "$rig/source" --server "127.0.0.1:$port" --to all@contoso.example --sessions "${S7_LARGE:-1}" --messages 0 --ledger "$work/big.ledger" \
            --follow "${ledgers[0]}" --copies "$(shape_of "$scenario" | cut -d' ' -f2)" >"$work/big.out" &
        big=$!
        started+=("$big")
        wait_until 60 grep -q acked "$work/big.ledger" || fail "$scenario: the large message was not taken"
        beside=(--beside "$work/big.ledger")
    fi
    small_stream
    [[ $2 == idle ]] || stop_softly "$big"
    DRAIN_SECONDS=900 drain "$work/muster.toml" "${ledgers[0]}"
    stop_system_muster
    stop_softly "${sinks[0]}"
    cat "$work"/{small,big}.ledger >"$work/source.ledger"
    account "$scenario $2" "$work/source.ledger"
    report=$("$rig/latency" --source "$work/small.ledger" --sink "${ledgers[0]}" --least "$least" "${beside[@]}") ||
        fail "$scenario $2: $report"
    p50=$(number "$report" p50_micros) p99=$(number "$report" p99_micros)
    say "$scenario $2: $report; $(grep -c acked "$work/big.ledger" || true) large messages"
}

# run_alone SCENARIO: S6 once, S7 in rounds.
run_alone() {
    local scenario=$1 round load
    if [[ $scenario == S6* ]]; then
        measure_sessions "$scenario"
        figures["$scenario open"]=$memory_open figures["$scenario memory"]=$memory_kib
        return
    fi
    for ((round = 1; round <= rounds; round++)); do
        for load in idle beside; do
            measure_latency "$scenario" "$load"
            figures["$scenario $load p50"]+="$p50 "
            figures["$scenario $load p99"]+="$p99 "
        done
    done
}
