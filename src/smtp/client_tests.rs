//! Dialogues of the client: `S:` the next hop says, `C:` we must have written exactly this, `=` an event.

use super::*;
use crate::mail::{BodyType, ReversePath};
use crate::smtp::plan::MailCommand;

const HELLO: &str = "S: 220 hop\nC: EHLO us.example\nS: 250-hop\nS: 250-PIPELINING\nS: 250 SIZE 5000\n= ready\n";
const HELLO_PLAIN: &str = "S: 220 hop\nC: EHLO us.example\nS: 250 hop\n= ready\n";

fn plan(session: &ClientSession, recipients: usize) -> TransactionPlan {
    let mail = MailCommand {
        reverse_path: &ReversePath::Null,
        size_bytes: 7,
        body: BodyType::SevenBit,
        smtputf8: false,
        ret: None,
        envid: None,
    };
    let mut plan = TransactionPlan::new(session.extensions(), &mail).expect("fits");
    for index in 0..recipients {
        plan.recipient(&format!("r{index}@x.example"), None, None)
            .expect("plain");
    }
    plan
}

/// One word per recipient, as a story would tell it.
fn told(result: &TransactionResult) -> String {
    let mut words: Vec<String> = (0..result.answers.len())
        .map(|index| match result.outcome(index) {
            Outcome::Taken(_) => "taken".to_owned(),
            Outcome::Refused(stage, reply) => format!("{stage:?}:{}", reply.code),
            Outcome::OverLimit(_) => "over".to_owned(),
            Outcome::Lost(stage) => format!("lost:{stage:?}"),
        })
        .collect();
    if result.dot_sent {
        words.push("dot".to_owned());
    }
    words.join(" ")
}

fn shown(event: &ClientEvent) -> String {
    match event {
        ClientEvent::Ready => "ready".to_owned(),
        ClientEvent::SendContent => "content".to_owned(),
        ClientEvent::Ended(result) => format!("ended {}", told(result)),
        ClientEvent::Closed(Closing::Refused(reply)) => format!("closed refused {}", reply.code),
        ClientEvent::Closed(Closing::Unavailable(reply)) => format!("closed unavailable {}", reply.code),
        ClientEvent::Closed(Closing::Fault(fault)) => format!("closed {fault:?}"),
        ClientEvent::Closed(Closing::Lost) => "closed lost".to_owned(),
        ClientEvent::Closed(Closing::Quit) => "closed quit".to_owned(),
    }
}

/// `>` is what the driver does: `send N`, `write TEXT`, `finish`, `quit`, `lost`.
fn run(name: &str, script: &str) {
    let mut session = ClientSession::new("us.example", Pipelining::WhereOffered);
    let mut events: std::collections::VecDeque<String> = [].into();
    for (number, line) in script.lines().enumerate() {
        let place = format!("{name}, line {}: {line}", number + 1);
        let (kind, rest) = line.split_at(1);
        let rest = rest.trim_start_matches(':').trim_start();
        match kind {
            // Octet by octet: cuts must not matter.
            "S" => {
                for octet in format!("{rest}\r\n").as_bytes() {
                    events.extend(session.receive(&[*octet]).iter().map(shown));
                }
            }
            "C" => {
                let expected = format!("{rest}\r\n");
                let output = session.take_output();
                let wrote = String::from_utf8_lossy(&output);
                assert!(wrote.starts_with(&expected), "{place}: wrote {wrote:?}");
                session.output.extend_from_slice(&output[expected.len()..]);
            }
            "=" => assert_eq!(events.pop_front().as_deref(), Some(rest), "{place}"),
            ">" => match rest.split_once(' ').unwrap_or((rest, "")) {
                ("send", count) => {
                    let plan = plan(&session, count.parse().expect("a number"));
                    session.start_transaction(plan);
                }
                ("write", text) => session.write_content(text.replace("\\r\\n", "\r\n").as_bytes()),
                ("finish", _) => session.finish_content(),
                ("quit", _) => session.quit(),
                ("lost", _) => events.extend(session.connection_lost().iter().map(shown)),
                _ => panic!("{place}: unknown"),
            },
            _ => panic!("{place}: unknown"),
        }
    }
    assert!(
        session.output().is_empty(),
        "{name}: more was written: {:?}",
        session.output
    );
    assert!(events.is_empty(), "{name}: more happened: {events:?}");
}

