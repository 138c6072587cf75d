//! What is asked of strangers: patience, a name, and that no list names them.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use muster::listener::{
    AddressList, AnswerRange, HelloCheck, ListAction, ListenerSettings, ReverseCheck, StrangerSettings,
};
use muster::track::Reason;

use crate::dns::NameServer;
use crate::fake::{Memory, Person, Service};

const HOUR: Duration = Duration::from_secs(3_600);

fn start(change: impl FnOnce(&mut StrangerSettings)) -> Service {
    Service::start(Memory::that_trusts_some(), |settings: &mut ListenerSettings| {
        settings.proxy_from = vec!["127.0.0.1".parse().expect("an address")];
        change(&mut settings.strangers);
    })
}

/// A connection of this client, by a proxy.
async fn comes(service: &Service, client: &str) -> Person {
    let mut person = Person::connect(service.address).await;
    let header = if client.contains(':') {
        format!("PROXY TCP6 {client} ::1 1 25\r\n")
    } else {
        format!("PROXY TCP4 {client} 127.0.0.1 1 25\r\n")
    };
    person.says(header).await;
    person
}

fn reasons(service: &Service) -> Vec<Reason> {
    service.memory.refusals().iter().map(|refusal| refusal.2).collect()
}

#[tokio::test]
async fn who_speaks_before_the_greeting_is_whole_is_refused() {
    let service = start(|strangers| strangers.greeting_delay = HOUR);
    let mut hasty = comes(&service, "192.0.2.1").await;
    hasty.hears("220-mx.contoso.example").await;
    hasty.says("EHLO client.example\r\n").await;
    hasty.hears("554 5.5.1").await;
    hasty.hears_the_end().await;
    // So is who speaks at once, with all that he has to say.
    let mut blind = comes(&service, "192.0.2.1").await;
    blind
        .mutters(&format!("EHLO client.example\r\n{}", crate::TRANSACTION))
        .await;
    blind.hears("220-").await;
    blind.hears("554 5.5.1").await;
    blind.hears_the_end().await;
    assert_eq!(reasons(&service), [Reason::SpokeBeforeGreeting; 2]);
    // Who only looks whether somebody answers leaves nothing behind.
    drop(comes(&service, "192.0.2.1").await);
    service.sessions_are(0).await;
    let mut trusted = comes(&service, "203.0.113.1").await;
    trusted.hears("220 mx.contoso.example").await;
}

#[tokio::test]
async fn who_waits_is_greeted() {
    let service = start(|strangers| strangers.greeting_delay = Duration::from_millis(50));
    let began = Instant::now();
    let mut person = comes(&service, "192.0.2.1").await;
    person.hears("220-mx.contoso.example").await;
    person.hears("220 mx.contoso.example").await;
    assert!(began.elapsed() >= Duration::from_millis(50));
    person.says("HELO client.example\r\n").await;
    person.hears("250 mx").await;
    crate::begins_content(&mut person).await;
    person.says("x\r\n.\r\n").await;
    person.hears("250 2.0.0").await;
}

#[tokio::test]
async fn a_stop_does_not_wait_for_the_greeting() {
    let service = start(|strangers| strangers.greeting_delay = HOUR);
    let mut person = comes(&service, "192.0.2.1").await;
    person.hears("220-").await;
    service.begin_stop();
    person.hears("421 4.3.2").await;
    assert_eq!(service.stopped().await.sessions_cut, 0);
}

#[tokio::test]
async fn errors_are_answered_later_and_later() {
    let service = start(|strangers| {
        strangers.tarpit = Duration::from_millis(20);
        strangers.tarpit_max = Duration::from_millis(60);
    });
    let took = |client: &'static str| {
        let service = &service;
        async move {
            let mut person = comes(service, client).await;
            person.hears("220").await;
            let mut took = Vec::new();
            for (says, hears) in [
                ("NOOP", "250"),
                ("FOO", "500"),
                ("FOO", "500"),
                ("FOO", "500"),
                ("NOOP", "250"),
            ] {
                let began = Instant::now();
                person.says(format!("{says}\r\n")).await;
                person.hears(hears).await;
                took.push(began.elapsed());
            }
            took
        }
    };
    let stranger = took("192.0.2.1").await;
    for (took, least) in stranger.iter().zip([0, 20, 40, 60, 0]) {
        assert!(*took >= Duration::from_millis(least), "{stranger:?}");
    }
    let trusted = took("203.0.113.1").await;
    assert!(
        trusted.iter().sum::<Duration>() < stranger.iter().sum::<Duration>(),
        "{trusted:?}"
    );
}

