//! Filters against small ones of our own on loopback: what they say, what they leave out, how they fail.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use uuid::Uuid;

use super::codec::{self, Said, Step, packet};
use super::*;
use crate::categorizer::filtering::{FilterQuestion, FilterVerdict, Filtered};
use crate::mail::{Envelope, EnvelopeRecipient, Mailbox, MessageId, ReversePath};

const MESSAGE: &str = "From: <x@outside.example>\r\nSubject: two\r\n lines\r\n\r\nHello.\r\n";

fn mailbox(text: &str) -> Mailbox {
    Mailbox::parse(text).expect("a test address")
}

fn question(recipients: &[&str]) -> FilterQuestion {
    let mut envelope = Envelope::from(ReversePath::Mailbox(mailbox("x@outside.example")));
    for to in recipients {
        envelope.recipients.push(EnvelopeRecipient::plain(mailbox(to)));
    }
    FilterQuestion {
        id: MessageId(Uuid::from_u128(7)),
        listener: "inbound".into(),
        client: "192.0.2.7".parse().expect("valid"),
        helo: Some("client.example".into()),
        proof: None,
        envelope,
        content: Content::in_memory(MESSAGE.as_bytes().to_vec()),
    }
}

fn settings(kind: FilterKind, address: String, on_failure: OnFailure) -> FilterSettings {
    FilterSettings {
        name: "filter".to_owned(),
        kind,
        address: FilterAddress::Tcp(address),
        listeners: vec!["inbound".to_owned()],
        time_limit: Duration::from_secs(20),
        size_max: 1_000,
        on_failure,
    }
}

/// A milter that answers each packet with the packets of `answers`, and notes what it was told.
async fn milter(
    steps: u32,
    answers: impl Fn(u8, &[u8]) -> Vec<Vec<u8>> + Send + 'static,
) -> (String, tokio::task::JoinHandle<Vec<(u8, Vec<u8>)>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound").to_string();
    let task = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a client");
        let mut told = Vec::new();
        loop {
            let Ok(length) = stream.read_u32().await else {
                return told;
            };
            let mut content = vec![0; length as usize];
            stream.read_exact(&mut content).await.expect("a packet");
            let letter = content.remove(0);
            told.push((letter, content.clone()));
            let replies = match letter {
                b'O' => {
                    let words = [6_u32, 0x1ff, steps];
                    vec![packet(
                        b'O',
                        &words.iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<_>>(),
                    )]
                }
                b'D' | b'Q' => Vec::new(),
                _ => answers(letter, &content),
            };
            for reply in replies {
                stream.write_all(&reply).await.expect("the client reads");
            }
        }
    });
    (address, task)
}

async fn asked(filter: FilterSettings, question: FilterQuestion) -> Filtered {
    Filters::new(vec![filter], "relay.example").filter(question).await
}

#[tokio::test]
async fn a_milter_sees_the_whole_message_and_adds_fields() {
    let (address, told) = milter(0, |letter, _| match letter {
        b'E' => vec![
            packet(b'h', &codec::texts(["X-Scanned", "yes\n really"])),
            packet(
                b'i',
                &[&[0, 0, 0, 1][..], &codec::texts(["DKIM-Signature", "v=1"])].concat(),
            ),
            packet(
                b'm',
                &[&[0, 0, 0, 1][..], &codec::texts(["Subject", "changed"])].concat(),
            ),
            packet(b'b', b"another body"),
            packet(b'p', &[]),
            packet(b'c', &[]),
        ],
        _ => vec![packet(b'c', &[])],
    })
    .await;
    let filter = settings(FilterKind::Milter, address, OnFailure::Defer);
    let said = asked(filter, question(&["lena@contoso.example", "mia@contoso.example"])).await;
    assert_eq!(said.verdict, FilterVerdict::Accept);
    let fields: Vec<String> = said
        .fields
        .iter()
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    assert_eq!(
        fields,
        ["X-Scanned: yes\r\n really", "DKIM-Signature: v=1", "Subject: changed"]
    );
    let told = told.await.expect("no panic");
    let letters: String = told.iter().map(|(letter, _)| char::from(*letter)).collect();
    assert_eq!(letters, "ODCHDMDRDRDTLLNBDEQ");
    let of = |wanted: u8| -> Vec<String> {
        let packets = told.iter().filter(|(letter, _)| *letter == wanted);
        packets
            .map(|(_, content)| String::from_utf8_lossy(content).replace('\0', "|"))
            .collect()
    };
    assert_eq!(of(b'M'), ["<x@outside.example>|"]);
    assert_eq!(of(b'R'), ["<lena@contoso.example>|", "<mia@contoso.example>|"]);
    assert_eq!(of(b'L'), ["From|<x@outside.example>|", "Subject|two\n lines|"]);
    assert_eq!(of(b'B'), ["Hello.\r\n"]);
}

