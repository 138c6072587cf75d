#!/usr/bin/env bash
# A real Exim as next hop: it wants TLS and a password, and takes content by BDAT. Exim's package and Postfix's exclude
# each other, so this one is only unpacked; its user is made if the system has none.
# shellcheck source=common.sh
source "$(dirname "$0")/common.sh"

exim="${EXIM:-}"
if [ -z "$exim" ]; then
    mkdir -p "$scratch/debs" "$scratch/unpacked"
    chmod 777 "$scratch/debs"
    ( cd "$scratch/debs" && apt-get download -q exim4-daemon-light libidn12 > "$scratch/download.log" 2>&1 )
    for package in "$scratch"/debs/*.deb; do dpkg -x "$package" "$scratch/unpacked"; done
    exim="$scratch/unpacked/usr/sbin/exim4"
fi
LD_LIBRARY_PATH="$(echo "$(dirname "$exim")"/../lib/*-linux-gnu)"
export LD_LIBRARY_PATH
id Debian-exim > /dev/null 2>&1 || useradd --system --no-create-home --shell /usr/sbin/nologin Debian-exim

exim_port="$(free_port)"
write_settings "$exim_port"
ex="$scratch/exim"
mkdir -p "$ex/spool" "$ex/log" "$ex/mail"
chmod 755 "$scratch" "$ex"
chown -R Debian-exim "$ex"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=exim.contoso.example" \
    -addext "subjectAltName=IP:127.0.0.1" -keyout "$ex/key.pem" -out "$ex/cert.pem" 2> /dev/null
chmod 644 "$ex/key.pem"
key="$(openssl x509 -in "$ex/cert.pem" -pubkey -noout | openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | base64)"
cat > "$ex/exim.conf" <<CF
exim_path = $exim
exim_user = Debian-exim
exim_group = $(id -gn Debian-exim)
spool_directory = $ex/spool
log_file_path = $ex/log/%s.log
log_selector = +tls_cipher +smtp_protocol_error +received_recipients
pid_file_path = $ex/exim.pid
primary_hostname = exim.contoso.example
local_interfaces = 127.0.0.1
daemon_smtp_ports = $exim_port
tls_advertise_hosts = *
tls_certificate = $ex/cert.pem
tls_privatekey = $ex/key.pem
acl_smtp_rcpt = rcpt
keep_environment =
begin acl
rcpt:
  accept authenticated = *
  deny message = who are you
begin routers
everybody:
  driver = accept
  transport = folder
begin transports
folder:
  driver = appendfile
  directory = $ex/mail
  maildir_format
  batch_max = 100
  user = Debian-exim
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = \${if and{{eq{\$auth2}{muster}}{eq{\$auth3}{s3cret}}}}
  server_set_id = \$auth2
  server_advertise_condition = \${if def:tls_in_cipher}
CF
chown root "$ex/exim.conf"
"$exim" -C "$ex/exim.conf" -bdf > "$scratch/exim-out.log" 2>&1 &
pids+=("$!")
until_true "Exim to listen" port_open "$exim_port"

printf 's3cret\n' > "$scratch/password"
printf 'wrong\n' > "$scratch/wrong"
chmod 600 "$scratch/password" "$scratch/wrong"
sed -i 's|^name = "hop"$|&\ntls = "verified"\ntls_keys = ["'"$key"'"]\nauth = { user = "muster", password_file = "password" }|' \
    "$scratch/muster.toml"
cat >> "$scratch/muster.toml" <<TOML
[[routing.domains]]
domain = "wrong.example"
next_hop = "wrong"

[[next_hops]]
name = "wrong"
hosts = ["127.0.0.1:$exim_port"]
tls = "verified"
tls_keys = ["$key"]
auth = { user = "muster", password_file = "wrong" }
TOML
start_muster

smtp-source -s 4 -m 20 -l 2000 -f x@outside.example -t fifty@contoso.example "127.0.0.1:$inbound"
# Each arrival: with our name, over TLS, by BDAT, for all fifty.
arrived() { [ "$(grep ' <= x@outside.example' "$ex/log/main.log" | grep 'X=TLS1.3' | grep 'A=plain:muster' | grep ' K ' | grep -c 'for p0@.* p49@')" = "$1" ]; }
until_true "20 messages at Exim" arrived 20

swaks --silent 2 --server "127.0.0.1:$relay" --from p1@contoso.example --to a@wrong.example > "$scratch/swaks.log" 2>&1
waits() { "$muster" --config "$scratch/muster.toml" trace --to a@wrong.example --json | grep -q '"sign-in-refused"'; }
until_true "mail that waits for the right password" waits
echo "Exim as next hop: 20 messages for 1,000 recipients over verified TLS, with AUTH and BDAT; a wrong password makes mail wait"
