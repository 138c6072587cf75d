#!/usr/bin/env bash
# Real filters: rspamd over HTTP, rspamd's proxy and OpenDKIM as milters; and one that is down.
# shellcheck source=common.sh
source "$(dirname "$0")/common.sh"

write_settings 1
sed -i 's/^hosts = .*/drop_directory = "drop"/' "$scratch/muster.toml"
chmod 755 "$scratch"

rspamd_port="$(free_port)" proxy_port="$(free_port)" sign_port="$(free_port)" verify_port="$(free_port)"
mkdir "$scratch/rspamd" "$scratch/dkim"
cat > "$scratch/rspamd.conf" <<CONF
options {
    tempdir = "$scratch/rspamd"; dbdir = "$scratch/rspamd"; rundir = "$scratch/rspamd";
    url_tld = "/usr/share/rspamd/effective_tld_names.dat";
    dns { nameserver = "127.0.0.1:1"; timeout = 0.1s; retransmits = 1; }
    enable_test_patterns = true;
    filters = "";
}
logging { type = "file"; filename = "$scratch/rspamd/rspamd.log"; level = "info"; }
actions { reject = 15; add_header = 6; rewrite_subject = 10; }
worker "normal" { bind_socket = "127.0.0.1:$rspamd_port"; count = 1; }
worker "rspamd_proxy" {
    bind_socket = "127.0.0.1:$proxy_port"; count = 1; milter = yes; timeout = 20s; spam_header = "X-Spam";
    upstream "local" { default = yes; hosts = "127.0.0.1:$rspamd_port"; }
}
CONF
chown -R _rspamd:_rspamd "$scratch/rspamd"
rspamd -f -u _rspamd -g _rspamd -c "$scratch/rspamd.conf" > "$scratch/rspamd-start.log" 2>&1 &
pids+=($!)

opendkim-genkey -b 2048 -d contoso.example -s s1 -D "$scratch/dkim"
public="$(tr -d '\n' < "$scratch/dkim/s1.txt" | grep -o '"[^"]*"' | tr -d '"\n')"
printf 's1._domainkey.contoso.example %s\n' "$public" > "$scratch/dkim/keys"
printf '127.0.0.1\n' > "$scratch/dkim/internal"
printf '192.0.2.1\n' > "$scratch/dkim/nobody"
chown -R opendkim:opendkim "$scratch/dkim"
signer="Canonicalization relaxed/simple
Syslog no
UserID opendkim
Background no
RequireSafeKeys no
TestDNSData $scratch/dkim/keys
AuthservID filter.contoso.example"
printf '%s\nMode s\nDomain contoso.example\nSelector s1\nKeyFile %s\nInternalHosts %s\nSocket inet:%s@127.0.0.1\nPidFile %s\n' \
    "$signer" "$scratch/dkim/s1.private" "$scratch/dkim/internal" "$sign_port" "$scratch/dkim/sign.pid" > "$scratch/sign.conf"
printf '%s\nMode v\nInternalHosts %s\nSocket inet:%s@127.0.0.1\nPidFile %s\n' \
    "$signer" "$scratch/dkim/nobody" "$verify_port" "$scratch/dkim/verify.pid" > "$scratch/verify.conf"
for mode in sign verify; do
    opendkim -f -x "$scratch/$mode.conf" > "$scratch/opendkim-$mode.log" 2>&1 &
    pids+=($!)
done
for port in "$rspamd_port" "$proxy_port" "$sign_port" "$verify_port"; do
    until_true "the filter on $port" port_open "$port"
done

down="$(free_port)" direct="$(free_port)" broken="$(free_port)" lenient="$(free_port)"
for extra in "direct $direct" "broken $broken" "lenient $lenient"; do
    # shellcheck disable=SC2086
    set -- $extra
    printf '\n[[listeners]]\nname = "%s"\naddress = "127.0.0.1:%s"\nrole = "inbound"\n' "$1" "$2" >> "$scratch/muster.toml"
done
filter() { printf '\n[[filters]]\nname = "%s"\nkind = "%s"\naddress = "127.0.0.1:%s"\nlisteners = "%s"\n%s\n' "$@" >> "$scratch/muster.toml"; }
filter rspamd-proxy milter "$proxy_port" inbound ''
filter opendkim-verify milter "$verify_port" inbound ''
filter rspamd rspamd "$rspamd_port" direct ''
filter opendkim-sign milter "$sign_port" relay ''
filter down milter "$down" broken ''
filter down-lenient rspamd "$down" lenient 'on_failure = "accept"'
"$muster" check --config "$scratch/muster.toml" > "$scratch/check.log" || { cat "$scratch/check.log"; exit 1; }
start_muster

GTUBE='XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X'
MARKED='YJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X'
send() { # PORT FROM TO SUBJECT BODY
    swaks --silent 2 --server "127.0.0.1:$1" --from "$2" --to "$3" --header "Subject: $4" --body "$5" > "$scratch/swaks.log" 2>&1
}
copy() { grep -rlE "^Subject: $1" "$scratch/data/drop" --include='*.eml' 2>/dev/null | head -n 1; }
arrived() { [ -n "$(copy "$1")" ]; }
has() { # SUBJECT PATTERN
    until_true "a copy of $1" arrived "$1"
    grep -qE "$2" "$(copy "$1")" || { echo "$1 lacks $2"; head -n 30 "$(copy "$1")"; exit 1; }
}
refused() { # CODE, after a send that failed
    grep -qE "<\*\* .*$1" "$scratch/swaks.log" || { echo "expected $1"; tail -n 5 "$scratch/swaks.log"; exit 1; }
}

for port in "$inbound" "$direct"; do
    send "$port" x@outside.example p1@contoso.example "ham-$port" hello
    has "ham-$port" '^hello'
    if send "$port" x@outside.example p1@contoso.example spam "$GTUBE"; then echo "spam was taken"; exit 1; fi
    refused '55[04] 5\.7\.1'
    send "$port" x@outside.example p1@contoso.example "marked-$port" "$MARKED"
    has "marked-$port" '^X-Spam: Yes'
done
arrived spam && { echo "spam was delivered"; exit 1; }

# OpenDKIM signs what colleagues send; another one finds the signature good when it comes in again.
send "$relay" p1@contoso.example p2@contoso.example signed 'signed body'
has signed '^DKIM-Signature: .*'
has signed 'd=contoso\.example'
swaks --silent 2 --server "127.0.0.1:$inbound" --from x@outside.example --to p3@contoso.example \
    --data "@$(copy signed)" > "$scratch/swaks.log" 2>&1
verified() { grep -rlE 'dkim=pass' "$scratch/data/drop" --include='*.eml' > /dev/null; }
until_true "a good signature" verified

# A filter that is down: put off, or let through, as the settings say.
if send "$broken" x@outside.example p1@contoso.example put-off hello; then echo "taken without its filter"; exit 1; fi
refused '451 4\.7\.1'
send "$lenient" x@outside.example p1@contoso.example lenient hello
has lenient '^hello'
echo "rspamd (HTTP and milter) and OpenDKIM: refused, marked, signed, verified; a filter that is down is as set"