#[tokio::test]
async fn steps_that_a_milter_leaves_out_are_not_sent() {
    // No connect, no HELO, no body; no answer to fields.
    let (address, told) = milter(0x1 | 0x2 | 0x10 | 0x80, |letter, _| match letter {
        b'L' => Vec::new(),
        _ => vec![packet(b'c', &[])],
    })
    .await;
    let filter = settings(FilterKind::Milter, address, OnFailure::Defer);
    let said = asked(filter, question(&["lena@contoso.example"])).await;
    assert_eq!(said.verdict, FilterVerdict::Accept);
    let letters: String = told
        .await
        .expect("no panic")
        .iter()
        .map(|(letter, _)| char::from(*letter))
        .collect();
    assert_eq!(letters, "ODMDRDTLLNDEQ");
}

#[tokio::test]
async fn every_verdict_of_a_milter_is_understood() {
    let refused = |code, status, text: &str| Reply::new(code, status, text.to_owned());
    for (at, reply, wanted) in [
        (b'E', packet(b'd', &[]), FilterVerdict::Discard),
        (b'N', packet(b'a', &[]), FilterVerdict::Accept),
        (
            b'E',
            packet(b'y', &codec::texts(["554 5.7.1 virus found"])),
            FilterVerdict::Reject(refused(554, (5, 7, 1), "virus found")),
        ),
        (
            b'M',
            packet(b'y', &codec::texts(["451 4.7.1 greylisted"])),
            FilterVerdict::Defer(refused(451, (4, 7, 1), "greylisted")),
        ),
        (
            b'R',
            packet(b'y', &codec::texts(["550 no such user"])),
            FilterVerdict::Reject(refused(550, (5, 7, 1), "no such user")),
        ),
    ] {
        let (address, _told) = milter(0, move |letter, _| {
            vec![if letter == at { reply.clone() } else { packet(b'c', &[]) }]
        })
        .await;
        let filter = settings(FilterKind::Milter, address, OnFailure::Quarantine);
        let said = asked(filter, question(&["lena@contoso.example"])).await;
        assert_eq!(said.verdict, wanted, "{}", char::from(at));
    }
    let (address, _told) = milter(0, |letter, _| match letter {
        b'E' => vec![packet(b'q', &codec::texts(["suspicious"])), packet(b'c', &[])],
        _ => vec![packet(b'c', &[])],
    })
    .await;
    let said = asked(
        settings(FilterKind::Milter, address, OnFailure::Defer),
        question(&["a@x.example"]),
    )
    .await;
    assert_eq!(said.verdict, FilterVerdict::Quarantine);
    assert_eq!(said.by.as_deref(), Some("filter: suspicious"));
}

#[tokio::test]
async fn one_refused_recipient_of_two_does_not_refuse_the_message() {
    let (address, _told) = milter(0, |letter, content| {
        vec![if letter == b'R' && content.starts_with(b"<lena") {
            packet(b'r', &[])
        } else {
            packet(b'c', &[])
        }]
    })
    .await;
    let filter = settings(FilterKind::Milter, address, OnFailure::Defer);
    let said = asked(filter, question(&["lena@contoso.example", "mia@contoso.example"])).await;
    assert_eq!(said.verdict, FilterVerdict::Accept);
}

#[tokio::test]
async fn trouble_follows_the_setting() {
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        listener.local_addr().expect("bound").to_string()
    };
    for (on_failure, deferred) in [(OnFailure::Accept, false), (OnFailure::Defer, true)] {
        for kind in [FilterKind::Milter, FilterKind::Rspamd] {
            let said = asked(settings(kind, closed.clone(), on_failure), question(&["a@x.example"])).await;
            assert_eq!(
                matches!(said.verdict, FilterVerdict::Defer(_)),
                deferred,
                "{kind:?} {said:?}"
            );
        }
    }
    // One that says nothing, for as long as it may take.
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound").to_string();
    let silent = FilterSettings {
        time_limit: Duration::from_millis(50),
        ..settings(FilterKind::Milter, address, OnFailure::Quarantine)
    };
    assert_eq!(
        asked(silent, question(&["a@x.example"])).await.verdict,
        FilterVerdict::Quarantine
    );
    // Garbage, a packet without end, an end in the middle.
    for octets in [
        &b"HTTP/1.1 400\r\n\r\n"[..],
        &[0xff; 64],
        &[0, 0, 0, 13, b'O'],
        &[0, 0, 0, 0],
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound").to_string();
        tokio::spawn(async move {
            let (mut stream, _): (TcpStream, _) = listener.accept().await.expect("a client");
            stream.write_all(octets).await.expect("the client reads");
        });
        let said = asked(
            settings(FilterKind::Milter, address, OnFailure::Quarantine),
            question(&["a@x.example"]),
        )
        .await;
        assert_eq!(said.verdict, FilterVerdict::Quarantine, "{octets:?}");
    }
}

