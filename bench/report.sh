# The report of bench/run: medians, ratios and what became of the targets. Sourced, never run.
#
# In: figures, scenarios, systems, the machine's own limits. Out: result.json and result.md.

title_of() {
    case $1 in
    S1) echo "relay, 4 KiB, 20 sessions, one recipient (messages/s)" ;;
    S1B) echo "relay, 64 KiB, 20 sessions, one recipient (messages/s)" ;;
    S1T) echo "relay, 4 KiB, 20 sessions, TLS in and out (messages/s)" ;;
    S2) echo "one message, group of $(scaled 10000) (recipients/s)" ;;
    S2L) echo "one message, group of $(scaled 100000) (recipients/s)" ;;
    S2T) echo "one message, group of $(scaled 10000), TLS in and out (recipients/s)" ;;
    S3) echo "200 messages, 200 nested groups of 500 that overlap (recipients/s)" ;;
    S4) echo "one message, group of $(scaled 10000) over two next hops (recipients/s)" ;;
    S4L) echo "one message, group of $(scaled 100000) over two next hops (recipients/s)" ;;
    S6) echo "idle and active sessions: resident memory" ;;
    S6T) echo "idle and active sessions with TLS: resident memory" ;;
    S7) echo "two-recipient mail beside a fan-out to $(scaled 100000), instant next hop: p99" ;;
    S7D) echo "the same, next hop 10 ms away: p99" ;;
    S7C) echo "the same, next hop that takes 10 ms for each command: p99" ;;
    esac
}
# Least ratio to Postfix.
# Least ratio to a peer.
declare -A targets=(["S1 postfix"]=15 ["S1B postfix"]=8 ["S1T postfix"]=8 ["S2 postfix"]=50 ["S2L exim"]=5 ["S3 postfix"]=8 ["S3 exim"]=6)

durability_of() {
    case $1 in
    muster) echo "SQLite WAL with synchronous=FULL, bodies synced with their folder before the 250 (default settings)" ;;
    postfix) echo "cleanup writes one queue file per message and calls fsync before the 250; not configurable" ;;
    exim) echo "two spool files per message, each synced before the 250; not configurable" ;;
    esac
}

median() { tr -s ' ' '\n' <<<"$1" | sort -g | awk 'NF { v[++n] = $1 } END { if (n) print v[int((n + 1) / 2)]; else print "null" }'; }
median_of() { median "${figures["$1"]:-}"; }
ratio_of() { awk -v a="$1" -v b="$2" 'BEGIN { if (a + 0 > 0 && b + 0 > 0) printf "%.2f", a / b; else print "null" }'; }
# verdict VALUE least|most TARGET: a small run judges nothing.
verdict() {
    if ((scale > 1)); then echo "-" && return; fi
    awk -v v="$1" -v kind="$2" -v t="$3" 'BEGIN {
        if (v == "null" || t == "" || t == "null") print "-"
        else print ((kind == "least" ? v + 0 >= t + 0 : v + 0 <= t + 0) ? "holds" : "missed") }'
}
shown() { if [[ $1 == null ]]; then echo "-"; else echo "$1"; fi; }
is_alone() { [[ $1 == S6* || $1 == S7* ]]; }

# judgements: one line for each target: scenario, what, value, against, ratio, target, verdict; tabs between.
judgements() {
    local scenario
    for scenario in "${scenarios[@]}"; do
        case $scenario in
        S1 | S1B | S1T | S2) judge_ratio "$scenario" postfix ;;
        S3) judge_ratio "$scenario" postfix && judge_ratio "$scenario" exim ;;
        S2L) judge_large ;;
        S4 | S4L) judge_hops "$scenario" ;;
        S6) judge_memory S6 250 ;;
        S6T) judge_memory S6T 450 ;;
        S7*) judge_latency "$scenario" ;;
        esac
    done
}

line() { local IFS=$'\t'; printf '%s\n' "$*"; }

# judge_ratio SCENARIO postfix|exim
judge_ratio() {
    local ours theirs ratio target=${targets[$1 $2]:-}
    ours=$(median_of "$1 muster") theirs=$(median_of "$1 $2") ratio=$(ratio_of "$ours" "$theirs")
    line "$1" "ratio to ${2^}" "$ours" "$theirs" "$ratio" "${target:+>= $target}" "$(verdict "$ratio" least "$target")"
}

