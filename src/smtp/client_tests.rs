//! Dialogues of the client: `S:` the next hop says, `C:` we must have written exactly this, `=` an event.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::*;
use crate::mail::{BodyType, ReversePath};
use crate::smtp::extension::{Mechanism, Mechanisms};
use crate::smtp::plan::MailCommand;
use crate::smtp::sign_in::{Secret, SignIn};

const HELLO: &str = "S: 220 hop\nC: EHLO us.example\nS: 250-hop\nS: 250-PIPELINING\nS: 250 SIZE 5000\n= ready\n";
/// A reply that a peer may not give, or may give in another form (RFC 5321 §4.2, §4.3.2).
#[test]
fn replies_count_by_their_first_digit() {
    for (said, told) in [
        ("299 odd", "taken dot"),
        ("571 no", "FinalDot:571 dot"),
        ("250", "taken dot"),
        ("250 5.7.1 refused, says the text", "taken dot"),
        ("499 odd", "FinalDot:499 dot"),
        ("599 odd", "FinalDot:599 dot"),
        ("550 2.0.0 taken, says the text", "FinalDot:550 dot"),
        ("250-one\nS: 250-two\nS: 250 three", "taken dot"),
    ] {
        let sent = "> send 1\nC: MAIL FROM:<> SIZE=7\nC: RCPT TO:<r0@x.example>\nC: DATA\n";
        let taken = "S: 299 odd\nS: 251 will forward\nS: 354\n";
        run(said, &format!("{HELLO}{sent}{taken}{CONTENT}S: {said}\n= ended {told}"));
    }
}

/// RFC 4954 §4: a response that would make the command too long waits for the challenge.
#[test]
fn a_long_token_waits_for_its_challenge() {
    let token = "t".repeat(600);
    let response = BASE64.encode(format!("user=lena\x01auth=Bearer {token}\x01\x01"));
    let sign_in = SignIn {
        secret: Secret::new(&token),
        ..known(&[Mechanism::Xoauth2], false).expect("somebody")
    };
    let script = format!(
        "S: 220 hop\nC: EHLO us.example\nS: 250-hop\nS: 250 AUTH XOAUTH2\nC: AUTH XOAUTH2\nS: 334 \nC: {response}\nS: 235 ok\n= ready"
    );
    run_from("a long token", &script, opened(StartTls::Already, Some(sign_in)));
}

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
        ClientEvent::StartTls => "starttls".to_owned(),
        ClientEvent::Ready => "ready".to_owned(),
        ClientEvent::SendContent => "content".to_owned(),
        ClientEvent::Ended(result) => format!("ended {}", told(result)),
        ClientEvent::Closed(Closing::Refused(reply)) => format!("closed refused {}", reply.code),
        ClientEvent::Closed(Closing::Unavailable(reply)) => format!("closed unavailable {}", reply.code),
        ClientEvent::Closed(Closing::Unfit(Unfit::TlsRefused(reply) | Unfit::SignInRefused(reply))) => {
            format!("closed unfit {}", reply.code)
        }
        ClientEvent::Closed(Closing::Unfit(unfit)) => format!("closed {unfit:?}"),
        ClientEvent::Closed(Closing::Fault(fault)) => format!("closed {fault:?}"),
        ClientEvent::Closed(Closing::Lost) => "closed lost".to_owned(),
        ClientEvent::Closed(Closing::Quit) => "closed quit".to_owned(),
    }
}

/// `>` is what the driver does: `tls`, `send N`, `chunk N`, `whole N`, `write TEXT`, `finish`, `quit`, `lost`.
fn run(name: &str, script: &str) {
    run_from(name, script, ClientSession::new("us.example", Pipelining::WhereOffered));
}

