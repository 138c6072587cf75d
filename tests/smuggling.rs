//! Nothing but `CRLF.CRLF` ends a message: false ends execute nothing and make no second message, wherever they stand
//! and however the packets are cut (`reliability.md` §3.1).

use std::sync::Arc;

use muster::mail::{Envelope, Mailbox, Reply, ReversePath};
use muster::smtp::command::ForwardPath;
use muster::smtp::params::RcptParameters;
use muster::smtp::sasl::SaslFault;
use muster::smtp::server::{Action, Channel, Gate, Protection, ServerProfile, ServerSession};
use muster::smtp::xclient::Claims;
use muster::track::Reason;

/// Each would end the message for some server, client or proxy out there.
const FALSE_ENDS: &[&str] = &[
    "\n.\n",
    "\n.\r\n",
    "\r\n.\n",
    "\r.\r",
    "\r.\r\n",
    "\r\n.\r",
    "\n.\r",
    "\r.\n",
    "\n\r.\n\r",
    "\n\n.\r\n",
    "\r\r\n.\r\r\n",
    "\r\r\n.\r",
    "\r\n.\r\r\n",
    "\r\n\n.\n",
    "\r\n\0.\r\n",
    "\r\n.\0\r\n",
    "\r\0\n.\r\n",
    "\r\n.\r\0\n",
    "\0\r\n.\n",
    "\r\n..\r\n",
    "\r\n. \r\n",
    "\r\n .\r\n",
    "\r\n.\t\r\n",
    "\r\n.\u{b}\r\n",
    "\r\n.\u{c}\r\n",
    "\r\n.\u{1a}\r\n",
    "\u{85}.\u{85}",
    "\u{2028}.\u{2028}",
    "\u{8d}\u{8a}.\u{8d}\u{8a}",
    "\r\n\u{2024}\r\n",
    "=0D=0A.=0D=0A",
    "\\r\\n.\\r\\n",
];

const SMUGGLED: &str =
    "MAIL FROM:<ceo@contoso.example>\r\nRCPT TO:<all@contoso.example>\r\nDATA\r\nSubject: forged\r\n\r\nforged";

#[derive(Default)]
struct Witness {
    senders: Vec<String>,
}

impl Gate for Witness {
    fn hello(&mut self, _name: &Arc<str>, _extended: bool) {}

    fn authenticated(&mut self) {}

    fn not_authenticated(&mut self, _fault: SaslFault) {}

    fn speaks_for(&mut self, _claims: &Claims) {}

    fn mail(&mut self, envelope: &Envelope) -> Result<(), Reply> {
        self.senders.push(envelope.reverse_path.to_string());
        Ok(())
    }

    fn rcpt(&mut self, _: &Envelope, path: &ForwardPath, _: &RcptParameters) -> Result<Mailbox, Reply> {
        match path {
            ForwardPath::Mailbox(mailbox) => Ok(mailbox.clone()),
            ForwardPath::Postmaster => Err(Reply::new(550, (5, 1, 10), "none here")),
        }
    }

    fn begin_content(&mut self, _envelope: &Envelope) -> Result<(), Reply> {
        Ok(())
    }

    fn content(&mut self, _octets: &[u8]) {}

    fn refused(&mut self, _reverse_path: &ReversePath, _reply: &Reply, _reason: Reason) {}
}

/// Plays a whole session in the given packets; returns who was named as sender, submissions, and the replies.
fn play(packets: &[&[u8]]) -> (Vec<String>, usize, String) {
    let profile = Arc::new(ServerProfile::new(
        "mx.contoso.example",
        10_000,
        10,
        100,
        Protection::default(),
    ));
    let mut out = Vec::new();
    let mut session = ServerSession::open(profile, Channel::Plaintext, &mut out);
    let mut gate = Witness::default();
    let mut submissions = 0;
    let mut input = Vec::new();
    for packet in packets {
        input.extend_from_slice(packet);
        loop {
            let (used, action) = session.receive(&input, &mut gate, &mut out);
            input.drain(..used);
            match action {
                Action::Read | Action::Close | Action::StartTls | Action::Ask(_) => break,
                Action::Write => {}
                Action::Submit(_) => {
                    submissions += 1;
                    session.answer(&Reply::new(250, (2, 0, 0), "kept"), &mut out);
                }
            }
        }
    }
    (
        gate.senders,
        submissions,
        String::from_utf8(out).expect("replies are text"),
    )
}

