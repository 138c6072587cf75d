//! The listener over real sockets, with an intake in memory.

#[path = "../stories/support/dns.rs"]
#[allow(dead_code, reason = "stories need more of it")]
mod dns;
mod fake;
mod proxied;
mod rated;
mod slow;
mod strangers;

use std::sync::atomic::Ordering;
use std::time::Duration;

use fake::{Disk, Memory, Person, Service};
use muster::mail::{BodyType, ReversePath};
use muster::smtp::client::{ClientEvent, ClientSession, Pipelining};
use muster::smtp::plan::{MailCommand, TransactionPlan};
use muster::track::Reason;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const UNLIMITED: usize = 1_000_000;
const TRANSACTION: &str = "MAIL FROM:<a@fabrikam.example>\r\nRCPT TO:<lena@contoso.example>\r\nDATA\r\n";

async fn begins_content(person: &mut Person) {
    person.says(TRANSACTION).await;
    person.hears("250 2.1.0").await;
    person.hears("250 2.1.5").await;
    person.hears("354").await;
}

#[tokio::test]
async fn pipelined_messages_arrive_whole_and_in_order() {
    let service = Service::start(Memory::new(Disk::Works, UNLIMITED), |_| {});
    let mut person = Person::greeted(service.address).await;
    begins_content(&mut person).await;
    for round in 0..50 {
        person
            .says(format!("Subject: {round}\r\n\r\n..\r\n.\r\n{TRANSACTION}"))
            .await;
        person.hears("250 2.0.0 kept as ").await;
        person.hears("250 2.1.0").await;
        person.hears("250 2.1.5").await;
        person.hears("354").await;
    }
    person.says("x\r\n.\r\nQUIT\r\n").await;
    person.hears("250 2.0.0").await;
    person.hears("221 2.0.0").await;
    person.hears_the_end().await;
    let kept = service.memory.kept();
    assert_eq!(kept.len(), 51);
    for (round, kept) in kept[..50].iter().enumerate() {
        assert_eq!(kept.content, format!("Subject: {round}\r\n\r\n.\r\n"));
        assert_eq!(kept.envelope.recipients.len(), 1);
        assert_eq!(kept.client.helo.as_deref(), Some("client.example"));
        assert!(!kept.client.extended);
    }
    service.sessions_are(0).await;
}