#[tokio::test]
async fn a_stop_does_not_wait_in_the_tarpit() {
    let service = start(|strangers| {
        strangers.tarpit = HOUR;
        strangers.tarpit_max = HOUR;
    });
    let mut person = comes(&service, "192.0.2.1").await;
    person.hears("220").await;
    // The reply of this command may or may not be held back when the stop comes.
    person.says("FOO\r\n").await;
    service.begin_stop();
    let heard = person.line().await;
    assert!(heard.starts_with("500") || heard.starts_with("421"), "{heard}");
    assert_eq!(service.stopped().await.sessions_cut, 0);
}

fn list(zone: &str, action: ListAction) -> AddressList {
    AddressList {
        zone: zone.into(),
        answers: Vec::new(),
        action,
    }
}

/// A listener that asks a name server of ours.
fn screened(dns: &NameServer, change: impl FnOnce(&mut StrangerSettings)) -> Service {
    start(|strangers| {
        strangers.name_servers = vec![dns.address()];
        strangers.dns_timeout = Duration::from_millis(200);
        change(strangers);
    })
}

/// Replies to EHLO with this name, MAIL, and RCPTs to lena and to postmaster.
async fn answers(service: &Service, client: &str, helo: &str) -> (String, String) {
    let mut person = comes(service, client).await;
    person.hears("220").await;
    // In one go: what follows MAIL waits for the look-ups.
    person
        .says(format!(
            "HELO {helo}\r\nMAIL FROM:<a@fabrikam.example>\r\nRCPT TO:<lena@contoso.example>\r\nRCPT TO:<Postmaster>\r\n"
        ))
        .await;
    person.hears("250 mx").await;
    person.hears("250 2.1.0").await;
    let reply = person.line().await;
    (reply, person.line().await)
}

const TAKEN: &str = "250 2.1.5";

#[tokio::test]
async fn a_list_keeps_its_clients_out_and_says_why() {
    let dns = NameServer::start();
    dns.host("1.2.0.192.bl.example", Ipv4Addr::new(127, 0, 0, 2))
        .text("1.2.0.192.bl.example", "see https://bl.example/?192.0.2.1\u{1}\u{e9}")
        .host("2.2.0.192.slow.example", Ipv4Addr::new(127, 0, 0, 4))
        // Over the limit of its free use; of another range; a zone that is gone and answers everything.
        .host("3.2.0.192.bl.example", Ipv4Addr::new(127, 255, 255, 254))
        .host("4.2.0.192.slow.example", Ipv4Addr::new(127, 0, 0, 9))
        .host("5.2.0.192.bl.example", Ipv4Addr::new(198, 51, 100, 7))
        .host(
            "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.bl.example",
            Ipv4Addr::new(127, 0, 0, 2),
        )
        .host("7.113.0.203.bl.example", Ipv4Addr::new(127, 0, 0, 2));
    let service = screened(&dns, |strangers| {
        let mut slow = list("slow.example", ListAction::Defer);
        slow.answers = vec![AnswerRange {
            first: Ipv4Addr::new(127, 0, 0, 2),
            last: Ipv4Addr::new(127, 0, 0, 8),
        }];
        strangers.lists = vec![slow, list("bl.example", ListAction::Refuse)];
    });
    for (client, expected) in [
        (
            "192.0.2.1",
            "554 5.7.1 client [192.0.2.1] is listed by bl.example: see https://bl.example/?192.0.2.1",
        ),
        ("192.0.2.2", "450 4.7.1 client [192.0.2.2] is listed by slow.example"),
        ("192.0.2.3", TAKEN),
        ("192.0.2.4", TAKEN),
        ("192.0.2.5", TAKEN),
        ("192.0.2.6", TAKEN),
        ("2001:db8::1", "554 5.7.1 client [2001:db8::1] is listed by bl.example"),
        ("203.0.113.7", TAKEN),
    ] {
        let (reply, postmaster) = answers(&service, client, "client.example").await;
        if expected == TAKEN {
            assert!(reply.starts_with(TAKEN), "{client}: {reply}");
        } else {
            assert_eq!(reply, expected, "{client}");
        }
        assert!(postmaster.starts_with(TAKEN), "{client}: {postmaster}");
    }
    assert_eq!(reasons(&service), [Reason::ClientListed; 3]);
    assert!(
        dns.asked().iter().all(|name| !name.starts_with("7.113.0.203")),
        "trusted clients are not asked about"
    );
}

