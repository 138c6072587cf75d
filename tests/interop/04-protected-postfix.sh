#!/usr/bin/env bash
# A real Postfix as next hop: TLS required, TLS verified, and DANE from a signed zone on loopback.
# shellcheck source=common.sh
source "$(dirname "$0")/common.sh"

postfix_port="$(free_port)"
write_settings "$postfix_port"
pf="$scratch/postfix"
mkdir -p "$pf/etc" "$pf/queue" "$pf/lib" "$pf/mail"
chmod 755 "$scratch" "$pf"
chown postfix "$pf/lib"
chown "$(id -u nobody):$(id -g nobody)" "$pf/mail"

# An authority, and a certificate of it for the host.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=authority of a test" \
    -keyout "$scratch/ca.key" -out "$scratch/ca.pem" 2> /dev/null
openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=mx.signed.example" \
    -keyout "$scratch/mx.key" -out "$scratch/mx.csr" 2> /dev/null
printf 'subjectAltName=DNS:mx.signed.example,DNS:host.aliased.example,IP:127.0.0.1\n' > "$scratch/names"
openssl x509 -req -in "$scratch/mx.csr" -CA "$scratch/ca.pem" -CAkey "$scratch/ca.key" -CAcreateserial -days 2 \
    -extfile "$scratch/names" -out "$scratch/mx.pem" 2> /dev/null
cat "$scratch/mx.pem" "$scratch/ca.pem" > "$scratch/chain.pem"

cat > "$pf/etc/main.cf" <<CF
compatibility_level = 3.6
queue_directory = $pf/queue
data_directory = $pf/lib
mail_owner = postfix
setgid_group = postdrop
myhostname = postfix.contoso.example
mydestination =
mynetworks =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
alias_database =
virtual_mailbox_domains = contoso.example signed.example aliased.example lying.example tampered.example verified.example
virtual_mailbox_base = $pf/mail
virtual_mailbox_maps = static:all/
virtual_uid_maps = static:$(id -u nobody)
virtual_gid_maps = static:$(id -g nobody)
maillog_file = $pf/mail.log
maillog_file_prefixes = $scratch
default_transport = discard
smtpd_tls_cert_file = $scratch/chain.pem
smtpd_tls_key_file = $scratch/mx.key
smtpd_tls_security_level = encrypt
smtpd_tls_received_header = yes
smtpd_tls_loglevel = 1
CF
cat > "$pf/etc/master.cf" <<CF
127.0.0.1:$postfix_port inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
virtual unix - n n - - virtual
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
CF
cat > "$scratch/stop-postfix" <<STOP
#!/bin/sh
postfix -c "$pf/etc" stop > /dev/null 2>&1
STOP
chmod +x "$scratch/stop-postfix"
postfix_stop="$scratch/stop-postfix"
postfix -c "$pf/etc" start > "$scratch/postfix-start.log" 2>&1
until_true "Postfix to listen" port_open "$postfix_port"

# A signed zone. In lying.example the TLSA record names another key.
zone_port="$(free_port)" resolver_port="$(free_port)"
key_hash() { openssl x509 -in "$1" -pubkey -noout | openssl pkey -pubin -outform der | sha256sum | cut -d' ' -f1; }
zone() { # NAME TLSA [RECORDS OF mx] [OWNER OF TLSA]
    cat > "$scratch/$1.zone" <<ZONE
\$ORIGIN $1.
\$TTL 60
@ SOA ns.$1. hostmaster.$1. 1 3600 600 86400 60
@ NS ns.$1.
ns A 127.0.0.1
@ MX 10 mx.$1.
${3:-mx A 127.0.0.1}
_$postfix_port._tcp.${4:-mx} TLSA $2
ZONE
    ( cd "$scratch"
      local key
      key="$(ldns-keygen -k -a ECDSAP256SHA256 "$1")"
      ldns-signzone -n "$1.zone" "$key"
      sed 's/;.*//' "$key.key" >> anchors )
}
zone signed.example "3 1 1 $(key_hash "$scratch/mx.pem")"
zone tampered.example "3 1 1 $(key_hash "$scratch/mx.pem")"
# Somebody on the way puts another key in: the signature over the record fits no more.
sed -i -E '/IN[[:space:]]+TLSA/ s/(TLSA[[:space:]]+3 1 1 ).*/\1'"$(printf other | sha256sum | cut -d' ' -f1)"'/' "$scratch/tampered.example.zone.signed"
# Its exchanger is an alias; the record stands where the alias leads, and names the authority, so that the name counts.
zone aliased.example "2 1 1 $(key_hash "$scratch/ca.pem")" "mx CNAME host
host A 127.0.0.1" host
zone lying.example "3 1 1 $(printf other | sha256sum | cut -d' ' -f1)"
cat > "$scratch/nsd.conf" <<CF
server:
  ip-address: 127.0.0.1@$zone_port
  username: ""
  chroot: ""
  zonesdir: "$scratch"
  database: ""
  pidfile: "$scratch/nsd.pid"
  xfrdfile: "$scratch/xfrd.state"
  zonelistfile: "$scratch/zone.list"
  logfile: "$scratch/nsd.log"