judge_large() {
    local seconds memory_mib first
    judge_ratio S2L postfix
    judge_ratio S2L exim
    first=$(milliseconds "$(median_of "S2L muster first")")
    line S2L "ms from the final dot to the first copy" "$first" null null "<= 50" "$(verdict "$first" most 50)"
    seconds=$(median_of "S2L muster seconds") memory_mib=$(mib "$(median_of "S2L muster memory")")
    line S2L "seconds to the last copy" "$seconds" null null "<= 1" "$(verdict "$seconds" most 1)"
    line S2L "peak memory while mail goes, MiB" "$memory_mib" null null "<= 120" "$(verdict "$memory_mib" most 120)"
}

judge_hops() {
    local system two one ratio target
    for system in "${systems[@]}"; do
        two=$(median_of "$1 $system") one=$(median_of "$1 $system one") ratio=$(ratio_of "$two" "$one")
        target=
        [[ $system == muster ]] && target=1
        line "$1" "$system: two next hops to one" "$two" "$one" "$ratio" "${target:+>= $target}" "$(verdict "$ratio" least "$target")"
    done
}

# Targets are in megabytes of 1,000,000 octets.
judge_memory() {
    local used open
    used=$(megabytes "$(median_of "$1 memory")") open=$(megabytes "$(median_of "$1 open")")
    line "$1" "MB while messages come, beside MB with all open" "$used" "$open" null "<= $2" "$(verdict "$used" most "$2")"
}

judge_latency() {
    local scenario=$1 part idle beside ratio
    for part in p50 p99; do
        idle=$(milliseconds "$(median_of "$scenario idle $part")") beside=$(milliseconds "$(median_of "$scenario beside $part")")
        ratio=$(ratio_of "$beside" "$idle")
        if [[ $part == p50 ]]; then
            line "$scenario" "p50, ms, to that of an idle system" "$beside" "$idle" "$ratio" "" "-"
        elif [[ $scenario == S7 ]]; then
            line "$scenario" "p99, ms, to that of an idle system" "$beside" "$idle" "$ratio" "p99 < 25 ms" "$(verdict "$beside" most 24.99)"
        else
            line "$scenario" "p99, ms, to that of an idle system" "$beside" "$idle" "$ratio" "ratio < 3" "$(verdict "$ratio" most 2.99)"
        fi
    done
}

mib() { awk -v k="$1" 'BEGIN { if (k == "null") print k; else printf "%.0f", k / 1024 }'; }
megabytes() { awk -v k="$1" 'BEGIN { if (k == "null") print k; else printf "%.0f", k * 1024 / 1e6 }'; }
milliseconds() { awk -v u="$1" 'BEGIN { if (u == "null") print u; else printf "%.2f", u / 1000 }'; }

# ---------------------------------------------------------------- for machines

report_json() {
    local scenario system comma=
    printf '{"date":"%s","processors":%s,"kernel":"%s","rounds":%s,"scale":%s,\n' \
        "$(date -u +%FT%TZ)" "$(nproc)" "$(uname -r)" "$rounds" "$scale"
    printf ' "machine":{"disk":%s,"ceiling_messages_per_second_20_sessions":%s,"ceiling_messages_per_second_40_sessions":%s,"ceiling_recipients_per_second":%s},\n' \
        "$disk" "$ceiling_20" "$ceiling_40" "$ceiling_recipients"
    printf ' "durability":{'
    for system in "${systems[@]}"; do printf '%s"%s":"%s"' "$comma" "$system" "$(durability_of "$system")" && comma=,; done
    printf '},\n "scenarios":{'
    comma=
    for scenario in "${scenarios[@]}"; do
        is_alone "$scenario" && continue
        printf '%s\n  "%s":{' "$comma" "$scenario"
        comma=,
        scenario_json "$scenario"
        printf '}'
    done
    printf '\n },\n "targets":['
    judgements | awk -F'\t' '{ printf "%s\n  {\"scenario\":\"%s\",\"what\":\"%s\",\"value\":%s,\"against\":%s,\"ratio\":%s,\"target\":\"%s\",\"verdict\":\"%s\"}",
        (NR > 1 ? "," : ""), $1, $2, $3, $4, $5, $6, $7 }'
    printf '\n ]}\n'
}