#[tokio::test]
async fn what_is_only_tracked_is_taken_with_a_note() {
    let dns = NameServer::start();
    dns.host("1.2.0.192.bl.example", Ipv4Addr::new(127, 0, 0, 2));
    let service = screened(&dns, |strangers| {
        strangers.lists = vec![list("bl.example", ListAction::Track)];
    });
    let mut person = comes(&service, "192.0.2.1").await;
    person.hears("220").await;
    person.says("HELO client.example\r\n").await;
    person.hears("250 mx").await;
    crate::begins_content(&mut person).await;
    person.says("x\r\n.\r\n").await;
    person.hears("250 2.0.0").await;
    let notes = service.memory.notes.lock().expect("not poisoned").clone();
    assert_eq!(notes, [(Reason::ClientListed, "bl.example".to_owned())]);
}

/// A name server that fails or never answers lets everybody pass, and nobody waits longer than the limit.
#[tokio::test]
async fn trouble_with_dns_keeps_nobody_out() {
    let dns = NameServer::start();
    dns.silent("1.2.0.192.bl.example")
        .silent("1.2.0.192.in-addr.arpa")
        .silent("client.example")
        .failing("2.2.0.192.bl.example")
        .failing("2.2.0.192.in-addr.arpa");
    let service = screened(&dns, |strangers| {
        strangers.lists = vec![list("bl.example", ListAction::Refuse)];
        strangers.reverse_dns = ReverseCheck::Confirmed;
        strangers.helo = HelloCheck::Resolves;
        strangers.dns_timeout = HOUR;
        strangers.dns_time_limit = Duration::from_millis(100);
    });
    for client in ["192.0.2.1", "192.0.2.2"] {
        let (reply, _) = answers(&service, client, "client.example").await;
        assert!(reply.starts_with(TAKEN), "{client}: {reply}");
    }
}

#[tokio::test]
async fn a_client_has_a_name_that_leads_back() {
    let dns = NameServer::start();
    let ip = |text: &str| text.parse::<IpAddr>().expect("an address");
    dns.pointer(ip("192.0.2.1"), "mail.fabrikam.example")
        .host("mail.fabrikam.example", Ipv4Addr::new(192, 0, 2, 1))
        .pointer(ip("192.0.2.2"), "mail.fabrikam.example")
        .pointer(ip("192.0.2.3"), "gone.fabrikam.example")
        .pointer(ip("192.0.2.4"), "ill.fabrikam.example")
        .failing("ill.fabrikam.example");
    for (check, client, expected) in [
        (ReverseCheck::Confirmed, "192.0.2.1", TAKEN),
        (ReverseCheck::Confirmed, "192.0.2.2", "550 5.7.25 no name"),
        (ReverseCheck::Confirmed, "192.0.2.3", "550 5.7.25 no name"),
        (ReverseCheck::Confirmed, "192.0.2.4", TAKEN),
        (ReverseCheck::Confirmed, "192.0.2.5", "550 5.7.25 DNS has no name"),
        (ReverseCheck::Present, "192.0.2.2", TAKEN),
        (ReverseCheck::Present, "192.0.2.5", "550 5.7.25 DNS has no name"),
        (ReverseCheck::Present, "203.0.113.5", TAKEN),
    ] {
        let service = screened(&dns, |strangers| strangers.reverse_dns = check);
        let (reply, postmaster) = answers(&service, client, "x").await;
        assert!(reply.starts_with(expected), "{check:?} {client}: {reply}");
        assert!(postmaster.starts_with(TAKEN));
        let reason = if expected.contains("DNS has") {
            Reason::ReverseNameMissing
        } else {
            Reason::ReverseNameUnconfirmed
        };
        assert_eq!(reasons(&service), vec![reason; usize::from(expected != TAKEN)]);
    }
}

