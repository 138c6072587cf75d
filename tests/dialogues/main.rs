//! Dialogues: conversations as text, run through the server machine.
//!
//! ```text
//! # what this shows
//! C: a line of the client; escapes \r \n \0 \t \xNN, and \*N(text) for text N times
//! c: the same without a CRLF at the end
//! S: exactly what we must have answered; `…` at the end means "and more"
//! = what the listener was told
//! > answer 250 2.0.0 text        what the listener answers to a submission
//! > secured                      the handshake was made; `> secured bound` with something to bind to
//! > vouch yes                    who knows the accounts answers: yes, no, or later
//! @ starttls auth                how the listener protects its sessions: starttls, starttls=required, auth,
//!                                auth=required, plaintext (AUTH without TLS), xclient
//! ```
//! Consecutive client lines arrive as one packet; every dialogue runs a second time octet by octet, unless `@ packets`
//! stands below its name.

use std::collections::VecDeque;
use std::sync::Arc;

use muster::mail::{Envelope, Mailbox, Reply, ReversePath};
use muster::smtp::command::ForwardPath;
use muster::smtp::params::RcptParameters;
use muster::smtp::sasl::scram::Binding;
use muster::smtp::sasl::{Answer, Mechanism, Mechanisms, Question, SaslFault};
use muster::smtp::server::{Action, AuthPolicy, Channel, Gate, Protection, ServerProfile, ServerSession, StartTls};
use muster::smtp::xclient::Claims;
use muster::track::Reason;

/// contoso.example is ours; the local-part says what happens.
#[derive(Default)]
struct Rules {
    told: VecDeque<String>,
    content: Vec<u8>,
}

fn verdict(mailbox: &Mailbox) -> Result<(), Reply> {
    match mailbox.local_part() {
        "spoofed" => Err(Reply::new(550, (5, 7, 1), "sender refused")),
        "later" => Err(Reply::new(451, (4, 3, 0), "try again later")),
        "unknown" => Err(Reply::new(550, (5, 1, 10), "no such recipient")),
        "bye" => Err(Reply::new(421, (4, 3, 2), "stopping")),
        _ => Ok(()),
    }
}

impl Gate for Rules {
    fn hello(&mut self, _name: &Arc<str>, _extended: bool) {}

    fn authenticated(&mut self) {
        self.told.push_back("authenticated".to_owned());
    }

    fn not_authenticated(&mut self, fault: SaslFault) {
        self.told.push_back(format!("not authenticated: {fault:?}"));
    }

    fn speaks_for(&mut self, claims: &Claims) {
        self.told
            .push_back(format!("speaks for {:?} {:?}", claims.address, claims.helo));
    }

    fn mail(&mut self, envelope: &Envelope) -> Result<(), Reply> {
        envelope.reverse_path.mailbox().map_or(Ok(()), verdict)
    }

    fn rcpt(
        &mut self,
        _envelope: &Envelope,
        path: &ForwardPath,
        _parameters: &RcptParameters,
    ) -> Result<Mailbox, Reply> {
        match path {
            ForwardPath::Postmaster => Ok(Mailbox::parse("admin@contoso.example").expect("valid")),
            ForwardPath::Mailbox(mailbox) if mailbox.domain_key().as_str() == "contoso.example" => {
                verdict(mailbox).map(|()| mailbox.clone())
            }
            ForwardPath::Mailbox(_) => Err(Reply::new(550, (5, 7, 1), "relaying denied")),
        }
    }

    fn begin_content(&mut self, envelope: &Envelope) -> Result<(), Reply> {
        self.content.clear();
        match envelope.reverse_path.as_str() {
            "full@fabrikam.example" => Err(Reply::new(452, (4, 3, 1), "no room")),
            _ => Ok(()),
        }
    }

    fn content(&mut self, octets: &[u8]) {
        self.content.extend_from_slice(octets);
    }

    fn refused(&mut self, reverse_path: &ReversePath, reply: &Reply, reason: Reason) {
        self.told
            .push_back(format!("refused {reverse_path} {} {reason}", reply.code));
    }
}

fn unescaped(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.extend_from_slice(&rest.as_bytes()[..at]);
        let escape = &rest[at + 1..];
        rest = &escape[1..];
        match &escape[..1] {
            "r" => out.push(b'\r'),
            "n" => out.push(b'\n'),
            "0" => out.push(0),
            "t" => out.push(b'\t'),
            "\\" => out.push(b'\\'),
            "x" => {
                out.push(u8::from_str_radix(&rest[..2], 16).expect("two hexadecimal digits"));
                rest = &rest[2..];
            }
            "*" => {
                let (count, tail) = rest.split_once('(').expect("a count");
                let (unit, tail) = tail.split_once(')').expect("a closing parenthesis");
                out.extend(unescaped(unit).repeat(count.parse().expect("a count")));
                rest = tail;
            }
            other => panic!("unknown escape \\{other}"),
        }
    }
    out.extend_from_slice(rest.as_bytes());
    out
}

