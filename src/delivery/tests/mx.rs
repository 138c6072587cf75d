//! Mail exchangers by DNS (`reliability.md` T8): only a name server's own word is permanent.

use std::collections::HashMap;
use std::net::Ipv4Addr;

use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, CNAME, MX, SOA};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use tokio::net::UdpSocket;

use super::*;

/// What the name server answers to a question.
#[derive(Clone)]
pub(super) enum Answer {
    /// These records.
    Records(Vec<RData>),
    /// The name does not exist.
    NxDomain,
    /// The name exists, the record does not.
    NoData,
    /// This code.
    Code(ResponseCode),
    /// Nothing.
    Silence,
    /// Cut short; and there is no TCP.
    Truncated,
    /// With another id than the question's.
    WrongId,
}

pub(super) type Entry = (&'static str, RecordType, Answer);

/// A name server on loopback with an answer per name and type; anything else does not exist.
pub(super) struct Zone {
    pub(super) address: SocketAddr,
    answers: Arc<Mutex<HashMap<(String, RecordType), Answer>>>,
}

impl Zone {
    pub(super) async fn start(answers: Vec<Entry>) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
        let address = socket.local_addr().expect("bound");
        let answers = answers
            .into_iter()
            .map(|(name, kind, answer)| ((name.to_owned(), kind), answer));
        let answers = Arc::new(Mutex::new(answers.collect::<HashMap<_, _>>()));
        tokio::spawn(serve(socket, Arc::clone(&answers)));
        Self { address, answers }
    }

    pub(super) fn set(&self, name: &str, kind: RecordType, answer: Answer) {
        let mut answers = self.answers.lock().expect("no panic under the lock");
        answers.insert((name.to_owned(), kind), answer);
    }
}

async fn serve(socket: UdpSocket, answers: Arc<Mutex<HashMap<(String, RecordType), Answer>>>) {
    let mut buffer = vec![0; 4_096];
    while let Ok((count, from)) = socket.recv_from(&mut buffer).await {
        let Ok(question) = Message::from_vec(&buffer[..count]) else {
            continue;
        };
        let query = question.queries[0].clone();
        let name = query.name().to_ascii().trim_end_matches('.').to_ascii_lowercase();
        let answer = {
            let answers = answers.lock().expect("no panic under the lock");
            let answer = answers.get(&(name.clone(), query.query_type())).cloned();
            let exists = answers.keys().any(|(known, _)| *known == name);
            answer.unwrap_or(if exists { Answer::NoData } else { Answer::NxDomain })
        };
        let mut reply = Message::response(question.metadata.id, question.metadata.op_code);
        reply.add_query(query.clone());
        match answer {
            Answer::Records(records) => {
                let record = |data| Record::from_rdata(query.name().clone(), 0, data);
                reply.add_answers(records.into_iter().map(record));
            }
            Answer::NxDomain => {
                reply.metadata.response_code = ResponseCode::NXDomain;
                reply.authorities.push(authority(query.name()));
            }
            Answer::NoData => reply.authorities.push(authority(query.name())),
            Answer::Code(code) => reply.metadata.response_code = code,
            Answer::Silence => continue,
            Answer::Truncated => reply.metadata.truncation = true,
            Answer::WrongId => reply.metadata.id ^= 1,
        }
        let octets = reply.to_vec().expect("a message that can be written");
        let _ = socket.send_to(&octets, from).await;
    }
}

fn authority(name: &Name) -> Record {
    let host = Name::from_ascii("ns.example.").expect("a name");
    Record::from_rdata(name.clone(), 0, RData::SOA(SOA::new(host.clone(), host, 1, 1, 1, 1, 0)))
}

pub(super) fn mx(preference: u16, host: &str) -> RData {
    RData::MX(MX::new(
        preference,
        Name::from_ascii(format!("{host}.")).expect("a name"),
    ))
}

pub(super) fn loopback() -> Answer {
    Answer::Records(vec![RData::A(A(Ipv4Addr::LOCALHOST))])
}

/// An MX hop whose exchangers listen where `hop` does.
fn world(zone: &Zone, port: u16) -> World {
    let mut next = NextHop::new("internet", Target::Mx, "relay.example");
    quick(&mut next);
    next.mx_port = port;
    let settings = DeliverySettings {
        name_servers: vec![zone.address],
        dns_timeout: Duration::from_millis(100),
        own_names: vec!["mx.relay.example".to_owned()],
        ..DeliverySettings::default()
    };
    World::start_with(vec![next], settings, Arc::new(AsQueued))
}