const SENT_2: &str =
    "> send 2\nC: MAIL FROM:<> SIZE=7\nC: RCPT TO:<r0@x.example>\nC: RCPT TO:<r1@x.example>\nC: DATA\n";
const CONTENT: &str = "= content\n> write a\\r\\n.b\n> finish\nC: a\nC: ..b\nC: .\n";

#[test]
fn pipelined_dialogues() {
    let cases: &[(&str, &str)] = &[
        (
            "all taken",
            "S: 250 ok\nS: 250 ok\nS: 250 ok\nS: 354 go\n@content\nS: 250 ok\n= ended taken taken dot\n> quit\nC: QUIT\nS: 221 bye\n= closed quit",
        ),
        (
            "one refused",
            "S: 250 ok\nS: 550 5.1.1 no\nS: 250 ok\nS: 354 go\n@content\nS: 250 ok\n= ended Rcpt:550 taken dot",
        ),
        (
            "the limit of the peer",
            "S: 250 ok\nS: 250 ok\nS: 452 4.5.3 enough\nS: 354 go\n@content\nS: 250 ok\n= ended taken over dot",
        ),
        (
            "552 of an old peer is the limit too",
            "S: 250 ok\nS: 250 ok\nS: 552 enough\nS: 354 go\n@content\nS: 250 ok\n= ended taken over dot",
        ),
        (
            "552 5.2.2 is a full mailbox",
            "S: 250 ok\nS: 250 ok\nS: 552 5.2.2 full\nS: 354 go\n@content\nS: 250 ok\n= ended taken Rcpt:552 dot",
        ),
        (
            "452 for the first is no limit",
            "S: 250 ok\nS: 452 4.5.3 busy\nS: 250 ok\nS: 354 go\n@content\nS: 250 ok\n= ended Rcpt:452 taken dot",
        ),
        (
            "nobody accepted, DATA refused",
            "S: 250 ok\nS: 550 no\nS: 450 later\nS: 554 nobody\n= ended Rcpt:550 Rcpt:450\n> send 1\nC: RSET\nC: MAIL FROM:<> SIZE=7\nC: RCPT TO:<r0@x.example>\nC: DATA\nS: 250 ok\nS: 250 ok\nS: 250 ok\nS: 354 go\n@content\nS: 250 ok\n= ended taken dot",
        ),
        (
            "nobody accepted, 354: the dot alone",
            "S: 250 ok\nS: 550 no\nS: 450 later\nS: 354 go\nC: .\nS: 554 nobody\n= ended Rcpt:550 Rcpt:450",
        ),
        (
            "the dot alone, and the peer says 250",
            "S: 250 ok\nS: 550 no\nS: 450 later\nS: 354 go\nC: .\nS: 250 ok\n= ended Rcpt:550 Rcpt:450",
        ),
        (
            "MAIL refused",
            "S: 451 4.3.0 later\nS: 503 no\nS: 503 no\nS: 503 no\n= ended Mail:451 Mail:451",
        ),
        (
            "MAIL refused, 354 all the same",
            "S: 551 no\nS: 503 no\nS: 503 no\nS: 354 go\nC: .\nS: 554 no\n= ended Mail:551 Mail:551",
        ),
        (
            "MAIL refused, RCPT accepted, 354: away",
            "S: 551 no\nS: 250 ok\nS: 503 no\nS: 354 go\n= ended Mail:551 Mail:551\n= closed OutOfTurn",
        ),
        (
            "DATA refused",
            "S: 250 ok\nS: 250 ok\nS: 550 no\nS: 451 later\n= ended Data:451 Rcpt:550",
        ),
        (
            "final dot refused",
            "S: 250 ok\nS: 250 ok\nS: 250 ok\nS: 354 go\n@content\nS: 554 5.6.0 no\n= ended FinalDot:554 FinalDot:554 dot",
        ),
        (
            "final dot refused for now",
            "S: 250 ok\nS: 250 ok\nS: 250 ok\nS: 354 go\n@content\nS: 452 4.3.1 full\n= ended FinalDot:452 FinalDot:452 dot",
        ),
        (
            "final dot, 421",
            "S: 250 ok\nS: 250 ok\nS: 250 ok\nS: 354 go\n@content\nS: 421 bye\n= ended FinalDot:421 FinalDot:421 dot\n= closed unavailable 421",
        ),
        (
            "421 to MAIL",
            "S: 421 bye\n= ended Mail:421 Mail:421\n= closed unavailable 421",
        ),
        (
            "421 among the RCPTs keeps what was said",
            "S: 250 ok\nS: 550 no\nS: 421 bye\n= ended Rcpt:550 Rcpt:421\n= closed unavailable 421",
        ),
        (
            "421 to DATA",
            "S: 250 ok\nS: 250 ok\nS: 250 ok\nS: 421 bye\n= ended Data:421 Data:421\n= closed unavailable 421",
        ),
        (
            "421 amid content",
            "S: 250 ok\nS: 250 ok\nS: 250 ok\nS: 354 go\n= content\nS: 421 bye\n= ended Content:421 Content:421\n= closed unavailable 421\n> write b\n> finish",
        ),
        (
            "5yz amid content",
            "S: 250 ok\nS: 250 ok\nS: 250 ok\nS: 354 go\n= content\nS: 552 big\n= ended Content:552 Content:552\n= closed OutOfTurn",
        ),
        (
            "250 amid content is not a taken",
            "S: 250 ok\nS: 250 ok\nS: 250 ok\nS: 354 go\n= content\nS: 250 ok\n= ended lost:Content lost:Content\n= closed OutOfTurn",
        ),
        (
            "lost before the dot",
            "S: 250 ok\nS: 250 ok\n> lost\n= ended lost:Rcpt lost:Rcpt\n= closed lost\n> lost",
        ),
        (
            "lost after the dot",
            "S: 250 ok\nS: 250 ok\nS: 250 ok\nS: 354 go\n@content\n> lost\n= ended lost:FinalDot lost:FinalDot dot\n= closed lost",
        ),
        (
            "garbage for a reply",
            "S: 250 ok\nS: okay\n= ended lost:Rcpt lost:Rcpt\n= closed NoReply",
        ),
        (
            "354 to RCPT",
            "S: 250 ok\nS: 354 go\n= ended lost:Rcpt lost:Rcpt\n= closed OutOfTurn",
        ),
        (
            "250 to DATA",
            "S: 250 ok\nS: 250 ok\nS: 250 ok\nS: 250 ok\n= ended lost:Data lost:Data\n= closed OutOfTurn",
        ),
        (
            "354 to the final dot",
            "S: 250 ok\nS: 250 ok\nS: 250 ok\nS: 354 go\n@content\nS: 354 more\n= ended lost:FinalDot lost:FinalDot dot\n= closed OutOfTurn",
        ),
    ];
    for (name, script) in cases {
        let script = script.replace("@content\n", CONTENT);
        run(name, &format!("{HELLO}{SENT_2}{script}"));
    }
}