/// `\*N(text)` for text N times, and nothing else unescaped: what is told is shown with its escapes.
fn repeated(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, escape)) = rest.split_once("\\*") {
        let (count, tail) = escape.split_once('(').expect("a count");
        let (unit, tail) = tail.split_once(')').expect("a closing parenthesis");
        out += before;
        out += &unit.repeat(count.parse().expect("a count"));
        rest = tail;
    }
    out + rest
}

fn shown(envelope: &Envelope, content: &[u8]) -> String {
    let recipients: Vec<String> = envelope
        .recipients
        .iter()
        .map(|recipient| {
            let mut text = recipient.forward_path.to_string();
            if let Some(notify) = recipient.notify {
                text.push_str(&format!(" NOTIFY={notify}"));
            }
            if let Some(original) = &recipient.original {
                text.push_str(&format!(" ORCPT={};{}", original.address_type, original.xtext));
            }
            text
        })
        .collect();
    let content = String::from_utf8_lossy(content).escape_default().to_string();
    let mut text = format!("{} to {}", envelope.reverse_path, recipients.join(", "));
    if let Some(envid) = &envelope.envid {
        text.push_str(&format!(" ENVID={envid}"));
    }
    if let Some(ret) = envelope.ret {
        text.push_str(&format!(" RET={ret:?}"));
    }
    if envelope.require_tls {
        text.push_str(" REQUIRETLS");
    }
    format!("{text}: {content}")
}

/// RFC 2034 §4: a reply has a status of its own class, but for the greeting, the answers to EHLO and HELO, and those in
/// between.
fn has_its_status(line: &str) -> bool {
    let without = ["220 mx.", "250-", "250 mx.", "250 HELP", "334 ", "354 "];
    if without.iter().any(|start| line.starts_with(start)) {
        return true;
    }
    let class = &line[..1];
    let status = line
        .get(4..)
        .and_then(|rest| rest.split(' ').next())
        .unwrap_or_default();
    let numbers: Vec<&str> = status.split('.').collect();
    ["2", "4", "5"].contains(&class)
        && numbers.len() == 3
        && numbers[0] == class
        && numbers.iter().all(|number| number.parse::<u16>().is_ok())
}

struct Run {
    name: String,
    session: ServerSession,
    rules: Rules,
    input: Vec<u8>,
    out: Vec<u8>,
    closed: bool,
    /// STARTTLS was answered; the handshake is due.
    handshake: bool,
}

impl Run {
    fn new(name: &str, script: &str) -> Self {
        let words = |word: &str| {
            script
                .lines()
                .any(|line| line.starts_with("@ ") && line.split(' ').any(|w| w == word))
        };
        let protection = Protection {
            starttls: match () {
                () if words("starttls=required") => StartTls::Required,
                () if words("starttls") => StartTls::Offered,
                () => StartTls::Absent,
            },
            auth: if words("auth") || words("auth=required") {
                Mechanisms::default().with(Mechanism::ALL)
            } else {
                Mechanisms::default()
            },
            auth_in_plaintext: words("plaintext"),
            policy: if words("auth=required") {
                AuthPolicy::Required
            } else {
                AuthPolicy::Optional
            },
        };
        let profile = Arc::new(ServerProfile::new("mx.contoso.example", 1_000, 3, 5, protection));
        let mut out = Vec::new();
        let session = ServerSession::open(profile, Channel::Plaintext, &mut out);
        Self {
            name: name.to_owned(),
            session: if words("xclient") {
                session.that_may_speak_for_others()
            } else {
                session
            },
            rules: Rules::default(),
            input: Vec::new(),
            out,
            closed: false,
            handshake: false,
        }
    }