fn letter() -> Letter {
    Letter::to("domain:fabrikam.example", &["a@fabrikam.example"])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_exchanger_of_the_domain_gets_the_copy() {
    let hop = Hop::start(Behaviour::default()).await;
    let zone = Zone::start(vec![
        (
            "fabrikam.example",
            RecordType::MX,
            Answer::Records(vec![mx(20, "b.example"), mx(10, "a.example")]),
        ),
        ("a.example", RecordType::A, loopback()),
    ])
    .await;
    let world = world(&zone, hop.address.port());
    world.send(vec![letter()]).await;
    world.idle().await;
    assert_eq!(hop.recipients(), ["a@fabrikam.example"]);
    let send = world.event(|kind| matches!(kind, EventKind::Send { .. })).await;
    let EventKind::Send { remote, .. } = send.kind else {
        panic!("just matched");
    };
    assert_eq!(remote, format!("a.example [127.0.0.1]:{}", hop.address.port()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_exchangers_the_domain_is_its_own() {
    let hop = Hop::start(Behaviour::default()).await;
    let zone = Zone::start(vec![("fabrikam.example", RecordType::A, loopback())]).await;
    let world = world(&zone, hop.address.port());
    world.send(vec![letter()]).await;
    world.idle().await;
    assert_eq!(hop.recipients(), ["a@fabrikam.example"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_literal_needs_no_dns() {
    let hop = Hop::start(Behaviour::default()).await;
    let zone = Zone::start(Vec::new()).await;
    let world = world(&zone, hop.address.port());
    world
        .send(vec![Letter::to("domain:[127.0.0.1]", &["a@[127.0.0.1]"])])
        .await;
    world.idle().await;
    assert_eq!(hop.recipients(), ["a@[127.0.0.1]"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_dns_says_for_good_fails() {
    let null = RData::MX(MX::new(0, Name::root()));
    let cases: Vec<(&str, Vec<Entry>, &str)> = vec![
        ("no such domain", Vec::new(), "550 5.1.2"),
        (
            "null MX",
            vec![("fabrikam.example", RecordType::MX, Answer::Records(vec![null]))],
            "556 5.1.10",
        ),
        (
            "neither exchanger nor address",
            vec![("fabrikam.example", RecordType::TXT, Answer::NoData)],
            "550 5.4.4",
        ),
        (
            "an exchanger that does not exist",
            vec![(
                "fabrikam.example",
                RecordType::MX,
                Answer::Records(vec![mx(10, "gone.example")]),
            )],
            "550 5.4.4",
        ),
        (
            "ourselves",
            vec![
                (
                    "fabrikam.example",
                    RecordType::MX,
                    Answer::Records(vec![mx(10, "MX.relay.example")]),
                ),
                ("mx.relay.example", RecordType::A, loopback()),
            ],
            "554 5.4.6",
        ),
    ];
    for (name, answers, wanted) in cases {
        let zone = Zone::start(answers).await;
        let world = world(&zone, 1);
        world.send(vec![letter()]).await;
        world.idle().await;
        let requests = world.notes.requests.lock().expect("no panic");
        let reply = requests[0].recipients[0].reply.as_ref().expect("a reply");
        let found = format!("{} {}", reply.code, reply.status_or_generic());
        assert_eq!(found, wanted, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trouble_with_dns_waits_and_nothing_is_lost() {
    let good = || Answer::Records(vec![mx(10, "a.example")]);
    let alias = Name::from_ascii("fabrikam.example.").expect("a name");
    let troubles: Vec<(&str, RecordType, Answer)> = vec![
        ("SERVFAIL", RecordType::MX, Answer::Code(ResponseCode::ServFail)),
        ("REFUSED", RecordType::MX, Answer::Code(ResponseCode::Refused)),
        ("silence", RecordType::MX, Answer::Silence),
        ("truncated without TCP", RecordType::MX, Answer::Truncated),
        ("another's answer", RecordType::MX, Answer::WrongId),
        (
            "a CNAME loop",
            RecordType::MX,
            Answer::Records(vec![RData::CNAME(CNAME(alias))]),
        ),
        (
            "SERVFAIL for the address",
            RecordType::A,
            Answer::Code(ResponseCode::ServFail),
        ),
        ("silence for the address", RecordType::A, Answer::Silence),
    ];
    for (name, kind, trouble) in troubles {
        let hop = Hop::start(Behaviour::default()).await;
        let zone = Zone::start(vec![
            ("fabrikam.example", RecordType::MX, good()),
            ("a.example", RecordType::A, loopback()),
        ])
        .await;
        let asked = if kind == RecordType::MX {
            "fabrikam.example"
        } else {
            "a.example"
        };
        zone.set(asked, kind, trouble);
        let world = world(&zone, hop.address.port());
        world.send(vec![letter()]).await;
        let event = world.event(|kind| matches!(kind, EventKind::Defer { .. })).await;
        let EventKind::Defer { reason, .. } = event.kind else {
            panic!("just matched");
        };
        assert_eq!(reason, Reason::DnsFailed, "{name}");
        let repaired = if kind == RecordType::MX { good() } else { loopback() };
        zone.set(asked, kind, repaired);
        world.idle().await;
        assert_eq!(hop.recipients(), ["a@fabrikam.example"], "{name}");
        assert!(world.reports().is_empty(), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_domain_in_trouble_holds_up_no_other() {
    let hop = Hop::start(Behaviour::default()).await;
    let zone = Zone::start(vec![
        ("fabrikam.example", RecordType::MX, Answer::Silence),
        ("good.example", RecordType::A, loopback()),
    ])
    .await;
    let world = world(&zone, hop.address.port());
    world
        .send(vec![letter(), Letter::to("domain:good.example", &["b@good.example"])])
        .await;
    hop.wait(|seen| seen.copies.len() == 1).await;
    assert_eq!(hop.recipients(), ["b@good.example"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_domains_mta_sts_policy_decides_where_and_how_its_mail_goes() {
    let leaf = tls::Authority::new().leaf(&["a.example"]);
    for (mode, mx, wanted) in [
        ("enforce", "other.example", Some(crate::track::Reason::MtaStsFailed)),
        // The host is named, and nobody that the system knows vouches for it.
        ("enforce", "*.example", Some(crate::track::Reason::TlsUnverified)),
        ("testing", "other.example", None),
        ("none", "other.example", None),
    ] {
        let behaviour = Behaviour {
            tls: Some((leaf.server(), hop::Begins::ByStartTls)),
            ..Behaviour::default()
        };
        let hop = Hop::start(behaviour).await;
        let zone = Zone::start(vec![
            (
                "fabrikam.example",
                RecordType::MX,
                Answer::Records(vec![self::mx(10, "a.example")]),
            ),
            ("a.example", RecordType::A, loopback()),
        ])
        .await;
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("mta-sts.json");
        let policy = format!(r#"{{"mode":"{mode}","mx":["{mx}"],"max_age":86400}}"#);
        let known =
            format!(r#"{{"fabrikam.example":{{"id":"1","policy":{policy},"expires_at":"2999-01-01T00:00:00Z"}}}}"#);
        std::fs::write(&file, known).expect("writable");
        let mut next = NextHop::new("internet", Target::Mx, "relay.example");
        quick(&mut next);
        next.mx_port = hop.address.port();
        let settings = DeliverySettings {
            name_servers: vec![zone.address],
            dns_timeout: Duration::from_millis(100),
            mta_sts_file: Some(file),
            ..DeliverySettings::default()
        };
        let world = World::start_with(vec![next], settings, Arc::new(AsQueued));
        // RFC 8689 §4.2.2: what says `TLS-Required: No` does not wait for the policy, and has TLS all the same.
        let optional = Letter::to("domain:fabrikam.example,tls-optional", &["o@fabrikam.example"]);
        world.send(vec![optional]).await;
        hop.wait(|seen| seen.copies.len() == 1).await;
        assert!(hop.seen(|seen| seen.copies[0].protected), "{mode} {mx}");
        hop.forget();
        world.send(vec![letter()]).await;
        let Some(wanted) = wanted else {
            world.idle().await;
            assert_eq!(hop.recipients(), ["a@fabrikam.example"], "{mode}");
            continue;
        };
        let defer = world.event(|kind| matches!(kind, EventKind::Defer { .. })).await;
        let EventKind::Defer { reason, .. } = defer.kind else {
            panic!("just matched");
        };
        assert_eq!(reason, wanted, "{mode} {mx}");
        assert_eq!(hop.seen(|seen| seen.transactions), 0, "{mode} {mx}");
    }
}
