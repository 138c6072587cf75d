//! What the way of a message through proof and checks costs, with keys in the cache.
//!
//! `cargo run --release --example authenticity` prints microseconds a message: the sieve over the header section, the
//! identification of a colleague (nothing is checked), and SPF, DKIM and DMARC of a signed message of 4 KiB. The name
//! server is in the process; it is asked once.

use std::hint::black_box;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::rdata::{SOA, TXT};
use hickory_resolver::proto::rr::{Name, RData, Record};
use mail_auth::common::crypto::{RsaKey, Sha256};
use mail_auth::common::headers::HeaderWriter as _;
use mail_auth::dkim::DkimSigner;
use muster::authenticity::{Authenticity, CheckSettings};
use muster::categorizer::identify::{Authenticator as _, Question};
use muster::mail::authentication::{Checks, Verdict};
use muster::mail::header::sieve::{OrganisationFields, Sieve, Unwelcome};
use muster::mail::{Mailbox, ReversePath};
use muster::policy::testing::rules;
use muster::resolver::{Origin, Prospect, Sender};
use muster::spool::content::Content;

const ROUNDS: u32 = 2_000;

fn main() {
    let pair = KeyPair::generate(KeySize::Rsa2048).expect("a key");
    let public = AsDer::<PublicKeyX509Der<'_>>::as_der(pair.public_key()).expect("encodable");
    let records = vec![
        ("outside.example", "v=spf1 ip4:127.0.0.1 -all".to_owned()),
        ("_dmarc.outside.example", "v=DMARC1; p=reject".to_owned()),
        (
            "s1._domainkey.outside.example",
            format!("v=DKIM1; k=rsa; p={}", BASE64.encode(public.as_ref())),
        ),
    ];
    let asked = Arc::new(AtomicUsize::new(0));
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let name_server = socket.local_addr().expect("bound");
    let counter = Arc::clone(&asked);
    std::thread::spawn(move || serve(&socket, &records, &counter));
    let message = signed(&pair);

    sieve(&message);
    connection();

    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let checks = Authenticity::new(&CheckSettings {
        host: "mx.contoso.example".to_owned(),
        time_limit: Duration::from_secs(5),
        name_servers: vec![name_server],
        dns_timeout: Duration::from_secs(5),
    });
    for (name, asked_for) in [
        (
            "SPF alone",
            Checks {
                spf: true,
                ..Checks::default()
            },
        ),
        (
            "DKIM alone (RSA 2048)",
            Checks {
                dkim: true,
                ..Checks::default()
            },
        ),
        ("SPF, DKIM, DMARC, ARC", Checks::ALL),
    ] {
        let question = Question {
            checks: asked_for,
            content: Content::in_memory(message.clone().into_bytes()),
            original_head: None,
            reverse_path: ReversePath::Mailbox(Mailbox::parse("x@outside.example").expect("valid")),
            client: "127.0.0.1".parse().expect("valid"),
            helo: Some("outside.example".into()),
        };
        let first = runtime.block_on(checks.check(question.clone()));
        let passes = |findings: &muster::mail::authentication::Findings| {
            let dkim = findings.dkim.iter().flatten().all(|each| each.verdict == Verdict::Pass);
            let dmarc = findings.dmarc.iter().all(|each| each.verdict == Verdict::Pass);
            dkim && dmarc && findings.spf.iter().all(|each| each.verdict == Verdict::Pass)
        };
        assert!(passes(&first), "{}", first.summary());
        let begun = Instant::now();
        for _ in 0..ROUNDS {
            black_box(runtime.block_on(checks.check(question.clone())));
        }
        tell(name, begun.elapsed());
    }
    println!("questions to the name server: {}", asked.load(Ordering::Relaxed));
}

fn tell(name: &str, elapsed: Duration) {
    let each = elapsed.as_secs_f64() * 1e6 / f64::from(ROUNDS);
    println!("{name:<44} {each:>9.2} microseconds a message");
}

fn sieve(message: &str) {
    let unwelcome = Unwelcome {
        authserv_id: Some("mx.contoso.example".into()),
        organisation: OrganisationFields::Removed,
    };
    let begun = Instant::now();
    for _ in 0..ROUNDS {
        let mut sieve = Sieve::new(unwelcome.clone());
        black_box(sieve.push(black_box(message.as_bytes())));
    }
    tell("sieve, nothing to take out", begun.elapsed());
}

fn connection() {
    let rules = rules();
    let path = ReversePath::Mailbox(Mailbox::parse("lena@contoso.example").expect("valid"));
    let client = Origin::plain("inbound", "127.0.0.1".parse().expect("valid"));
    let begun = Instant::now();
    for _ in 0..ROUNDS {
        black_box(Sender::judged(black_box(&path), &client, &rules));
        black_box(Prospect::of(black_box(&path), &client, &rules));
    }
    tell("proof of the connection", begun.elapsed());
}

fn signed(pair: &KeyPair) -> String {
    let body = "A line of text as people write it, long enough to be folded by nobody.\r\n".repeat(48);
    let fields: String = (0..20)
        .map(|number| format!("X-Field-{number}: value of the field {number}\r\n"))
        .collect();
    let message = format!("From: <x@outside.example>\r\nTo: <all@contoso.example>\r\nSubject: x\r\n{fields}\r\n{body}");
    let private = AsDer::<Pkcs8V1Der<'_>>::as_der(pair).expect("encodable");
    let key = rustls_pki_types::PrivateKeyDer::Pkcs8(private.as_ref().into());
    let key = RsaKey::<Sha256>::from_key_der(key).expect("a key");
    let signer = DkimSigner::from_key(key).domain("outside.example").selector("s1");
    let signature = signer.headers(["From", "To", "Subject"]).sign(message.as_bytes());
    format!("{}{message}", signature.expect("signed").to_header())
}

fn serve(socket: &UdpSocket, records: &[(&str, String)], asked: &AtomicUsize) {
    let mut buffer = vec![0; 4_096];
    while let Ok((count, from)) = socket.recv_from(&mut buffer) {
        asked.fetch_add(1, Ordering::Relaxed);
        let question = Message::from_vec(&buffer[..count]).expect("a question");
        let query = question.queries[0].clone();
        let name = query.name().to_ascii().trim_end_matches('.').to_ascii_lowercase();
        let mut reply = Message::response(question.metadata.id, question.metadata.op_code);
        reply.add_query(query.clone());
        match records.iter().find(|(known, _)| *known == name) {
            Some((_, text)) => {
                let strings = text.as_bytes().chunks(255).collect();
                let text = RData::TXT(TXT::from_bytes(strings));
                reply.add_answers([Record::from_rdata(query.name().clone(), 3_600, text)]);
            }
            None => {
                reply.metadata.response_code = ResponseCode::NXDomain;
                let host = Name::from_ascii("ns.example.").expect("a name");
                let soa = RData::SOA(SOA::new(host.clone(), host, 1, 1, 1, 1, 3_600));
                reply
                    .authorities
                    .push(Record::from_rdata(query.name().clone(), 3_600, soa));
            }
        }
        let _ = socket.send_to(&reply.to_vec().expect("writable"), from);
    }
}
