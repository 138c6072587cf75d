#!/usr/bin/env bash
# Real clients with TLS and AUTH: swaks in every form, openssl s_client, Python's smtplib, gsasl for SCRAM, and Postfix's
# own client is in 04. What is accepted, what is refused.
# shellcheck source=common.sh
source "$(dirname "$0")/common.sh"

hop="$(free_port)"
write_settings "$hop"
submission="$(free_port)" submissions="$(free_port)"
openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=muster.contoso.example \
    -addext subjectAltName=DNS:muster.contoso.example -keyout "$scratch/mail.key" -out "$scratch/mail.pem" 2> /dev/null
# Another name at the same listeners, and a client whose certificate an authority of ours vouches for.
openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=lists.contoso.example \
    -addext subjectAltName=DNS:lists.contoso.example -keyout "$scratch/lists.key" -out "$scratch/lists.pem" 2> /dev/null
openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj "/CN=authority of a test" -keyout "$scratch/ca.key" \
    -out "$scratch/ca.pem" 2> /dev/null
openssl req -new -newkey rsa:2048 -nodes -subj /CN=connector.contoso.example -keyout "$scratch/client.key" \
    -out "$scratch/client.csr" 2> /dev/null
printf 'subjectAltName=DNS:connector.contoso.example\n' > "$scratch/names"
openssl x509 -req -in "$scratch/client.csr" -CA "$scratch/ca.pem" -CAkey "$scratch/ca.key" -CAcreateserial -days 2 \
    -extfile "$scratch/names" -out "$scratch/client.pem" 2> /dev/null
umask 077
printf 'tea pot\n' | "$muster" password p1@contoso.example > "$scratch/accounts"
printf 's3cret\n' | "$muster" password newsletter --send-as news@contoso.example >> "$scratch/accounts"
connector="$(free_port)"
{
    printf '\n[[certificates]]\ncertificate_file = "mail.pem"\nkey_file = "mail.key"\n'
    printf '\n[[certificates]]\ncertificate_file = "lists.pem"\nkey_file = "lists.key"\n'
    printf '\n[tls]\nclient_authorities_file = "ca.pem"\n'
    printf '\n[[listeners]]\nname = "connector"\naddress = "127.0.0.1:%s"\nrole = "relay"\n' "$connector"
    printf '\n[[trusted_networks]]\nname = "by-certificate"\ncertificate_names = ["connector.contoso.example"]\nlisteners = ["connector"]\n'
    printf '\n[accounts]\npassword_file = "accounts"\nfailures_max = 100\n'
    printf '\n[[listeners]]\nname = "submission"\naddress = "127.0.0.1:%s"\nrole = "submission"\n' "$submission"
    printf '\n[[listeners]]\nname = "submissions"\naddress = "127.0.0.1:%s"\nrole = "submission"\ntls = "implicit"\n' \
        "$submissions"
} >> "$scratch/muster.toml"
smtp-sink -u "$(id -un)" "127.0.0.1:$hop" 200 > "$scratch/sink.log" 2>&1 &
pids+=($!)
until_true "smtp-sink to listen" port_open "$hop"
start_muster

accepted=0 refused=0
accepts() {
    swaks --silent 3 "$@" > "$scratch/swaks.log" 2>&1 || { echo "refused: $*"; swaks "$@" | tail -n 12; exit 1; }
    accepted=$((accepted + 1))
}
refuses() {
    local code="$1"
    shift
    if swaks "$@" > "$scratch/swaks.log" 2>&1; then echo "accepted: $*"; exit 1; fi
    grep -Eq "<(\*\*|~\*|-\*) .*$code|$code" "$scratch/swaks.log" \
        || { echo "expected $code: $*"; tail -n 12 "$scratch/swaks.log"; exit 1; }
    refused=$((refused + 1))
}
lena=(--from p1@contoso.example --to three@contoso.example --auth-user p1@contoso.example --auth-password "tea pot")

