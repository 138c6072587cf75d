#!/usr/bin/env bash
# A real Postfix with Cyrus SASL. As client: TLS encrypted, verified and from the first octet, and AUTH by each mechanism it
# has. As next hop: it wants TLS and a password by SCRAM, PLAIN or LOGIN. A wrong password and a certificate of nobody it
# knows stop mail, and lose none.
# shellcheck source=common.sh
source "$(dirname "$0")/common.sh"

hop="$(free_port)" postfix_port="$(free_port)" client_port="$(free_port)"
write_settings "$hop"
submission="$(free_port)" submissions="$(free_port)"
pf="$scratch/postfix"
mkdir -p "$pf/etc" "$pf/queue" "$pf/lib" "$pf/mail" "$pf/etc/sasl"
chmod 755 "$scratch" "$pf"
chown postfix "$pf/lib"
chown "$(id -u nobody):$(id -g nobody)" "$pf/mail"
certificate() { # NAME
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$1.contoso.example" \
        -addext "subjectAltName=DNS:$1.contoso.example,IP:127.0.0.1" -keyout "$scratch/$1.key" -out "$scratch/$1.pem" 2> /dev/null
}
certificate muster
certificate postfix
certificate stranger
key="$(openssl x509 -in "$scratch/postfix.pem" -pubkey -noout | openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | base64)"

# What Postfix's server asks of us.
cat > "$pf/etc/sasl/smtpd.conf" <<CF
pwcheck_method: auxprop
auxprop_plugin: sasldb
sasldb_path: $pf/etc/sasl/users
mech_list: SCRAM-SHA-256 PLAIN LOGIN CRAM-MD5
CF
printf 's3cret' | saslpasswd2 -p -c -f "$pf/etc/sasl/users" -u postfix.contoso.example muster
chown postfix "$pf/etc/sasl/users"

# What Postfix's client does, by recipient.
through() { printf '{p%s@contoso.example=%s:[127.0.0.1]:%s} ' "$1" "$2" "$3"; }
client() { printf '%s unix - - n - - smtp -o smtp_tls_CAfile=%s/muster.pem' "$1" "$scratch"; shift; printf ' -o %s' "$@"; printf '\n'; }
with_auth() { # NAME PASSWORD OPTIONS...
    local name="$1" password="$2"
    shift 2
    client "$name" smtp_sasl_auth_enable=yes smtp_tls_security_level=encrypt smtp_sasl_security_options=noanonymous \
        "smtp_sasl_password_maps=inline:{{[127.0.0.1]:$submission=p1@contoso.example:$password},{[127.0.0.1]:$submissions=p1@contoso.example:$password}}" "$@"
}
cat > "$pf/etc/main.cf" <<CF
compatibility_level = 3.6
queue_directory = $pf/queue
data_directory = $pf/lib
mail_owner = postfix
setgid_group = postdrop
myhostname = postfix.contoso.example
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
alias_database =
virtual_mailbox_domains = scram.example plain.example login.example any.example wrong.example
virtual_mailbox_base = $pf/mail
virtual_mailbox_maps = static:all/
virtual_uid_maps = static:$(id -u nobody)
virtual_gid_maps = static:$(id -g nobody)
maillog_file = $pf/mail.log
maillog_file_prefixes = $scratch
default_transport = discard
transport_maps = inline:{ $(through 10 encrypted "$inbound") $(through 11 verified "$inbound") $(through 12 stranger "$inbound") \
    $(through 13 plain "$submission") $(through 14 login "$submission") $(through 15 scram "$submission") \
    $(through 16 wrapped "$submissions") $(through 17 wrong "$submission") $(through 18 clear "$submission") }
smtpd_tls_cert_file = $scratch/postfix.pem
smtpd_tls_key_file = $scratch/postfix.key
smtpd_tls_loglevel = 1
smtp_tls_loglevel = 1
CF
{
    cat <<CF
127.0.0.1:$postfix_port inet n - n - - smtpd -o smtpd_tls_security_level=encrypt -o smtpd_tls_auth_only=yes -o smtpd_sasl_auth_enable=yes -o smtpd_sasl_local_domain=postfix.contoso.example -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
127.0.0.1:$client_port inet n - n - - smtpd
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
    client encrypted smtp_tls_security_level=encrypt
    client verified smtp_tls_security_level=secure smtp_tls_secure_cert_match=muster.contoso.example smtp_tls_mandatory_protocols='>=TLSv1.3'
    client stranger smtp_tls_security_level=secure smtp_tls_secure_cert_match=muster.contoso.example "smtp_tls_CAfile=$scratch/stranger.pem"
    with_auth plain tea-pot smtp_sasl_mechanism_filter=plain
    with_auth login tea-pot smtp_sasl_mechanism_filter=login
    with_auth scram tea-pot smtp_sasl_mechanism_filter=scram-sha-256
    with_auth wrapped tea-pot smtp_tls_wrappermode=yes
    with_auth wrong coffee
    client clear smtp_tls_security_level=none
} > "$pf/etc/master.cf"
cat > "$scratch/stop-postfix" <<STOP
#!/bin/sh
postfix -c "$pf/etc" stop > /dev/null 2>&1
STOP
chmod +x "$scratch/stop-postfix"
postfix_stop="$scratch/stop-postfix"
postfix -c "$pf/etc" start > "$scratch/postfix-start.log" 2>&1
until_true "Postfix to listen" port_open "$postfix_port"
smtp-sink -u "$(id -un)" "127.0.0.1:$hop" 200 > "$scratch/sink.log" 2>&1 &
pids+=($!)
until_true "smtp-sink to listen" port_open "$hop"