    fn feed(&mut self, octets: &[u8]) {
        self.input.extend_from_slice(octets);
        while !self.closed {
            let (used, action) = self.session.receive(&self.input, &mut self.rules, &mut self.out);
            self.input.drain(..used);
            match action {
                Action::Read => break,
                Action::Write => {
                    if !self.rules.told.is_empty() {
                        break;
                    }
                }
                Action::Submit(envelope) => {
                    let text = shown(&envelope, &self.rules.content);
                    self.rules.told.push_back(text);
                    break;
                }
                Action::StartTls => {
                    // What came behind may not be taken for TLS: it is left where it is.
                    if !std::mem::replace(&mut self.handshake, true) {
                        self.rules.told.push_back("starttls".to_owned());
                    }
                    break;
                }
                Action::Ask(question) => {
                    let text = match &question {
                        Question::Password { name, password } => format!("password {name} {}", password.reveal()),
                        Question::Token { name, token } => format!("token {name} {}", token.reveal()),
                        Question::Keys { name } => format!("keys {name}"),
                    };
                    self.rules.told.push_back(format!("asked for {text}"));
                    break;
                }
                Action::Close => {
                    self.closed = true;
                    self.rules.told.push_back("closed".to_owned());
                }
            }
        }
    }

    fn expect_line(&mut self, expected: &str, place: &str) {
        let out = String::from_utf8_lossy(&self.out).into_owned();
        let Some((line, _)) = out.split_once("\r\n") else {
            panic!("{}, {place}: nothing more was answered: {out:?}", self.name);
        };
        assert!(has_its_status(line), "{}, {place}: {line:?}", self.name);
        match expected.strip_suffix('…') {
            Some(start) => assert!(line.starts_with(start), "{}, {place}: answered {line:?}", self.name),
            None => assert_eq!(line, expected, "{}, {place}", self.name),
        }
        self.out.drain(..line.len() + 2);
    }

    fn finish(self) {
        let out = String::from_utf8_lossy(&self.out).into_owned();
        assert!(out.is_empty(), "{}: more was answered: {out:?}", self.name);
        assert!(
            self.rules.told.is_empty(),
            "{}: more happened: {:?}",
            self.name,
            self.rules.told
        );
    }
}

fn play(name: &str, script: &str, octet_by_octet: bool) {
    let mut run = Run::new(name, script);
    run.expect_line("220 mx.contoso.example ESMTP muster", "greeting");
    let mut packet = Vec::new();
    for line in script.lines().filter(|line| !line.starts_with("@")).chain(["."]) {
        let place = format!("octet by octet {octet_by_octet}: {line}");
        let (kind, rest) = line.split_once(' ').unwrap_or((line, ""));
        if let "C:" | "c:" = kind {
            packet.extend(unescaped(rest));
            if kind == "C:" {
                packet.extend_from_slice(b"\r\n");
            }
            continue;
        }
        let sent = std::mem::take(&mut packet);
        if octet_by_octet {
            sent.chunks(1).for_each(|octet| run.feed(octet));
        } else if !sent.is_empty() {
            run.feed(&sent);
        }
        match kind {
            "S:" => run.expect_line(rest, &place),
            "=" => {
                let expected = repeated(rest);
                assert_eq!(run.rules.told.pop_front(), Some(expected), "{name}, {place}");
            }
            ">" if rest.starts_with("secured") => {
                run.input.clear();
                run.handshake = false;
                let binding = Binding {
                    exporter: rest.ends_with("bound").then(|| vec![7; 32]),
                };
                run.session.secured(Channel::Secure(binding));
                run.feed(b"");
            }
            ">" if rest.starts_with("vouch") => {
                let answer = match rest {
                    "vouch yes" => Answer::Vouched,
                    "vouch no" => Answer::Refused,
                    _ => Answer::Unavailable,
                };
                run.session.vouch(answer, &mut run.rules, &mut run.out);
                run.feed(b"");
            }
            ">" => {
                let mut words = rest.splitn(4, ' ');
                assert_eq!(words.next(), Some("answer"), "{name}, {place}");
                let code = words.next().and_then(|word| word.parse().ok()).expect("a code");
                let status = words.next().and_then(|word| word.parse().ok());
                let text = words.next().unwrap_or_default().to_owned();
                let reply = Reply {
                    code,
                    status,
                    text: text.into(),
                };
                run.session.answer(&reply, &mut run.out);
                run.feed(b"");
            }
            "." | "" => {}
            other => panic!("{name}: unknown line kind {other:?}"),
        }
    }
    run.finish();
}

#[test]
fn dialogues() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/dialogues");
    let mut count = 0;
    for file in std::fs::read_dir(folder).expect("the folder of this test") {
        let path = file.expect("readable").path();
        if path.extension().is_none_or(|extension| extension != "txt") {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("readable");
        for dialogue in text.split("\n# ").map(|part| part.trim_start_matches("# ")) {
            let (name, script) = dialogue.split_once('\n').unwrap_or((dialogue, ""));
            play(name, script, false);
            if !script.starts_with("@ packets") {
                play(name, script, true);
            }
            count += 1;
        }
    }
    assert!(count >= 40, "only {count} dialogues were found");
}
