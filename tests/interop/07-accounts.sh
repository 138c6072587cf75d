#!/usr/bin/env bash
# Accounts of a real OpenLDAP: whoever can bind with the password is the account, over STARTTLS.
# shellcheck source=common.sh
source "$(dirname "$0")/common.sh"

write_settings "$(free_port)"
submission="$(free_port)" ldap_port="$(free_port)"

# An authority, and a certificate of it for the server.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=authority of a test" \
    -keyout "$scratch/ca.key" -out "$scratch/ca.pem" 2> /dev/null
openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=ldap.contoso.example" \
    -keyout "$scratch/ldap.key" -out "$scratch/ldap.csr" 2> /dev/null
printf 'subjectAltName=DNS:ldap.contoso.example,IP:127.0.0.1\n' > "$scratch/names"
openssl x509 -req -in "$scratch/ldap.csr" -CA "$scratch/ca.pem" -CAkey "$scratch/ca.key" -CAcreateserial -days 2 \
    -extfile "$scratch/names" -out "$scratch/ldap.pem" 2> /dev/null

# It says yes to a bind without a password, as many servers do: that must never get there.
mkdir -p "$scratch/ldap"
cat > "$scratch/slapd.conf" <<CONF
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile $scratch/slapd.pid
TLSCertificateFile $scratch/ldap.pem
TLSCertificateKeyFile $scratch/ldap.key
allow bind_anon_cred bind_anon_dn
database mdb
suffix "dc=contoso,dc=example"
directory $scratch/ldap
rootdn "cn=muster,dc=contoso,dc=example"
rootpw reads
access to attrs=userPassword by anonymous auth by * none
access to * by self read by * none
CONF
cat > "$scratch/entries.ldif" <<LDIF
dn: dc=contoso,dc=example
objectClass: dcObject
objectClass: organization
o: Contoso
dc: contoso

dn: ou=people,dc=contoso,dc=example
objectClass: organizationalUnit
ou: people

dn: uid=p1,ou=people,dc=contoso,dc=example
objectClass: inetOrgPerson
uid: p1
cn: P1
sn: One
mail: p1@contoso.example
userPassword: {SSHA}$(printf 'correct horsesalt' | openssl dgst -sha1 -binary | { cat; printf salt; } | openssl base64)
LDIF
slapadd -q -f "$scratch/slapd.conf" -l "$scratch/entries.ldif" 2> "$scratch/slapadd.log"
start_slapd() {
    slapd -f "$scratch/slapd.conf" -h "ldap://127.0.0.1:$ldap_port" -d 0 > "$scratch/slapd.log" 2>&1 &
    slapd_pid=$!
    pids+=("$slapd_pid")
    until_true "slapd to listen" port_open "$ldap_port"
}
stop_slapd() {
    kill "$slapd_pid"
    wait "$slapd_pid" || true
}

settings() { # HOW ACCOUNTS ARE FOUND
    cat > "$scratch/accounts.toml" <<TOML

[[listeners]]
name = "submission"
address = "127.0.0.1:$submission"
role = "submission"
auth = "required"
auth_in_plaintext = true

[accounts.ldap]
url = "ldap://127.0.0.1:$ldap_port"
authorities_file = "ca.pem"
$1
TOML
    cat "$scratch/plain.toml" "$scratch/accounts.toml" > "$scratch/muster.toml"
}

# auth NAME PASSWORD: the reply to AUTH PLAIN in a session of its own.
auth() {
    local line reply
    exec 4<> "/dev/tcp/127.0.0.1/$submission"
    read -r -t 20 line <&4
    printf 'EHLO client.example\r\n' >&4
    while read -r -t 20 line <&4 && [ "${line:3:1}" = "-" ]; do :; done
    printf 'AUTH PLAIN %s\r\n' "$(printf '\0%s\0%s' "$1" "$2" | openssl base64 -A)" >&4
    read -r -t 20 reply <&4
    printf 'QUIT\r\n' >&4
    exec 4>&-
    echo "${reply%$'\r'}"
}

# says NAME PASSWORD REPLY: the reply begins so.
says() {
    local reply
    reply="$(auth "$1" "$2")"
    case "$reply" in
        "$3"*) ;;
        *) echo "$1 with '$2': $reply, not $3"; return 1 ;;
    esac
}

sed "s/^role = \"relay\"/&\nauth = \"off\"/" "$scratch/muster.toml" > "$scratch/plain.toml"
printf 'reads\n' > "$scratch/reader"
chmod 600 "$scratch/reader"
for found in \
    'user_dn = "uid={name},ou=people,dc=contoso,dc=example"' \
    'search_base = "ou=people,dc=contoso,dc=example"
search_filter = "(uid={name})"
bind_dn = "cn=muster,dc=contoso,dc=example"
bind_password_file = "reader"'; do
    settings "$found"
    start_slapd
    start_muster
    until_true "the submission listener" port_open "$submission"
    says p1 "correct horse" "235 2.7.0"
    says p1 "wrong" "535 5.7.8"
    says nobody "correct horse" "535 5.7.8"
    # RFC 4616 §2: there is no empty password.
    says p1 "" "501 5.5.2"
    says "*" "correct horse" "535 5.7.8"
    says "p1,ou=people" "correct horse" "535 5.7.8"
    says 'p1)(uid=*' "correct horse" "535 5.7.8"
    # A server that is away refuses nobody.
    stop_slapd
    says p1 "correct horse" "454 4.7.0"
    says p1 "wrong" "454 4.7.0"
    start_slapd
    says p1 "correct horse" "235 2.7.0"
    stop_slapd
    kill "$muster_pid"
    wait "$muster_pid" || true
done
echo "OpenLDAP: right and wrong passwords, unknown accounts, no password, a server that is away"