fn run_from(name: &str, script: &str, mut session: ClientSession) {
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
                ("chunk", count) => {
                    let mut plan = plan(&session, count.parse().expect("a number"));
                    plan.by_chunk(7);
                    session.start_transaction(plan);
                }
                ("whole", count) => {
                    let mut plan = plan(&session, count.parse().expect("a number"));
                    plan.by_chunk(7);
                    session.start_with_content(plan, &[b"a\r\n", b".b\r\n"]);
                }
                ("tls", _) => session.tls_established(),
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
fn chunk_dialogues() {
    let sent = "> chunk 2\nC: MAIL FROM:<> SIZE=7\nC: RCPT TO:<r0@x.example>\nC: RCPT TO:<r1@x.example>\n";
    // Dots are not stuffed; what is written beyond the chunk is not sent.
    let content = "= content\nC: BDAT 7 LAST\n> write a\\r\\n.b\\r\\nQUIT\\r\\n\n> finish\nC: a\nC: .b\n";
    let cases: &[(&str, &str)] = &[
        (
            "all taken",
            "S: 250 ok\nS: 250 ok\nS: 250 ok\n%S: 250 ok\n= ended taken taken dot",
        ),
        (
            "one refused",
            "S: 250 ok\nS: 501 5.1.3 no\nS: 250 ok\n%S: 250 ok\n= ended Rcpt:501 taken dot",
        ),
        (
            "nobody accepted: no chunk",
            "S: 250 ok\nS: 550 no\nS: 450 later\n= ended Rcpt:550 Rcpt:450\n> send 1\nC: RSET\nC: MAIL FROM:<> SIZE=7\nC: RCPT TO:<r0@x.example>\nC: DATA\nS: 250 ok\nS: 451 no\nS: 503 no\nS: 503 no\n= ended Mail:451",
        ),
        (
            "MAIL refused: no chunk",
            "S: 551 no\nS: 503 no\nS: 503 no\n= ended Mail:551 Mail:551",
        ),
        (
            "MAIL refused, RCPT accepted: no chunk",
            "S: 551 no\nS: 250 ok\nS: 503 no\n= ended Mail:551 Mail:551",
        ),
        (
            "refused",
            "S: 250 ok\nS: 250 ok\nS: 250 ok\n%S: 554 5.6.0 no\n= ended FinalDot:554 FinalDot:554 dot",
        ),
        (
            "refused amid it",
            "S: 250 ok\nS: 250 ok\nS: 250 ok\n= content\nC: BDAT 7 LAST\n> write a\nS: 552 big\n= ended Content:552 Content:552\n= closed OutOfTurn",
        ),
        (
            "250 amid it is not a taken",
            "S: 250 ok\nS: 250 ok\nS: 250 ok\n= content\nC: BDAT 7 LAST\nS: 250 ok\n= ended lost:Content lost:Content\n= closed OutOfTurn",
        ),
        (
            "content that is too short is never taken",
            "S: 250 ok\nS: 250 ok\nS: 250 ok\n= content\nC: BDAT 7 LAST\n> write a\\r\\n\n> finish\nC: a\nS: 250 ok\n= ended lost:FinalDot lost:FinalDot\n= closed OutOfTurn",
        ),
    ];
    for (name, script) in cases {
        let script = script.replace('%', content);
        run(name, &format!("{HELLO}{sent}{script}"));
    }
    let stepwise = "> chunk 1\nC: MAIL FROM:<>\nS: 250 ok\nC: RCPT TO:<r0@x.example>\nS: 250 ok\n";
    run(
        "step by step",
        &format!("{HELLO_PLAIN}{stepwise}{content}S: 250 ok\n= ended taken dot"),
    );
}

#[test]
fn dialogues_with_the_chunk_behind_the_commands() {
    let sent = "> whole 2\nC: MAIL FROM:<> SIZE=7\nC: RCPT TO:<r0@x.example>\nC: RCPT TO:<r1@x.example>\n\
                C: BDAT 7 LAST\nC: a\nC: .b\n";
    let reset = "> send 1\nC: RSET\nC: MAIL FROM:<> SIZE=7\nC: RCPT TO:<r0@x.example>\nC: DATA\n\
                 S: 250 ok\nS: 451 no\nS: 503 no\nS: 503 no\n= ended Mail:451";
    let cases: &[(&str, &str)] = &[
        (
            "all taken",
            "S: 250 ok\nS: 250 ok\nS: 250 ok\nS: 250 ok\n= ended taken taken dot",
        ),
        (
            "one refused",
            "S: 250 ok\nS: 501 5.1.3 no\nS: 250 ok\nS: 250 ok\n= ended Rcpt:501 taken dot",
        ),
        (
            "one over the limit",
            "S: 250 ok\nS: 250 ok\nS: 452 4.5.3 many\nS: 250 ok\n= ended taken over dot",
        ),
        (
            "nobody accepted: the chunk was in vain, and what the peer still holds is reset",
            "S: 250 ok\nS: 550 no\nS: 450 later\nS: 554 5.5.1 whom\n= ended Rcpt:550 Rcpt:450\n%",
        ),
        (
            "MAIL refused",
            "S: 551 no\nS: 503 no\nS: 503 no\nS: 503 no\n= ended Mail:551 Mail:551\n%",
        ),
        (
            "MAIL refused, RCPT accepted",
            "S: 551 no\nS: 250 ok\nS: 503 no\nS: 503 no\n= ended Mail:551 Mail:551\n%",
        ),
        (
            "taken for nobody is nothing to believe",
            "S: 250 ok\nS: 550 no\nS: 550 no\nS: 250 ok\n= ended Rcpt:550 Rcpt:550\n= closed OutOfTurn",
        ),
        (
            "the content refused: what the peer still holds is reset",
            "S: 250 ok\nS: 250 ok\nS: 250 ok\nS: 554 5.6.0 no\n= ended FinalDot:554 FinalDot:554 dot\n%",
        ),
        (
            "354 is no reply to a chunk",
            "S: 250 ok\nS: 250 ok\nS: 250 ok\nS: 354 go on\n= ended lost:FinalDot lost:FinalDot dot\n= closed OutOfTurn",
        ),
        (
            "lost before anything was answered: the peer had left before",
            "> lost\n= ended lost:Mail lost:Mail\n= closed lost",
        ),
        (
            "lost amid the replies: it may have been taken",
            "S: 250 ok\nS: 250 ok\n> lost\n= ended lost:Rcpt lost:Rcpt dot\n= closed lost",
        ),
        (
            "421 instead of the last reply",
            "S: 250 ok\nS: 250 ok\nS: 250 ok\nS: 421 4.3.2 bye\n= ended FinalDot:421 FinalDot:421 dot\n= closed unavailable 421",
        ),
    ];
    let hello =
        "S: 220 hop\nC: EHLO us.example\nS: 250-hop\nS: 250-PIPELINING\nS: 250-SIZE\nS: 250 CHUNKING\n= ready\n";
    for (name, script) in cases {
        let script = script.replace('%', reset);
        run(name, &format!("{hello}{sent}{script}"));
    }
}

#[test]
fn a_chunk_refused_before_it_is_out_ends_the_session() {
    for (rcpt, said) in [("250 ok", "ended FinalDot:552"), ("550 no", "ended Rcpt:550")] {
        let mut session = ClientSession::new("us.example", Pipelining::WhereOffered);
        session.receive(b"220 hop\r\n250-hop\r\n250-PIPELINING\r\n250 CHUNKING\r\n");
        let mut plan = plan(&session, 1);
        plan.by_chunk(7);
        session.start_with_content(plan, &[b"a\r\n.b\r\n"]);
        let all = session.output().len();
        session.written(all - 3);
        let replies = format!("250 ok\r\n{rcpt}\r\n552 big\r\n");
        let shown: Vec<String> = session.receive(replies.as_bytes()).iter().map(shown).collect();
        assert_eq!(shown, [said, "closed OutOfTurn"], "{rcpt}");
        assert!(session.output().is_empty());
    }
}

#[test]
fn content_that_does_not_fill_its_chunk_is_never_taken() {
    let mut session = ClientSession::new("us.example", Pipelining::WhereOffered);
    let hello = b"220 hop\r\n250-hop\r\n250-PIPELINING\r\n250 CHUNKING\r\n";
    session.receive(hello);
    let mut plan = plan(&session, 1);
    plan.by_chunk(7);
    session.start_with_content(plan, &[b"a\r\n"]);
    // The peer may answer nothing before it has done with all of it.
    assert_eq!(session.awaiting(), Awaiting::Reply(Stage::FinalDot));
    assert!(session.take_output().ends_with(b"BDAT 7 LAST\r\na\r\n"));
    let shown: Vec<String> = session
        .receive(b"250 ok\r\n250 ok\r\n250 ok\r\n")
        .iter()
        .map(shown)
        .collect();
    assert_eq!(shown, ["ended lost:FinalDot", "closed OutOfTurn"]);
}

#[test]
fn greetings() {
    for (name, script) in [
        ("no service", "S: 554 no\n= closed refused 554\nC: QUIT"),
        ("busy", "S: 421 busy\n= closed refused 421\nC: QUIT"),
        (
            "HELO only",
            "S: 220 hop\nC: EHLO us.example\nS: 500 what\nC: HELO us.example\nS: 250 hop\n= ready\n> quit\nC: QUIT\nS: 221 bye\n= closed quit",
        ),
        (
            "neither",
            "S: 220 hop\nC: EHLO us.example\nS: 550 no\nC: HELO us.example\nS: 550 no\n= closed refused 550\nC: QUIT",
        ),
        (
            "EHLO refused for now",
            "S: 220 hop\nC: EHLO us.example\nS: 450 no\n= closed refused 450\nC: QUIT",
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

/// A session whose peer is proved, once there is TLS.
fn opened(starttls: StartTls, sign_in: Option<SignIn>) -> ClientSession {
    let mut session = ClientSession::open(Opening {
        hostname: "us.example".to_owned(),
        pipelining: Pipelining::WhereOffered,
        starttls,
        sign_in,
    });
    session.judged(Peer::Proved);
    session
}

const OFFER: &str =
    "S: 220 hop\nC: EHLO us.example\nS: 250-hop\nS: 250-STARTTLS\nS: 250-AUTH PLAIN\nS: 250 PIPELINING\n";

#[test]
fn starttls_dialogues() {
    let tls = "C: STARTTLS\nS: 220 go\n= starttls\n> tls\nC: EHLO us.example\n";
    let cases: &[(&str, StartTls, &str)] = &[
        (
            "EHLO again",
            StartTls::Required,
            "S: 250-hop\nS: 250 DSN\n= ready\n> quit\nC: QUIT\nS: 221 bye\n= closed quit",
        ),
        (
            "no HELO over TLS",
            StartTls::Required,
            "S: 500 what\n= closed refused 500\nC: QUIT",
        ),
        (
            "421 after TLS",
            StartTls::WhereOffered,
            "S: 421 busy\n= closed refused 421\nC: QUIT",
        ),
    ];
    for (name, starttls, script) in cases {
        run_from(name, &format!("{OFFER}{tls}{script}"), opened(*starttls, None));
    }
    let cases: &[(&str, StartTls, &str)] = &[
        (
            "refused, required",
            StartTls::Required,
            "C: STARTTLS\nS: 454 4.7.0 not now\n= closed unfit 454\nC: QUIT",
        ),
        (
            "refused, not required",
            StartTls::WhereOffered,
            "C: STARTTLS\nS: 454 4.7.0 not now\n= ready",
        ),
        (
            "501, not required",
            StartTls::WhereOffered,
            "C: STARTTLS\nS: 501 5.5.4 what\n= ready",
        ),
        (
            "250 is no answer",
            StartTls::WhereOffered,
            "C: STARTTLS\nS: 250 ok\n= closed OutOfTurn",
        ),
        (
            "421",
            StartTls::Required,
            "C: STARTTLS\nS: 421 bye\n= closed unavailable 421",
        ),
        ("lost", StartTls::Required, "C: STARTTLS\n> lost\n= closed lost"),
        (
            "lost in the handshake",
            StartTls::Required,
            "C: STARTTLS\nS: 220 go\n= starttls\n> lost\n= closed lost",
        ),
        ("never", StartTls::Never, "= ready"),
    ];
    for (name, starttls, script) in cases {
        run_from(name, &format!("{OFFER}{script}"), opened(*starttls, None));
    }
    for (name, starttls, script) in [
        (
            "not offered, required",
            StartTls::Required,
            "= closed TlsNotOffered\nC: QUIT",
        ),
        ("not offered, not required", StartTls::WhereOffered, "= ready"),
    ] {
        let hello = "S: 220 hop\nC: EHLO us.example\nS: 250 hop\n";
        run_from(name, &format!("{hello}{script}"), opened(starttls, None));
    }
    let helo =
        "S: 220 hop\nC: EHLO us.example\nS: 500 what\nC: HELO us.example\nS: 250 hop\n= closed TlsNotOffered\nC: QUIT";
    run_from("HELO has no TLS", helo, opened(StartTls::Required, None));
}

#[test]
fn what_came_before_tls_is_forgotten() {
    let mut session = opened(StartTls::Required, None);
    session.receive(b"220 hop\r\n250-hop\r\n250-STARTTLS\r\n250-AUTH PLAIN\r\n250 SIZE 7\r\n");
    assert!(session.extensions().starttls);
    assert_eq!(session.receive(b"220 go\r\n"), [ClientEvent::StartTls]);
    assert_eq!(session.awaiting(), Awaiting::Handshake);
    session.tls_established();
    assert_eq!(*session.extensions(), Extensions::default());
    session.receive(b"250-hop\r\n250 DSN\r\n");
    assert!(session.extensions().dsn && !session.extensions().starttls);
    assert!(session.is_protected());
}

#[test]
fn octets_behind_the_answer_to_starttls_are_an_attack() {
    for more in [
        "250 hop\r\n",
        "250-hop\r\n250 AUTH PLAIN\r\n",
        "2",
        "\0",
        "\r\n",
        "\x16\x03\x03",
    ] {
        for starttls in [StartTls::Required, StartTls::WhereOffered] {
            // In one packet, and in a second one before the handshake.
            let mut session = opened(starttls, None);
            session.receive(b"220 hop\r\n250-hop\r\n250 STARTTLS\r\n");
            let events = session.receive(format!("220 go\r\n{more}").as_bytes());
            assert_eq!(
                events,
                [ClientEvent::Closed(Closing::Unfit(Unfit::TlsInjected))],
                "{more:?}"
            );
            let mut session = opened(starttls, None);
            session.receive(b"220 hop\r\n250-hop\r\n250 STARTTLS\r\n220 go\r\n");
            let events = session.receive(more.as_bytes());
            assert_eq!(
                events,
                [ClientEvent::Closed(Closing::Unfit(Unfit::TlsInjected))],
                "{more:?}"
            );
        }
    }
}

fn known(mechanisms: &[Mechanism], in_clear: bool) -> Option<SignIn> {
    Some(SignIn {
        user: "lena".to_owned(),
        secret: Secret::new("s3cret"),
        mechanisms: mechanisms
            .iter()
            .fold(Mechanisms::default(), |all, each| all.with([*each])),
        in_clear,
        nonce: "abc".to_owned(),
    })
}

#[test]
fn sign_in_dialogues() {
    let hello = |offer: &str| format!("S: 220 hop\nC: EHLO us.example\nS: 250-hop\nS: 250 {offer}\n");
    let plain = "C: AUTH PLAIN AGxlbmEAczNjcmV0\n";
    let cases: &[(&str, &str, &str)] = &[
        ("taken", "AUTH PLAIN", "@S: 235 2.7.0 ok\n= ready"),
        ("refused", "AUTH PLAIN", "@S: 535 5.7.8 no\n= closed unfit 535\nC: QUIT"),
        (
            "refused for now",
            "AUTH PLAIN",
            "@S: 454 4.7.0 later\n= closed unfit 454\nC: QUIT",
        ),
        ("421", "AUTH PLAIN", "@S: 421 4.7.0 bye\n= closed unavailable 421"),
        ("250 is no answer", "AUTH PLAIN", "@S: 250 ok\n= closed OutOfTurn"),
        ("lost", "AUTH PLAIN", "@> lost\n= closed lost"),
        (
            "a challenge too many",
            "AUTH PLAIN",
            "@S: 334 eA==\n= closed SignInBroken(Challenge)\nC: *\nC: QUIT",
        ),
        (
            "a challenge that is not base64",
            "AUTH LOGIN",
            "C: AUTH LOGIN\nS: 334 Username:\n= closed SignInBroken(Challenge)\nC: *\nC: QUIT",
        ),
        (
            "text in a challenge",
            "AUTH LOGIN",
            "C: AUTH LOGIN\nS: 334 VXNl=cm5h\n= closed SignInBroken(Challenge)\nC: *\nC: QUIT",
        ),
        ("nothing offered", "DSN", "= closed NoMechanism\nC: QUIT"),
        ("nothing we know", "AUTH GSSAPI NTLM", "= closed NoMechanism\nC: QUIT"),
        (
            "login",
            "AUTH LOGIN CRAM-MD5",
            "C: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: bGVuYQ==\nS: 334 UGFzc3dvcmQ6\nC: czNjcmV0\nS: 235 ok\n= ready",
        ),
        (
            "scram before plain, and 235 before its proof",
            "AUTH PLAIN SCRAM-SHA-256",
            "C: AUTH SCRAM-SHA-256 biwsbj1sZW5hLHI9YWJj\nS: 235 ok\n= closed SignInBroken(Unproved)\nC: QUIT",
        ),
    ];
    let all = [Mechanism::Plain, Mechanism::Login, Mechanism::ScramSha256];
    for (name, offer, script) in cases {
        let script = script.replace('@', plain);
        let session = opened(StartTls::Already, known(&all, false));
        run_from(name, &format!("{}{script}", hello(offer)), session);
    }
    let not_protected = format!("{}= closed NotProtected\nC: QUIT", hello("AUTH PLAIN"));
    run_from(
        "in clear, not allowed",
        &not_protected,
        opened(StartTls::WhereOffered, known(&all, false)),
    );
    let allowed = format!("{}{plain}S: 235 ok\n= ready", hello("AUTH PLAIN"));
    run_from(
        "in clear, allowed",
        &allowed,
        opened(StartTls::Never, known(&all, true)),
    );
    let only = format!("{}= closed NoMechanism\nC: QUIT", hello("AUTH PLAIN LOGIN"));
    run_from(
        "the setting names one",
        &only,
        opened(StartTls::Already, known(&[Mechanism::ScramSha256], false)),
    );
    for (offer, told) in [
        ("AUTH PLAIN LOGIN", "= closed NotProved\nC: QUIT"),
        ("AUTH PLAIN SCRAM-SHA-256", "C: AUTH SCRAM-SHA-256 biwsbj1sZW5hLHI9YWJj"),
        ("AUTH NTLM", "= closed NoMechanism\nC: QUIT"),
    ] {
        let mut session = opened(StartTls::Already, known(&all, false));
        session.judged(Peer::Unproved);
        run_from("to anybody", &format!("{}{told}", hello(offer)), session);
    }
    let mut session = opened(StartTls::Already, known(&all, true));
    session.judged(Peer::Unproved);
    run_from(
        "to anybody, allowed",
        &format!("{}{plain}S: 235 ok\n= ready", hello("AUTH PLAIN")),
        session,
    );
    let after = format!(
        "{OFFER}C: STARTTLS\nS: 220 go\n= starttls\n> tls\nC: EHLO us.example\nS: 250-hop\nS: 250 AUTH PLAIN\n{plain}S: 235 ok\n= ready"
    );
    run_from("after TLS", &after, opened(StartTls::Required, known(&all, false)));
}

#[test]
fn any_octet_may_be_the_last() {
    let talk = b"220 hop\r\n250-hop\r\n250-STARTTLS\r\n250 PIPELINING\r\n220 go\r\n";
    for end in 0..talk.len() {
        let mut session = opened(StartTls::Required, known(&[Mechanism::Plain], false));
        assert_eq!(session.receive(&talk[..end]), []);
        assert_eq!(session.connection_lost(), [ClientEvent::Closed(Closing::Lost)], "{end}");
    }
}