umask 077
printf 's3cret\n' > "$scratch/password"
printf 'guess\n' > "$scratch/guess"
printf 'tea-pot\n' | "$muster" password p1@contoso.example > "$scratch/accounts"
{
    printf '\n[[certificates]]\ncertificate_file = "muster.pem"\nkey_file = "muster.key"\n'
    printf '\n[accounts]\npassword_file = "accounts"\n'
    printf '\n[[listeners]]\nname = "submission"\naddress = "127.0.0.1:%s"\nrole = "submission"\n' "$submission"
    printf '\n[[listeners]]\nname = "submissions"\naddress = "127.0.0.1:%s"\nrole = "submission"\ntls = "implicit"\n' "$submissions"
    for name in scram:scram-sha-256:password plain:plain:password login:login:password any:any:password wrong:any:guess; do
        IFS=: read -r name mechanism file <<< "$name"
        printf '\n[[routing.domains]]\ndomain = "%s.example"\nnext_hop = "%s"\n' "$name" "$name"
        printf '\n[[next_hops]]\nname = "%s"\nhosts = ["127.0.0.1:%s"]\ntls = "verified"\ntls_keys = ["%s"]\n' "$name" "$postfix_port" "$key"
        printf 'auth = { user = "muster@postfix.contoso.example", mechanism = "%s", password_file = "%s" }\n' "$mechanism" "$file"
    done
} >> "$scratch/muster.toml"
start_muster

give() { # PORT RECIPIENT
    swaks --silent 2 --server "127.0.0.1:$1" --from p1@contoso.example --to "$2" > "$scratch/swaks.log" 2>&1
}
logged() { grep -Eq "$1" "$pf/mail.log"; }

# As client. The inbound listener refuses p1 as a sender without a proof, so what comes there comes from outside.
for n in 10 11 12; do
    swaks --silent 2 --server "127.0.0.1:$client_port" --from x@outside.example --to "p$n@contoso.example" > "$scratch/swaks.log" 2>&1
done
for n in 13 14 15 16 17 18; do give "$client_port" "p$n@contoso.example"; done
for n in 10 11 13 14 15 16; do
    until_true "Postfix to have sent to p$n" logged "to=<p$n@contoso.example>.*status=sent \(250 "
done
until_true "a certificate that Postfix does not believe" logged 'to=<p12@contoso.example>.*status=deferred \(Server certificate not (trusted|verified)'
until_true "a wrong password to be refused" logged 'to=<p17@contoso.example>.*status=deferred \(SASL authentication failed.*535 5\.7\.8'
until_true "no mail without TLS" logged 'to=<p18@contoso.example>.*530 5\.7\.0'
grep -q "Verified TLS connection established to 127.0.0.1\[127.0.0.1\]:$inbound: TLSv1.3" "$pf/mail.log"
events() { "$muster" --config "$scratch/muster.toml" trace --to "$1" --json; }
for n in 13 14 15 16; do
    events "p$n@contoso.example" | grep -q 'internal, proven by login p1@contoso.example' || { echo "p$n was not sent by an account"; exit 1; }
done

# As next hop.
for name in scram plain login any wrong; do give "$relay" "a@$name.example"; done
arrived() { logged "client=.*sasl_method=$1, sasl_username=muster@postfix.contoso.example"; }
for mechanism in SCRAM-SHA-256 PLAIN LOGIN; do until_true "AUTH $mechanism at Postfix" arrived "$mechanism"; done
delivered() { [ "$(find "$pf/mail/all/new" -type f 2>/dev/null | wc -l)" = 4 ]; }
until_true "four copies in Postfix's Maildir" delivered
waits() { events a@wrong.example | grep -q '"sign-in-refused"'; }
until_true "mail that waits for the right password" waits
echo "Postfix with SASL: as client over TLS by PLAIN, LOGIN and SCRAM, verified and from the first octet; as next hop by SCRAM, PLAIN and LOGIN"