accepts --server "127.0.0.1:$inbound" --from x@outside.example --to three@contoso.example --tls
accepts --server "127.0.0.1:$submission" "${lena[@]}" --tls --auth PLAIN
accepts --server "127.0.0.1:$submission" "${lena[@]}" --tls --auth LOGIN
accepts --server "127.0.0.1:$submissions" "${lena[@]}" --tls-on-connect --auth PLAIN
accepts --server "127.0.0.1:$submission" --tls --auth PLAIN --auth-user newsletter --auth-password s3cret \
    --from news@contoso.example --to someone@elsewhere.example
refuses 535 --server "127.0.0.1:$submission" --tls --auth PLAIN --auth-user p1@contoso.example \
    --auth-password coffee --from p1@contoso.example --to three@contoso.example
refuses 550 --server "127.0.0.1:$submission" "${lena[@]/--from/--from}" --tls --auth PLAIN --from p2@contoso.example
refuses 530 --server "127.0.0.1:$submission" --tls --from p1@contoso.example --to three@contoso.example
refuses "not advertise|538|AUTH" --server "127.0.0.1:$submission" "${lena[@]}" --auth PLAIN
accepts --server "127.0.0.1:$submission" "${lena[@]}" --tls --auth
accepts --server "127.0.0.1:$submissions" "${lena[@]}" --tls-on-connect --auth LOGIN
accepts --server "127.0.0.1:$submissions" "${lena[@]}" --tls-on-connect --auth ANY --pipeline
for mechanism in PLAIN LOGIN; do
    refuses 535 --server "127.0.0.1:$submissions" --tls-on-connect --auth "$mechanism" --auth-user p1@contoso.example \
        --auth-password coffee --from p1@contoso.example --to three@contoso.example
    refuses 535 --server "127.0.0.1:$submissions" --tls-on-connect --auth "$mechanism" --auth-user nobody@contoso.example \
        --auth-password "tea pot" --from nobody@contoso.example --to three@contoso.example
done
# Mechanisms that would have us keep passwords as they are, or send them to a domain controller, are not there.
for mechanism in CRAM-MD5 DIGEST-MD5 CRAM-SHA1 NTLM; do
    refuses "not advertise|Auth not attempted|requested type not available|not available" --server "127.0.0.1:$submission" "${lena[@]}" --tls --auth "$mechanism"
done

# Forms of TLS: by a name that the listener has, verified, of one version; where there may be none; of none that counts.
accepts --server "127.0.0.1:$inbound" --from x@outside.example --to three@contoso.example --tls-optional
accepts --server "127.0.0.1:$inbound" --from x@outside.example --to three@contoso.example --tls --tls-sni lists.contoso.example
for version in tlsv1_2 tlsv1_3; do
    accepts --server "127.0.0.1:$inbound" --from x@outside.example --to three@contoso.example --tls --tls-protocol "$version"
    accepts --server "127.0.0.1:$submissions" "${lena[@]}" --tls-on-connect --tls-protocol "$version" --auth PLAIN
done
for version in tlsv1 tlsv1_1; do
    refuses "TLS startup failed|TLS was required" --server "127.0.0.1:$inbound" --from x@outside.example --to three@contoso.example \
        --tls --tls-protocol "$version"
    refuses "TLS startup failed|Connection" --server "127.0.0.1:$submissions" "${lena[@]}" --tls-on-connect --tls-protocol "$version" --auth PLAIN
done
# A certificate of the client's own: it may relay with it, and may not without.
accepts --server "127.0.0.1:$connector" --from p1@contoso.example --to someone@elsewhere.example --tls \
    --tls-cert "$scratch/client.pem" --tls-key "$scratch/client.key"
refuses 550 --server "127.0.0.1:$connector" --from p1@contoso.example --to someone@elsewhere.example --tls
refuses "550|TLS startup failed" --server "127.0.0.1:$connector" --from p1@contoso.example --to someone@elsewhere.example --tls \
    --tls-cert "$scratch/mail.pem" --tls-key "$scratch/mail.key"

