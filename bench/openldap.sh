# OpenLDAP for bench/directory: a private server of its own on loopback. Sourced, never run.

# write_openldap FOLDER PEOPLE GROUPS: schema, settings, entries and filters; fills the database.
write_openldap() {
    local folder=$1
    mkdir -p "$folder"
    "$rig/directory" peer "$folder" --people "$2" --groups "$3" >"$folder/peer.json"
    slapadd -q -f "$folder/slapd.conf" -l "$folder/entries.ldif" 2>"$folder/slapadd.log" || fail "slapadd: $(tail -3 "$folder/slapadd.log")"
}

# start_openldap FOLDER PORT
start_openldap() {
    slapd -f "$1/slapd.conf" -h "ldap://127.0.0.1:$2" -d 0 >"$1/slapd.log" 2>&1 &
    slapd_pid=$!
    started+=("$slapd_pid")
    wait_until 60 listening "$2" || fail "slapd does not listen: $(tail -3 "$1/slapd.log")"
}

# search_openldap FOLDER PORT CONNECTIONS: every filter, members by name; writes the counts and sets search_seconds.
# Each connection takes its share of the filters and stays open for all of them.
search_openldap() {
    local folder=$1 port=$2 connections=$3 part begun ended searches=()
    rm -f "$folder"/part.*
    split -n "l/$connections" "$folder/filters" "$folder/part."
    begun=$(date +%s%N)
    for part in "$folder"/part.??; do
        ldapsearch -x -H "ldap://127.0.0.1:$port" -b dc=bench -s one -o ldif-wrap=no -f "$part" \
            '(&(objectClass=benchRecipient)%s)' 1.1 >"$part.out" 2>"$part.err" &
        searches+=("$!")
    done
    wait "${searches[@]}" || fail "ldapsearch: $(cat "$folder"/part.*.err)"
    ended=$(date +%s%N)
    search_seconds=$(awk -v a="$begun" -v b="$ended" 'BEGIN { printf "%.3f", (b - a) / 1e9 }')
    # A search that finds nobody has no line numEntries; the others have it after numResponses.
    for part in "$folder"/part.??; do
        awk '/^# numResponses: /{ if (seen) print n; n = 0; seen = 1 } /^# numEntries: /{ n = $3 }
            END { if (seen) print n }' "$part.out"
    done >"$folder/counts"
}