#[tokio::test]
async fn filters_ask_for_their_listeners_and_sizes_only() {
    let filter = settings(FilterKind::Milter, "127.0.0.1:1".to_owned(), OnFailure::Defer);
    let filters = Filters::new(vec![filter], "relay.example");
    assert!(filters.asks("inbound") && !filters.asks("relay"));
    let mut large = question(&["a@x.example"]);
    large.content = Content::in_memory(vec![b'x'; 1_001]);
    assert_eq!(filters.filter(large).await.verdict, FilterVerdict::Accept);
    let mut other = question(&["a@x.example"]);
    other.listener = Arc::from("relay");
    assert_eq!(filters.filter(other).await.verdict, FilterVerdict::Accept);
}

#[test]
fn every_action_of_rspamd_is_understood() {
    let understood = |action: &str| {
        let answer = json!({
            "action": action, "score": 7.5, "required_score": 15.0,
            "messages": { "smtp_message": "Try\r\nlater" },
            "milter": { "add_headers": {
                "X-Rspamd-Score": { "value": "7.5", "order": 0 },
                "X-Two": ["a", { "value": "b\n c" }],
                "bad name": "x",
            }},
        });
        let answer = serde_json::from_value(answer).expect("an answer");
        super::rspamd::understood(&answer)
    };
    let said = understood("no action").expect("known");
    let fields: Vec<String> = said
        .fields
        .iter()
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    assert_eq!(fields, ["X-Rspamd-Score: 7.5", "X-Two: a", "X-Two: b\r\n c"]);
    assert_eq!(said.by.as_deref(), Some("no action, score 7.5 of 15.0"));
    let marked = understood("add header").expect("known");
    assert!(marked.fields.contains(&("X-Spam".to_owned(), "Yes".to_owned())));
    for (action, wanted) in [
        (
            "reject",
            FilterVerdict::Reject(Reply::new(554, (5, 7, 1), "Try  later")),
        ),
        (
            "soft reject",
            FilterVerdict::Defer(Reply::new(451, (4, 7, 1), "Try  later")),
        ),
        (
            "greylist",
            FilterVerdict::Defer(Reply::new(451, (4, 7, 1), "Try  later")),
        ),
        ("discard", FilterVerdict::Discard),
        ("quarantine", FilterVerdict::Quarantine),
    ] {
        assert_eq!(understood(action).expect("known").verdict, wanted, "{action}");
    }
    assert!(understood("explode").is_err());
}

#[test]
fn packets_read_back_and_fields_cannot_break_out() {
    assert_eq!(packet(b'Q', &[]), [0, 0, 0, 1, b'Q']);
    assert_eq!(codec::negotiation()[..5], [0, 0, 0, 13, b'O']);
    assert_eq!(codec::said(b'h', b"A\0b\0"), Said::Add("A".to_owned(), "b".to_owned()));
    assert_eq!(
        codec::said(b'i', b"\0\0\0\x01A\0b\0"),
        Said::Add("A".to_owned(), "b".to_owned())
    );
    assert_eq!(codec::said(b'h', b""), Said::Add(String::new(), String::new()));
    assert_eq!(codec::said(b'z', b""), Said::Other(b'z'));
    assert!(codec::chosen(b'O', &[0; 12]).is_err(), "version 0");
    assert!(
        codec::chosen(b'O', &[0, 0, 0, 6, 0, 0, 0, 0, 0x80, 0, 0, 0]).is_err(),
        "not offered"
    );
    let chosen = codec::chosen(b'O', &[0, 0, 0, 6, 0, 0, 1, 0, 0, 0, 0, 0x11]).expect("good");
    assert!(!chosen.wants(Step::Connect) && !chosen.wants(Step::Body) && chosen.wants(Step::End));
    for (name, value, wanted) in [
        ("X-A", "one\ntwo", Some("one\r\n\ttwo")),
        ("X-A", "one\r\n\r\nBcc: x", Some("one\r\n\tBcc: x")),
        ("X-A", "one\rtwo", None),
        ("X A", "one", None),
        ("X:A", "one", None),
        ("", "one", None),
    ] {
        let made = super::field(name, value).map(|(_, value)| value);
        assert_eq!(made.as_deref(), wanted, "{name} {value:?}");
    }
}