#[tokio::test]
async fn a_greeting_gives_a_name() {
    let dns = NameServer::start();
    dns.host("mail.fabrikam.example", Ipv4Addr::new(198, 51, 100, 9));
    let unqualified = "550 5.7.1 your EHLO must give";
    for (check, helo, expected) in [
        (HelloCheck::Off, "x", TAKEN),
        (HelloCheck::Qualified, "x", unqualified),
        (HelloCheck::Qualified, "gone.fabrikam.example", TAKEN),
        (HelloCheck::Qualified, "[192.0.2.1]", TAKEN),
        (HelloCheck::Resolves, "x", unqualified),
        (HelloCheck::Resolves, "[192.0.2.1]", TAKEN),
        (HelloCheck::Resolves, "mail.fabrikam.example", TAKEN),
        (
            HelloCheck::Resolves,
            "gone.fabrikam.example",
            "550 5.7.1 the name in your EHLO",
        ),
    ] {
        let service = screened(&dns, |strangers| strangers.helo = check);
        let (reply, postmaster) = answers(&service, "192.0.2.1", helo).await;
        assert!(reply.starts_with(expected), "{check:?} {helo}: {reply}");
        assert!(postmaster.starts_with(TAKEN));
    }
    // The last name counts.
    let service = screened(&dns, |strangers| strangers.helo = HelloCheck::Resolves);
    let mut person = comes(&service, "192.0.2.1").await;
    person.hears("220").await;
    for (says, hears) in [
        ("HELO gone.fabrikam.example", "250 mx"),
        ("MAIL FROM:<a@fabrikam.example>", "250"),
        ("RCPT TO:<lena@contoso.example>", "550 5.7.1"),
        ("HELO mail.fabrikam.example", "250 mx"),
        ("MAIL FROM:<a@fabrikam.example>", "250"),
        ("RCPT TO:<lena@contoso.example>", TAKEN),
    ] {
        person.says(format!("{says}\r\n")).await;
        person.hears(hears).await;
    }
}

/// Look-ups that are under way end with the session, and hold up no stop.
#[tokio::test]
async fn a_client_that_leaves_is_looked_up_no_more() {
    let dns = NameServer::start();
    dns.silent("1.2.0.192.bl.example");
    let service = screened(&dns, |strangers| {
        strangers.lists = vec![list("bl.example", ListAction::Refuse)];
        strangers.dns_timeout = HOUR;
        strangers.dns_time_limit = HOUR;
    });
    let mut person = comes(&service, "192.0.2.1").await;
    person.hears("220").await;
    service.begin_stop();
    person.hears("421 4.3.2").await;
    drop(person);
    let memory = Arc::clone(&service.memory);
    assert_eq!(service.stopped().await.sessions_cut, 0);
    assert!(memory.refusals().is_empty());
}

/// Who speaks for others by XCLIENT is not asked for himself.
#[tokio::test]
async fn the_client_behind_xclient_is_looked_up() {
    let dns = NameServer::start();
    dns.host("1.2.0.192.bl.example", Ipv4Addr::new(127, 0, 0, 2))
        .host("1.0.0.127.bl.example", Ipv4Addr::new(127, 0, 0, 2));
    let service = Service::start(Memory::that_trusts_some(), |settings: &mut ListenerSettings| {
        settings.xclient_from = vec!["127.0.0.1".parse().expect("an address")];
        settings.strangers.name_servers = vec![dns.address()];
        settings.strangers.lists = vec![list("bl.example", ListAction::Refuse)];
    });
    let mut filter = Person::greeted(service.address).await;
    for (claim, reply) in [
        ("ADDR=192.0.2.1", "554 5.7.1 client [192.0.2.1]"),
        ("ADDR=192.0.2.2", TAKEN),
        ("ADDR=203.0.113.9", TAKEN),
    ] {
        for (says, hears) in [
            (format!("XCLIENT {claim}"), "220 mx"),
            ("HELO client.example".to_owned(), "250 mx"),
            ("MAIL FROM:<a@fabrikam.example>".to_owned(), "250 2.1.0"),
            ("RCPT TO:<lena@contoso.example>".to_owned(), reply),
            ("RSET".to_owned(), "250 2.0.0"),
        ] {
            filter.says(format!("{says}\r\n")).await;
            filter.hears(hears).await;
        }
    }
}