remote-control:
  control-enable: no
zone:
  name: signed.example
  zonefile: signed.example.zone.signed
zone:
  name: aliased.example
  zonefile: aliased.example.zone.signed
zone:
  name: lying.example
  zonefile: lying.example.zone.signed
zone:
  name: tampered.example
  zonefile: tampered.example.zone.signed
CF
nsd -d -c "$scratch/nsd.conf" > "$scratch/nsd-out.log" 2>&1 &
pids+=("$!")
cat > "$scratch/unbound.conf" <<CF
server:
  interface: 127.0.0.1@$resolver_port
  username: ""
  chroot: ""
  directory: "$scratch"
  pidfile: ""
  use-syslog: no
  logfile: "$scratch/unbound.log"
  do-not-query-localhost: no
  do-ip6: no
  local-zone: "example." nodefault
  trust-anchor-file: "$scratch/anchors"
  module-config: "validator iterator"
remote-control:
  control-enable: no
stub-zone:
  name: signed.example
  stub-addr: 127.0.0.1@$zone_port
stub-zone:
  name: tampered.example
  stub-addr: 127.0.0.1@$zone_port
stub-zone:
  name: aliased.example
  stub-addr: 127.0.0.1@$zone_port
stub-zone:
  name: lying.example
  stub-addr: 127.0.0.1@$zone_port
CF
unbound -d -c "$scratch/unbound.conf" > "$scratch/unbound-out.log" 2>&1 &
pids+=("$!")
until_true "the zone to be served" port_open "$zone_port"
until_true "the resolver to answer" port_open "$resolver_port"

cat >> "$scratch/muster.toml" <<TOML
[[routing.domains]]
domain = "signed.example"
next_hop = "internet"

[[routing.domains]]
domain = "aliased.example"
next_hop = "internet"

[[routing.domains]]
domain = "lying.example"
next_hop = "internet"

[[routing.domains]]
domain = "tampered.example"
next_hop = "internet"

[[routing.domains]]
domain = "verified.example"
next_hop = "verified"

[[routing.domains]]
domain = "stranger.example"
next_hop = "stranger"

[[next_hops]]
name = "internet"
mx = true
port = $postfix_port

[[next_hops]]
name = "verified"
hosts = ["127.0.0.1:$postfix_port"]
tls = "verified"
tls_ca_file = "ca.pem"
tls_names = ["mx.signed.example"]

[[next_hops]]
name = "stranger"
hosts = ["127.0.0.1:$postfix_port"]
tls = "verified"

[dns]
servers = ["127.0.0.1:$resolver_port"]
dnssec = true
trust_anchor_file = "anchors"
TOML
sed -i 's|^name = "hop"$|&\ntls = "required"|' "$scratch/muster.toml"
start_muster

send() { # RECIPIENT
    swaks --silent 2 --server "127.0.0.1:$relay" --from p1@contoso.example --to "$1" \
        --header "Subject: to $1" > "$scratch/swaks.log" 2>&1
}
sent_with() { # RECIPIENT WORDS: the SEND event has the words
    "$muster" --config "$scratch/muster.toml" trace --to "$1" --json | grep -q "\"protection\":.*$2"
}
waits_for() { # RECIPIENT REASON
    "$muster" --config "$scratch/muster.toml" trace --to "$1" --json | grep -q "\"$2\""
}

send three@contoso.example
until_true "a copy over required TLS" sent_with p0@contoso.example unverified
send a@signed.example
until_true "a copy by DANE" sent_with a@signed.example "DANE"
send a@aliased.example
until_true "a copy by DANE behind an alias" sent_with a@aliased.example "DANE"
send a@lying.example
until_true "mail that DANE holds back" waits_for a@lying.example tls-unverified
send a@tampered.example
until_true "mail whose TLSA record was changed on the way" waits_for a@tampered.example DEFER
if sent_with a@tampered.example ""; then echo "mail went on although its TLSA record is not to be trusted"; exit 1; fi
send a@stranger.example
until_true "mail for a host whose authority nobody knows" waits_for a@stranger.example tls-unverified
send a@verified.example
until_true "a copy for a host that is whom we want" sent_with a@verified.example " verified"
grep -q 'TLSv1.3' "$pf/mail.log"
echo "Postfix as next hop: TLS required and verified, DANE kept, behind an alias too, and held back"