# `ours`, `theirs` and `ratio` are those to Postfix.
scenario_json() {
    local ours theirs exims
    ours=$(median_of "$1 muster") theirs=$(median_of "$1 postfix") exims=$(median_of "$1 exim")
    printf '"ours":%s,"theirs":%s,"ratio":%s,"ratio_target":%s,"exim":%s,"ratio_exim":%s,' \
        "$ours" "$theirs" "$(ratio_of "$ours" "$theirs")" "${targets["$1 postfix"]:-null}" "$exims" "$(ratio_of "$ours" "$exims")"
    printf '"ours_seconds":%s,"theirs_seconds":%s,"exim_seconds":%s,"ours_peak_kib":%s,' "$(median_of "$1 muster seconds")" \
        "$(median_of "$1 postfix seconds")" "$(median_of "$1 exim seconds")" "$(median_of "$1 muster memory")"
    printf '"ours_first_micros":%s,"theirs_first_micros":%s,"exim_first_micros":%s' "$(median_of "$1 muster first")" \
        "$(median_of "$1 postfix first")" "$(median_of "$1 exim first")"
}

# ---------------------------------------------------------------- for people

report_table() {
    local system versions=muster scenario
    if uses postfix; then versions+=", Postfix $(postfix_version)"; fi
    if uses exim; then versions+=", Exim $(exim_version)"; fi
    printf '# %s; %s\n\n' "$versions" "$(date -u +%F)"
    printf '%s processors, kernel %s, store on %s; medians of %s rounds in turns, every copy accounted for.\n' \
        "$(nproc)" "$(uname -r)" "$(stat -f -c %T "$work")" "$rounds"
    ((scale == 1)) || printf '**Small: counts divided by %s. It shows that everything runs; the figures mean nothing.**\n' "$scale"
    [[ -z $missing ]] || printf 'Not in this run: %s.\n' "$missing"
    printf '\n| scenario | muster | Postfix | ratio | target | | Exim | ratio | last dot to last copy: muster, Postfix, Exim (s) | first copy: muster, Postfix, Exim (us) | muster: peak memory (KiB) |\n'
    printf '|---|---|---|---|---|---|---|---|---|---|---|\n'
    for scenario in "${scenarios[@]}"; do is_alone "$scenario" || scenario_row "$scenario"; done
    printf '\n| scenario | what | value | against | ratio | target | |\n|---|---|---|---|---|---|---|\n'
    judgements | while IFS=$'\t' read -r line; do judgement_row "$line"; done
    printf '\nThe machine: source to sink %s messages/s at 20 sessions, %s at 40, %s recipients/s; disk %s.\n\n' \
        "$ceiling_20" "$ceiling_40" "$ceiling_recipients" "$disk"
    for system in "${systems[@]}"; do printf 'Durability, %s: %s.\n' "$system" "$(durability_of "$system")"; done
}

scenario_row() {
    local ours theirs exims ratio
    ours=$(median_of "$1 muster") theirs=$(median_of "$1 postfix") exims=$(median_of "$1 exim")
    ratio=$(ratio_of "$ours" "$theirs")
    printf '| %s %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s |\n' "$1" "$(title_of "$1")" "$(shown "$ours")" \
        "$(shown "$theirs")" "$(shown "$ratio")" "${targets["$1 postfix"]:--}" "$(verdict "$ratio" least "${targets["$1 postfix"]:-}")" \
        "$(shown "$exims")" "$(shown "$(ratio_of "$ours" "$exims")")" "$(three "$1" seconds)" "$(first_copies "$1")" \
        "$(shown "$(median_of "$1 muster memory")")"
}

three() { echo "$(shown "$(median_of "$1 muster $2")"), $(shown "$(median_of "$1 postfix $2")"), $(shown "$(median_of "$1 exim $2")")"; }

# Of a relayed stream the first copy says nothing.
first_copies() { if [[ $1 == S1* || $1 == S3 ]]; then echo "-"; else three "$1" first; fi; }

judgement_row() {
    local scenario what value against ratio target verdict
    # Tabs are blanks to read, so that empty fields would vanish.
    IFS='|' read -r scenario what value against ratio target verdict <<<"${1//$'\t'/|}"
    printf '| %s %s | %s | %s | %s | %s | %s | %s |\n' "$scenario" "$(title_of "$scenario")" "$what" "$(shown "$value")" \
        "$(shown "$against")" "$(shown "$ratio")" "${target:--}" "$verdict"
}