#[test]
fn a_reply_before_the_dot_has_left_takes_nobody() {
    let mut session = ClientSession::new("us.example", Pipelining::WhereOffered);
    session.receive(b"220 hop\r\n250-hop\r\n250 PIPELINING\r\n");
    session.start_transaction(plan(&session, 1));
    session.take_output();
    session.receive(b"250 ok\r\n250 ok\r\n354 go\r\n");
    session.write_content(b"a\r\n");
    session.finish_content();
    let events: Vec<String> = session.receive(b"250 ok\r\n").iter().map(shown).collect();
    assert_eq!(events, ["ended lost:FinalDot", "closed OutOfTurn"]);
}

#[test]
fn step_by_step_dialogues() {
    let mail = "> send 2\nC: MAIL FROM:<>\n";
    let cases: &[(&str, &str)] = &[
        (
            "all taken",
            "S: 250 ok\nC: RCPT TO:<r0@x.example>\nS: 250 ok\nC: RCPT TO:<r1@x.example>\nS: 250 ok\nC: DATA\nS: 354 go\n@content\nS: 250 ok\n= ended taken taken dot\n> send 1\nC: MAIL FROM:<>\nS: 250 ok\nC: RCPT TO:<r0@x.example>\nS: 550 no\n= ended Rcpt:550\n> send 1\nC: RSET\nS: 250 ok\nC: MAIL FROM:<>\nS: 421 bye\n= ended Mail:421\n= closed unavailable 421",
        ),
        (
            "MAIL refused ends it",
            "S: 550 no\n= ended Mail:550 Mail:550\n> quit\nC: QUIT\n> lost\n= closed quit",
        ),
        (
            "a refused RSET is no verdict",
            "S: 250 ok\nC: RCPT TO:<r0@x.example>\nS: 550 no\nC: RCPT TO:<r1@x.example>\nS: 550 no\n= ended Rcpt:550 Rcpt:550\n> send 1\nC: RSET\nS: 500 what\n= ended lost:Session\n= closed OutOfTurn",
        ),
    ];
    for (name, script) in cases {
        let script = script.replace("@content\n", CONTENT);
        run(name, &format!("{HELLO_PLAIN}{mail}{script}"));
    }
}