# openssl: TLS 1.2 and 1.3 are agreed on, 1.1 is not; the certificate is ours.
for version in tls1_2 tls1_3; do
    printf 'QUIT\r\n' | openssl s_client -connect "127.0.0.1:$inbound" -starttls smtp "-$version" -quiet \
        -verify_return_error -CAfile "$scratch/mail.pem" -verify_hostname muster.contoso.example \
        > "$scratch/openssl.log" 2>&1 || { cat "$scratch/openssl.log"; exit 1; }
    grep -q '^221 ' "$scratch/openssl.log" || { echo "$version"; cat "$scratch/openssl.log"; exit 1; }
done
# The certificate follows the name that is asked for; without a name, or with one we have not, it is the first.
for asked in muster.contoso.example:muster lists.contoso.example:lists other.example:muster :muster; do
    name=(-noservername)
    [ -z "${asked%:*}" ] || name=(-servername "${asked%:*}")
    shown="$(printf 'QUIT\r\n' | openssl s_client -connect "127.0.0.1:$inbound" -starttls smtp "${name[@]}" 2> /dev/null \
        | openssl x509 -noout -subject)"
    [ "$shown" = "subject=CN = ${asked#*:}.contoso.example" ] || { echo "$asked: $shown"; exit 1; }
done
if printf 'QUIT\r\n' | openssl s_client -connect "127.0.0.1:$inbound" -starttls smtp -tls1_1 -cipher ALL@SECLEVEL=0 \
    > "$scratch/openssl.log" 2>&1; then echo "TLS 1.1 was agreed on"; exit 1; fi

# Python: STARTTLS and implicit TLS with a verified name, AUTH by what it likes best, BDAT by hand, a bare session.
python3 - "$submission" "$submissions" "$scratch/mail.pem" <<'PYTHON'
import smtplib, ssl, sys
submission, submissions, authority = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
context = ssl.create_default_context(cafile=authority)
names = []

class Named(smtplib.SMTP):
    def __init__(self, port):
        super().__init__("127.0.0.1", port, timeout=30)
        self._host = "muster.contoso.example"

text = "From: p1@contoso.example\r\nTo: three@contoso.example\r\nSubject: python\r\n\r\nHello.\r\n"
client = Named(submission)
client.starttls(context=context)
client.login("p1@contoso.example", "tea pot")
assert client.sendmail("p1@contoso.example", ["three@contoso.example"], text) == {}
assert client.has_extn("chunking") and client.has_extn("requiretls"), client.esmtp_features
client.mail("p1@contoso.example", ["REQUIRETLS"])
client.rcpt("three@contoso.example")
client.sock.sendall(b"BDAT %d\r\n" % len(text) + text.encode())
assert client.getreply()[0] == 250
client.sock.sendall(b"BDAT 7 LAST\r\n.dots\r\n")
assert client.getreply()[0] == 250
try:
    client.sendmail("p2@contoso.example", ["three@contoso.example"], text)
    raise SystemExit("another's address was taken")
except smtplib.SMTPSenderRefused as refused:
    assert refused.smtp_code == 550, refused
client.quit()
context.check_hostname = False
client = smtplib.SMTP_SSL("127.0.0.1", submissions, context=context, timeout=30)
client.login("newsletter", "s3cret")
assert client.sendmail("news@contoso.example", ["three@contoso.example"], text) == {}
client.quit()
PYTHON

# gsasl: SCRAM without and with channel binding. It proves the password; nobody tells it.
scram() {
    local password="$1"
    shift
    gsasl --smtp --connect "127.0.0.1:$submission" --x509-ca-file "" --authentication-id p1@contoso.example \
        --authorization-id "" --password "$password" "$@" < /dev/null > "$scratch/gsasl.log" 2>&1
    grep -q '^235 2.7.0' "$scratch/gsasl.log"
}
scram "tea pot" --mechanism SCRAM-SHA-256 --no-cb || { cat "$scratch/gsasl.log"; exit 1; }
scram "tea pot" --mechanism SCRAM-SHA-256-PLUS || { cat "$scratch/gsasl.log"; exit 1; }
if scram coffee --mechanism SCRAM-SHA-256 --no-cb; then echo "a wrong password passed SCRAM"; exit 1; fi

until_true "an empty queue" queue_empty
echo "clients: swaks $accepted accepted, $refused refused as they should be; openssl, smtplib and gsasl agree"
