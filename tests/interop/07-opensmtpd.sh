#!/usr/bin/env bash
# A real OpenSMTPD both ways: as next hop, as client that submits to us over TLS it verifies with AUTH, and as an MX that
# sends to us. This one offers STARTTLS and cannot do it (its keys live in a process of their own, which OpenSSL 3 passes
# by): opportunistic TLS goes on without, required TLS waits. Its package and Postfix's exclude each other and its paths and users are
# compiled in, so it is only unpacked and sees its own users and folders: those of a mount namespace that ends with it.
# shellcheck source=common.sh
source "$(dirname "$0")/common.sh"

root="${OPENSMTPD:-}"
if [ -z "$root" ]; then
    mkdir -p "$scratch/debs" "$scratch/unpacked"
    chmod 777 "$scratch/debs"
    ( cd "$scratch/debs" && apt-get download -q opensmtpd libevent-2.1-7 > "$scratch/download.log" 2>&1 )
    for package in "$scratch"/debs/*.deb; do dpkg -x "$package" "$scratch/unpacked"; done
    root="$scratch/unpacked"
fi

hop="$(free_port)" plain="$(free_port)" mta="$(free_port)"
write_settings "$hop"
submission="$(free_port)"
os="$scratch/opensmtpd"
mkdir -p "$os/mail"
chmod 755 "$scratch" "$os"
chown nobody "$os/mail"
certificate() { # NAME
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$1.contoso.example" \
        -addext "subjectAltName=DNS:$1.contoso.example,IP:127.0.0.1" -keyout "$scratch/$1.key" -out "$scratch/$1.pem" 2> /dev/null
    chmod 600 "$scratch/$1.key"
}
certificate muster
certificate opensmtpd
printf 'submit\tp1@contoso.example:tea-pot\nwrong\tp1@contoso.example:coffee\n' > "$os/secrets"
cat > "$os/smtpd.conf" <<CF
pki here cert "$scratch/opensmtpd.pem"
pki here key "$scratch/opensmtpd.key"
table secrets file:$os/secrets
listen on 127.0.0.1 port $hop hostname opensmtpd.contoso.example tag hop tls pki here
listen on 127.0.0.1 port $plain hostname opensmtpd.contoso.example tag client
listen on 127.0.0.1 port $mta hostname opensmtpd.contoso.example tag exchanger
action "kept" maildir "$os/mail" virtual { "@contoso.example" = nobody }
action "submitted" relay host smtp+tls://submit@127.0.0.1:$submission auth <secrets>
action "wrong" relay host smtp+tls://wrong@127.0.0.1:$submission auth <secrets>
action "sent" relay host smtp://127.0.0.1:$inbound
match tag hop from any for domain "contoso.example" action "kept"
match tag client from any mail-from "p2@contoso.example" for any action "wrong"
match tag client from any for any action "submitted"
match tag exchanger from any for any action "sent"
CF
cp /etc/passwd /etc/group "$os/"
printf 'opensmtpd:x:64101:64101::/var/lib/opensmtpd/empty:/usr/sbin/nologin\nopensmtpq:x:64102:64102::/var/lib/opensmtpd/empty:/usr/sbin/nologin\n' >> "$os/passwd"
printf 'opensmtpd:x:64101:\nopensmtpq:x:64102:\n' >> "$os/group"
cat > "$os/run" <<'RUN'
set -e
os="$1" root="$2" authority="$3"
mount --bind "$os/passwd" /etc/passwd
mount --bind "$os/group" /etc/group
mount --bind "$authority" /etc/ssl/certs/ca-certificates.crt
mount -t tmpfs -o mode=755 none /run
mount -t tmpfs -o mode=755 none /var/spool
mount -t tmpfs -o mode=755 none /var/lib
mount --bind "$root/usr/libexec" /usr/libexec 2> /dev/null || { mkdir -p /usr/libexec; mount --bind "$root/usr/libexec" /usr/libexec; }
mkdir -m 711 /var/spool/smtpd
mkdir -p /var/lib/opensmtpd/empty
printf 'opensmtpd.contoso.example\n' > "$os/mailname"
LD_LIBRARY_PATH="$(echo "$root"/usr/lib/*-linux-gnu)" exec "$root/usr/sbin/smtpd" -d -f "$os/smtpd.conf"
RUN
unshare --mount sh "$os/run" "$os" "$root" "$scratch/muster.pem" > "$scratch/opensmtpd.log" 2>&1 &
pids+=("$!")
until_true "OpenSMTPD to listen" port_open "$hop"

umask 077
printf 'tea-pot\n' | "$muster" password p1@contoso.example > "$scratch/accounts"
cat >> "$scratch/muster.toml" <<TOML
[[certificates]]
certificate_file = "muster.pem"
key_file = "muster.key"

[accounts]
password_file = "accounts"

[[listeners]]
name = "submission"
address = "127.0.0.1:$submission"
role = "submission"

[[routing.domains]]
domain = "strict.example"
next_hop = "strict"

[[next_hops]]
name = "strict"
hosts = ["127.0.0.1:$hop"]
tls = "required"
TOML
start_muster

# As next hop, with TLS where it can be had: every copy in one folder.
smtp-source -s 4 -m 4 -l 2000 -f x@outside.example -t fifty@contoso.example "127.0.0.1:$inbound"
delivered() { [ "$(find "$os/mail/new" -type f 2>/dev/null | wc -l)" = "$1" ]; }
until_true "200 copies in OpenSMTPD's Maildir" delivered 200
swaks --silent 2 --server "127.0.0.1:$relay" --from p1@contoso.example --to a@strict.example > "$scratch/swaks.log" 2>&1
waits() { "$muster" --config "$scratch/muster.toml" trace --to a@strict.example --json | grep -q '"tls-'; }
until_true "mail that does not go without TLS" waits

# As client: what it is given goes to our submission listener, over TLS whose authority it knows, with AUTH.
swaks --silent 2 --server "127.0.0.1:$plain" --from p1@contoso.example --to three@contoso.example \
    --header 'Subject: by OpenSMTPD' > "$scratch/swaks.log" 2>&1
until_true "three more copies" delivered 203

# As client with a wrong password: nothing is taken.
swaks --silent 2 --server "127.0.0.1:$plain" --from p2@contoso.example --to three@contoso.example > "$scratch/swaks.log" 2>&1
refused_there() { grep -Eq 'AUTH.*535|535 5\.7\.8' "$scratch/opensmtpd.log"; }
until_true "OpenSMTPD to hear 535" refused_there

# As another MX: opportunistic STARTTLS, a list of recipients, one of them unknown to us.
swaks --silent 2 --server "127.0.0.1:$mta" --from x@outside.example --to three@contoso.example,fifty@contoso.example,nobody@contoso.example \
    > "$scratch/swaks.log" 2>&1
until_true "fifty more copies: whoever is in both groups gets one" delivered 253
until_true "OpenSMTPD to hear 550" grep -q 'result="PermFail".*550 5\.1\.' "$scratch/opensmtpd.log"
echo "OpenSMTPD: as next hop 200 copies, and none where TLS is required and fails; as client submission over TLS with AUTH, and as an MX"
