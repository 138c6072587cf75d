#!/usr/bin/env bash
# nodemailer, as applications use it: plain, STARTTLS, TLS from the first octet, AUTH, a pool of connections, groups, DSN.
# shellcheck source=common.sh
source "$(dirname "$0")/common.sh"

hop="$(free_port)"
write_settings "$hop"
submission="$(free_port)" submissions="$(free_port)"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=muster.contoso.example \
    -addext subjectAltName=DNS:muster.contoso.example -keyout "$scratch/mail.key" -out "$scratch/mail.pem" 2> /dev/null
umask 077
printf 'tea pot\n' | "$muster" password p1@contoso.example > "$scratch/accounts"
{
    printf '\n[[certificates]]\ncertificate_file = "mail.pem"\nkey_file = "mail.key"\n'
    printf '\n[accounts]\npassword_file = "accounts"\nfailures_max = 100\n'
    printf '\n[[listeners]]\nname = "submission"\naddress = "127.0.0.1:%s"\nrole = "submission"\n' "$submission"
    printf '\n[[listeners]]\nname = "submissions"\naddress = "127.0.0.1:%s"\nrole = "submission"\ntls = "implicit"\n' "$submissions"
} >> "$scratch/muster.toml"
smtp-sink -u "$(id -un)" -c "127.0.0.1:$hop" 200 > "$scratch/sink.log" 2>&1 &
pids+=($!)
until_true "smtp-sink to listen" port_open "$hop"
start_muster

NODE_PATH=/usr/share/nodejs node - "$inbound" "$submission" "$submissions" "$scratch/mail.pem" > "$scratch/node.log" 2>&1 <<'NODE'
const nodemailer = require("nodemailer"), assert = require("assert"), fs = require("fs");
const [inbound, submission, submissions, authority] = process.argv.slice(2);
const tls = { ca: fs.readFileSync(authority), servername: "muster.contoso.example" };
const auth = { user: "p1@contoso.example", pass: "tea pot" };
const to = (port, more) => nodemailer.createTransport({ host: "127.0.0.1", port: Number(port), name: "app.example", ...more });
const mail = (from, recipients, more) => ({ from, to: recipients, subject: "nodemailer", text: ".\r\n..\r\nHello.\r\n", ...more });
const own = "p1@contoso.example";
let accepted = 0, refused = 0;

async function accepts(transport, message) {
    const info = await transport.sendMail(message);
    assert.match(info.response, /^250 2\./);
    assert.deepEqual(info.rejected, []);
    accepted += 1;
    return info;
}
async function refuses(code, promise) {
    await assert.rejects(promise, fault => {
        assert.equal(fault.responseCode || fault.code, code, fault);
        return true;
    });
    refused += 1;
}

(async () => {
    // Outside mail, without TLS and with it; several recipients of which one is unknown; nothing at all.
    await accepts(to(inbound, { ignoreTLS: true }), mail("x@outside.example", "three@contoso.example"));
    await accepts(to(inbound, { requireTLS: true, tls }), mail("x@outside.example", "three@contoso.example"));
    const part = await to(inbound, { tls }).sendMail(mail("x@outside.example", ["fifty@contoso.example", "nobody@contoso.example"]));
    assert.deepEqual(part.rejected, ["nobody@contoso.example"]);
    assert.equal(part.rejectedErrors[0].responseCode, 550);
    await refuses(550, to(inbound, { tls }).sendMail(mail("x@outside.example", "nobody@contoso.example")));
    await refuses(550, to(inbound, { tls }).sendMail(mail("x@outside.example", "a@elsewhere.example")));
    await accepts(to(inbound, { tls }), mail("", "p1@contoso.example", { envelope: { from: "", to: "p1@contoso.example" } }));

    // A certificate that does not have the name, and an authority nobody knows.
    await refuses("ESOCKET", to(inbound, { requireTLS: true, tls: { ...tls, servername: "other.example" } })
        .sendMail(mail("x@outside.example", "three@contoso.example")));
    await refuses("ESOCKET", to(submissions, { secure: true, auth }).sendMail(mail(own, "three@contoso.example")));

    // Submission: by each mechanism, by what it chooses itself, over both forms of TLS; verify() alone.
    for (const authMethod of ["PLAIN", "LOGIN", undefined]) {
        await accepts(to(submission, { requireTLS: true, tls, auth, authMethod }), mail(own, "three@contoso.example"));
        await accepts(to(submissions, { secure: true, tls, auth, authMethod }), mail(own, "someone@elsewhere.example"));
    }
    assert.equal(await to(submission, { requireTLS: true, tls, auth }).verify(), true);
    await refuses(535, to(submission, { requireTLS: true, tls, auth: { ...auth, pass: "coffee" } }).verify());
    await refuses(504, to(submission, { requireTLS: true, tls, auth, authMethod: "CRAM-MD5" }).verify());
    await refuses(538, to(submission, { ignoreTLS: true, forceAuth: true, auth, authMethod: "PLAIN" }).verify());
    await refuses(530, to(submission, { requireTLS: true, tls }).sendMail(mail(own, "three@contoso.example")));
    await refuses(550, to(submission, { requireTLS: true, tls, auth }).sendMail(mail("p2@contoso.example", "three@contoso.example")));

    // Delivery status notifications asked for, a name beyond ASCII, a long line, 8-bit, an attachment of 3 MB.
    const dsn = { id: "id+here", return: "headers", notify: ["success", "failure"], recipient: own };
    await accepts(to(submission, { requireTLS: true, tls, auth }), mail(own, "p3@contoso.example", { dsn }));
    await accepts(to(submission, { requireTLS: true, tls, auth }), mail(own, "gr\u00fc\u00dfe@elsewhere.example", { subject: "gr\u00fc\u00dfe" }));
    await accepts(to(submission, { requireTLS: true, tls, auth }), mail(own, "p3@contoso.example",
        { text: "x".repeat(5000) + "\n", attachments: [{ filename: "noise", content: require("crypto").randomBytes(3000000) }] }));

    // A pool: 200 messages over at most 5 connections, all to a group.
    const pool = to(submissions, { secure: true, tls, auth, pool: true, maxConnections: 5, maxMessages: 50 });
    await Promise.all([...Array(200).keys()].map(n => accepts(pool, mail(own, "three@contoso.example", { subject: `pool ${n}` }))));
    pool.close();
    console.log(`nodemailer: ${accepted} accepted, ${refused} refused as they should be`);
})().catch(fault => { console.error(fault); process.exit(1); });
NODE
until_true "an empty queue" queue_empty
delivered="$(grep -o "mesg=[0-9]*" "$scratch/sink.log" | tail -n 1 | cut -d= -f2)"
accepted="$(grep -o "[0-9]* accepted" "$scratch/node.log")"
# One more than nodemailer counts: the message of which one recipient was refused.
[ "$delivered" = "$((${accepted% *} + 1))" ] || { echo "smtp-sink took $delivered messages, accepted were $accepted"; exit 1; }
grep '^nodemailer:' "$scratch/node.log"