/// The delivery side's machine against the listener, with many recipients and much content.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_client_and_our_server_understand_each_other() {
    let service = Service::start(Memory::new(Disk::Works, UNLIMITED), |settings| {
        settings.recipients_max = 1_000
    });
    let line = "a line of content that begins with nothing special\r\n..two dots\r\n.one dot\r\n";
    let content = format!("Subject: long\r\n\r\n{}", line.repeat(40_000));
    let stream = TcpStream::connect(service.address).await.expect("accepted");
    let (mut reader, mut writer) = stream.into_split();
    let mut session = ClientSession::new("relay.example", Pipelining::WhereOffered);
    let mut buffer = vec![0; 4_096];
    let mut unsent: &[u8] = &[];
    let mut results = Vec::new();
    'session: loop {
        if session.output().is_empty() && !unsent.is_empty() {
            let (chunk, rest) = unsent.split_at(unsent.len().min(10_007));
            session.write_content(chunk);
            unsent = rest;
            if unsent.is_empty() {
                session.finish_content();
            }
        }
        let output = session.output();
        let events = tokio::select! {
            written = writer.write(output), if !output.is_empty() => {
                session.written(written.expect("the connection stands"));
                continue;
            }
            read = reader.read(&mut buffer) => match read.expect("the connection stands") {
                0 => session.connection_lost(),
                count => session.receive(&buffer[..count]),
            },
        };
        for event in events {
            match event {
                ClientEvent::StartTls => unreachable!("TLS is not asked for"),
                ClientEvent::Ready => {
                    let mail = MailCommand {
                        reverse_path: &ReversePath::Null,
                        size_bytes: content.len() as u64,
                        body: BodyType::EightBitMime,
                        smtputf8: true,
                        ret: None,
                        envid: None,
                    };
                    let mut plan = TransactionPlan::new(session.extensions(), &mail).expect("fits");
                    for number in 0..1_200 {
                        let name = if number % 100 == 7 {
                            "unknown".to_owned()
                        } else {
                            format!("r{number}")
                        };
                        plan.recipient(&format!("{name}@contoso.example"), None, None)
                            .expect("plain");
                    }
                    session.start_transaction(plan);
                }
                ClientEvent::SendContent => unsent = content.as_bytes(),
                ClientEvent::Ended(result) => {
                    results.push(result);
                    session.quit();
                }
                ClientEvent::Closed(_) => break 'session,
            }
        }
    }
    let [result] = results.as_slice() else {
        panic!("{} results", results.len())
    };
    assert_eq!((result.taken(), result.recipient_limit()), (1_000, Some(1_000)));
    let kept = service.memory.kept();
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].envelope.recipients.len(), 1_000);
    assert!(kept[0].content == content.as_bytes(), "the content differs");
    assert_eq!(service.memory.finished_off_reactor.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn session_limits_answer_421_and_places_come_back() {
    let service = Service::start(Memory::new(Disk::Works, UNLIMITED), |settings| {
        settings.sessions_per_client_max = 2
    });
    let first = Person::greeted(service.address).await;
    let _second = Person::greeted(service.address).await;
    let mut third = Person::connect(service.address).await;
    third.hears("421 4.7.0 too many sessions").await;
    third.hears_the_end().await;
    drop(first);
    service.sessions_are(1).await;
    Person::greeted(service.address).await;

    let service = Service::start(Memory::new(Disk::Works, UNLIMITED), |settings| {
        settings.sessions_max = 1
    });
    let _first = Person::greeted(service.address).await;
    Person::connect(service.address)
        .await
        .hears("421 4.7.0 too many sessions")
        .await;
}

#[tokio::test]
async fn a_stop_dismisses_the_idle_and_lets_transactions_end() {
    let service = Service::start(Memory::new(Disk::Works, 0), |_| {});
    let mut idle = Person::greeted(service.address).await;
    let mut halfway = Person::greeted(service.address).await;
    begins_content(&mut halfway).await;
    let mut waiting = Person::greeted(service.address).await;
    begins_content(&mut waiting).await;
    waiting.says(format!("x\r\n.\r\n{TRANSACTION}")).await;
    service.begin_stop();
    idle.hears("421 4.3.2").await;
    idle.hears_the_end().await;
    Person::connect(service.address).await.hears("421 4.3.2").await;
    halfway.says("y\r\n.\r\n").await;
    service.memory.gate.add_permits(2);
    // What was answered 250 is kept; the transaction pipelined behind it is not begun.
    waiting.hears("250 2.0.0").await;
    waiting.hears("421 4.3.2").await;
    waiting.hears_the_end().await;
    halfway.hears("250 2.0.0").await;
    halfway.hears("421 4.3.2").await;
    halfway.hears_the_end().await;
    assert_eq!(service.memory.kept().len(), 2);
    assert_eq!(service.stopped().await.sessions_cut, 0);
}

#[tokio::test]
async fn a_stop_cuts_what_does_not_end() {
    let service = Service::start(Memory::new(Disk::Works, 0), |settings| {
        settings.shutdown_timeout = Duration::ZERO
    });
    let mut person = Person::greeted(service.address).await;
    begins_content(&mut person).await;
    service.begin_stop();
    assert_eq!(service.stopped().await.sessions_cut, 1);
    person.hears_the_end().await;
}

#[tokio::test]
async fn a_silent_client_is_told() {
    let service = Service::start(Memory::new(Disk::Works, UNLIMITED), |settings| {
        settings.command_timeout = Duration::from_millis(50);
    });
    let mut person = Person::connect(service.address).await;
    person.hears("220").await;
    person.hears("421 4.4.2").await;
    person.hears_the_end().await;
}

#[tokio::test]
async fn octets_without_a_line_end_do_not_move_the_deadline() {
    let service = Service::start(Memory::new(Disk::Works, UNLIMITED), |settings| {
        settings.command_timeout = Duration::from_millis(100);
    });
    let mut person = Person::connect(service.address).await;
    person.hears("220").await;
    let mut ticks = tokio::time::interval(Duration::from_millis(5));
    let heard = loop {
        tokio::select! {
            line = person.line() => break line,
            _ = ticks.tick() => {}
        }
        person.mutters("x").await;
    };
    assert!(heard.starts_with("421 4.4.2"), "{heard:?}");
}

#[tokio::test]
async fn silence_within_content_ends_the_session_and_keeps_nothing() {
    let service = Service::start(Memory::new(Disk::Works, UNLIMITED), |settings| {
        settings.data_block_timeout = Duration::from_millis(50);
    });
    let mut person = Person::greeted(service.address).await;
    begins_content(&mut person).await;
    person.says("half a mess").await;
    person.hears("421 4.4.2").await;
    person.hears_the_end().await;
    assert!(service.memory.kept().is_empty());
}

#[tokio::test]
async fn content_slower_than_the_least_pace_ends_the_session() {
    let service = Service::start(Memory::new(Disk::Works, UNLIMITED), |settings| {
        settings.data_block_timeout = Duration::from_millis(200);
        settings.data_octets_per_second_min = 1_000_000;
    });
    let mut person = Person::greeted(service.address).await;
    begins_content(&mut person).await;
    let mut ticks = tokio::time::interval(Duration::from_millis(5));
    let heard = loop {
        tokio::select! {
            line = person.line() => break line,
            _ = ticks.tick() => {}
        }
        person.mutters("x\r\n").await;
    };
    assert!(heard.starts_with("421 4.4.2"), "{heard:?}");
}

#[tokio::test]
async fn refused_content_is_tracked_and_the_session_goes_on() {
    let service = Service::start(Memory::new(Disk::Works, UNLIMITED), |settings| {
        settings.message_octets_max = 1_000
    });
    let mut person = Person::greeted(service.address).await;
    for (content, reply, reason) in [
        ("bare\nLF", "550 5.6.11", Reason::BareLineEnd),
        (&"x".repeat(5_000), "552 5.3.4", Reason::TooLargeForSystem),
    ] {
        begins_content(&mut person).await;
        person.says(format!("{content}\r\n.\r\n")).await;
        person.hears(reply).await;
        let (from, code, tracked) = service.memory.refusals().pop().expect("tracked before the reply");
        assert_eq!((from.as_str(), tracked), ("<a@fabrikam.example>", reason));
        assert!(reply.starts_with(&code.to_string()));
    }
    begins_content(&mut person).await;
    person.says("good\r\n.\r\n").await;
    person.hears("250 2.0.0").await;
    assert_eq!(service.memory.kept().len(), 1);
}

#[tokio::test]
async fn content_that_cannot_be_written_stays_with_the_client() {
    for (disk, reply, reason) in [
        (Disk::Full, "452 4.3.1", Reason::DiskLow),
        (Disk::Broken, "451 4.3.0", Reason::StoreSuspect),
        (Disk::FinishFails, "451 4.3.0", Reason::StoreSuspect),
    ] {
        let service = Service::start(Memory::new(disk, UNLIMITED), |_| {});
        let mut person = Person::greeted(service.address).await;
        begins_content(&mut person).await;
        person.says("x\r\n.\r\nRSET\r\n").await;
        person.hears(reply).await;
        person.hears("250 2.0.0 reset").await;
        assert_eq!(
            service.memory.refusals().pop().map(|refusal| refusal.2),
            Some(reason),
            "{disk:?}"
        );
        assert!(service.memory.kept().is_empty());
    }
}

/// A client that asks and never reads fills no memory of ours: it is given up.
#[tokio::test]
async fn a_client_that_never_reads_is_given_up() {
    let service = Service::start(Memory::new(Disk::Works, UNLIMITED), |settings| {
        settings.command_timeout = Duration::from_millis(200);
    });
    let mut stream = TcpStream::connect(service.address).await.expect("accepted");
    let group = "HELP\r\n".repeat(10_000);
    fake::in_time("the listener to give up", async {
        while stream.write_all(group.as_bytes()).await.is_ok() {}
    })
    .await;
    service.sessions_are(0).await;
}

#[tokio::test]
async fn a_browser_is_cut_off() {
    let service = Service::start(Memory::new(Disk::Works, UNLIMITED), |_| {});
    let mut person = Person::connect(service.address).await;
    let mail = "EHLO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<lena@contoso.example>\r\nDATA\r\nx\r\n.\r\n";
    person
        .mutters(&format!("POST / HTTP/1.1\r\nHost: mx\r\n\r\n{mail}"))
        .await;
    person.hears("220").await;
    person.hears("421 4.7.0").await;
    person.hears_the_end().await;
    assert!(service.memory.kept().is_empty());
}