#[test]
fn false_ends_end_nothing() {
    assert!(FALSE_ENDS.len() >= 24);
    let overflow = "x".repeat(10_001);
    let places = [
        ("first octets", String::new()),
        ("header section", "Subject: a".to_owned()),
        ("body", "Subject: a\r\n\r\nbody".to_owned()),
        ("after overflow", format!("Subject: a\r\n\r\n{overflow}")),
    ];
    let opening = "HELO c.example\r\nMAIL FROM:<a@fabrikam.example>\r\nRCPT TO:<lena@contoso.example>\r\nDATA\r\n";
    for (place, before) in &places {
        for false_end in FALSE_ENDS {
            // The first octets of content stand behind the CRLF of DATA: without its own CRLF a dot would be there.
            let content = format!("{before}{false_end}{SMUGGLED}\r\n.\r\n");
            let bytes = content.as_bytes();
            let middle = before.len() + false_end.len() / 2;
            let behind = before.len() + false_end.len();
            let cuts: Vec<Vec<&[u8]>> = vec![
                vec![bytes],
                bytes.chunks(1).collect(),
                vec![&bytes[..middle], &bytes[middle..]],
                vec![&bytes[..behind], &bytes[behind..]],
            ];
            for (number, cut) in cuts.into_iter().enumerate() {
                let mut packets = vec![opening.as_bytes()];
                packets.extend(cut);
                packets.push(b"QUIT\r\n");
                let (senders, submissions, replies) = play(&packets);
                let case = format!("{false_end:?} in {place}, cut {number}: {replies}");
                assert_eq!(senders, ["<a@fabrikam.example>"], "{case}");
                assert!(submissions <= 1, "{case}");
                // Greeting, HELO, MAIL, RCPT, 354, one answer, 221: we are in step.
                assert_eq!(replies.matches("\r\n").count(), 7, "{case}");
                assert!(replies.ends_with("221 2.0.0 closing\r\n"), "{case}");
                let bare = false_end.replace("\r\n", "").contains(['\r', '\n', '\0']);
                assert_eq!(replies.contains("550 5.6.11"), bare, "{case}");
            }
        }
    }
}

/// How others out there read lines: what each takes for the end of a message.
const READERS: [(&str, &[&str]); 4] = [
    ("strict", &["\r\n.\r\n"]),
    ("takes a bare LF", &["\n.\n", "\n.\r\n", "\r\n.\n", "\r\n.\r\n"]),
    (
        "takes a bare CR",
        &["\r.\r", "\r.\r\n", "\r\n.\r", "\n.\r", "\r.\n", "\r\n.\r\n"],
    ),
    ("drops NUL", &["\r\n.\r\n"]),
];

/// What is accepted leaves so that every reader finds one end, and finds it where we put it.
#[test]
fn what_leaves_is_one_message_to_every_reader() {
    let mut left = 0;
    for false_end in FALSE_ENDS {
        for before in ["", ".", "..", "Subject: a\r\n\r\nbody", "Subject: a\r\n\r\n.\r\n.."] {
            for behind in ["", ".", "\r\n.", SMUGGLED] {
                // As a chunk it comes as it is: no dot was stuffed on the way here.
                let content = format!("{before}{false_end}{behind}\r\n");
                let mut scanner = muster::smtp::data::ContentScanner::new(1_000_000);
                let mut kept = Vec::new();
                scanner.scan_counted(content.as_bytes(), &mut |octets| kept.extend_from_slice(octets));
                scanner.end_counted(&mut |octets| kept.extend_from_slice(octets));
                if scanner.fault().is_some() {
                    continue;
                }
                left += 1;
                for cut in [1, 3, kept.len()] {
                    let mut stuffer = muster::smtp::stuffing::DotStuffer::default();
                    let mut wire = bytes::BytesMut::new();
                    kept.chunks(cut).for_each(|piece| stuffer.write(piece, &mut wire));
                    stuffer.finish(&mut wire);
                    // The reply to DATA ended a line.
                    let wire = format!("\r\n{}", String::from_utf8_lossy(&wire));
                    for (reader, ends) in READERS {
                        let wire = if reader == "drops NUL" {
                            wire.replace('\0', "")
                        } else {
                            wire.clone()
                        };
                        let dot = |end: &&str| Some(wire.find(*end)? + end.find('.')?);
                        let first = ends.iter().filter_map(dot).min();
                        assert_eq!(first, Some(wire.len() - 3), "{reader}: {content:?} as {wire:?}");
                    }
                }
            }
        }
    }
    assert!(left > 100, "only {left} were accepted");
}