#[test]
fn greetings() {
    for (name, script) in [
        ("no service", "S: 554 no\n= closed refused 554"),
        ("busy", "S: 421 busy\n= closed refused 421"),
        (
            "HELO only",
            "S: 220 hop\nC: EHLO us.example\nS: 500 what\nC: HELO us.example\nS: 250 hop\n= ready\n> quit\nC: QUIT\nS: 221 bye\n= closed quit",
        ),
        (
            "neither",
            "S: 220 hop\nC: EHLO us.example\nS: 550 no\nC: HELO us.example\nS: 550 no\n= closed refused 550",
        ),
        (
            "EHLO refused for now",
            "S: 220 hop\nC: EHLO us.example\nS: 450 no\n= closed refused 450",
        ),
        (
            "421 while idle",
            "S: 220 hop\nC: EHLO us.example\nS: 250 hop\n= ready\nS: 421 idle\n= closed unavailable 421",
        ),
        (
            "talk out of turn",
            "S: 220 hop\nC: EHLO us.example\nS: 250 hop\n= ready\nS: 250 ok\n= closed OutOfTurn",
        ),
        ("not SMTP", "S: SSH-2.0-x\n= closed NoReply"),
        (
            "multi-line greeting",
            "S: 220-hop\nS: 220 ready\nC: EHLO us.example\n> lost\n= closed lost",
        ),
    ] {
        run(name, script);
    }
}

#[test]
fn a_plan_over_ten_thousand_recipients_is_one_group() {
    let mut session = ClientSession::new("us.example", Pipelining::WhereOffered);
    session.receive(b"220 hop\r\n250-hop\r\n250 PIPELINING\r\n");
    session.take_output();
    session.start_transaction(plan(&session, 10_000));
    let written = session.take_output();
    assert_eq!(written.iter().filter(|octet| **octet == b'\n').count(), 10_002);
    session.receive(b"250 ok\r\n");
    session.receive(&b"250 ok\r\n".repeat(9_999));
    let events = session.receive(b"450 no\r\n354 go\r\n");
    assert_eq!(events, [ClientEvent::SendContent]);
    session.finish_content();
    session.take_output();
    let events = session.receive(b"250 ok\r\n");
    let [ClientEvent::Ended(result)] = events.as_slice() else {
        panic!("{events:?}")
    };
    assert_eq!((result.taken(), result.recipient_limit()), (9_999, None));
}
