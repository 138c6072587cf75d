//! Connections, messages and recipients over their rates.

use std::num::NonZeroU32;
use std::time::Duration;

use muster::listener::{Counted, ListenerSettings, Rate, RatePair, RateSettings};
use muster::track::Reason;

use crate::fake::{HandClock, Memory, Person, Service};

const MINUTE: Duration = Duration::from_secs(60);

fn per_minute(count: u32) -> Option<Rate> {
    let count = NonZeroU32::new(count).expect("not zero");
    Some(Rate {
        count,
        per: MINUTE,
        burst: count,
    })
}

fn start(rates: RateSettings) -> (std::sync::Arc<HandClock>, Service) {
    let (clock, env) = HandClock::env();
    let service = Service::start_at(Memory::that_trusts_some(), env, |settings: &mut ListenerSettings| {
        settings.proxy_from = vec!["127.0.0.1".parse().expect("an address")];
        settings.rates = rates;
    });
    (clock, service)
}

/// A connection of this client, by a proxy, and the line it is greeted with.
async fn comes(service: &Service, client: &str) -> (Person, String) {
    let mut person = Person::connect(service.address).await;
    let family = if client.contains(':') { "TCP6 " } else { "TCP4 " };
    let here = if client.contains(':') { "::1" } else { "127.0.0.1" };
    person.says(format!("PROXY {family}{client} {here} 1 25\r\n")).await;
    let line = person.line().await;
    (person, line)
}

async fn reasons(service: &Service) -> Vec<Reason> {
    service.memory.refusals().iter().map(|refusal| refusal.2).collect()
}

#[tokio::test]
async fn connections_come_back_as_time_passes() {
    let (clock, service) = start(RateSettings {
        connections: RatePair {
            per_client: per_minute(2),
            per_network: per_minute(3),
        },
        ..RateSettings::default()
    });
    for (client, greeting) in [
        ("192.0.2.1", "220"),
        ("192.0.2.1", "220"),
        ("192.0.2.1", "421 4.7.0 too many connections"),
        ("192.0.2.2", "220"),
        // The network has had its three.
        ("192.0.2.3", "421 4.7.0 too many connections"),
        ("2001:db8::1", "220"),
        ("2001:db8::2", "220"),
        ("2001:db8::3", "421 4.7.0 too many connections"),
    ] {
        let (_, heard) = comes(&service, client).await;
        assert!(heard.starts_with(greeting), "{client}: {heard}");
    }
    for _ in 0..20 {
        let (_, heard) = comes(&service, "203.0.113.7").await;
        assert!(heard.starts_with("220"), "trusted clients are not counted: {heard}");
    }
    assert_eq!(reasons(&service).await, [Reason::ConnectionRate; 3]);
    clock.pass(MINUTE / 2);
    let (_, heard) = comes(&service, "192.0.2.1").await;
    assert!(heard.starts_with("220"), "{heard}");
}

#[tokio::test]
async fn messages_and_recipients_wait_at_the_client() {
    let (clock, service) = start(RateSettings {
        messages: RatePair {
            per_client: per_minute(2),
            per_network: None,
        },
        recipients: RatePair {
            per_client: per_minute(3),
            per_network: None,
        },
        ..RateSettings::default()
    });
    let (mut person, _) = comes(&service, "192.0.2.1").await;
    let dialogue = [
        ("EHLO client.example", "250"),
        ("MAIL FROM:<a@fabrikam.example>", "250 2.1.0"),
        ("RCPT TO:<lena@contoso.example>", "250 2.1.5"),
        // A guess is counted as well.
        ("RCPT TO:<unknown@contoso.example>", "550 5.1.10"),
        ("RCPT TO:<tim@contoso.example>", "250 2.1.5"),
        ("RCPT TO:<eva@contoso.example>", "450 4.7.1 too many recipients"),
        // What was accepted may still be sent.
        ("DATA", "354"),
        ("x\r\n.", "250 2.0.0"),
        ("MAIL FROM:<a@fabrikam.example>", "250 2.1.0"),
        ("RSET", "250 2.0.0"),
        ("MAIL FROM:<a@fabrikam.example>", "450 4.7.1 too many messages"),
        ("NOOP", "250 2.0.0"),
    ];
    for (says, hears) in dialogue {
        person.says(format!("{says}\r\n")).await;
        let mut line = person.line().await;
        while line.starts_with("250-") {
            line = person.line().await;
        }
        assert!(line.starts_with(hears), "{says}: {line}");
    }
    let kept = service.memory.kept();
    assert_eq!(kept[0].envelope.recipients.len(), 2);
    assert_eq!(reasons(&service).await, [Reason::RecipientRate, Reason::MessageRate]);
    clock.pass(MINUTE);
    person.says("MAIL FROM:<a@fabrikam.example>\r\n").await;
    person.hears("250 2.1.0").await;
}

#[tokio::test]
async fn trusted_clients_are_counted_where_settings_say_so() {
    let (_, service) = start(RateSettings {
        connections: RatePair {
            per_client: per_minute(1),
            per_network: None,
        },
        counted: Counted::Everybody,
        ..RateSettings::default()
    });
    let (_first, _) = comes(&service, "203.0.113.7").await;
    let (_, heard) = comes(&service, "203.0.113.7").await;
    assert!(heard.starts_with("421 4.7.0"), "{heard}");
}

/// Events of a flood would fill the store: most of it is counted only.
#[tokio::test]
async fn a_flood_is_refused_and_tracked_in_part() {
    let (_, service) = start(RateSettings {
        connections: RatePair {
            per_client: per_minute(1),
            per_network: None,
        },
        ..RateSettings::default()
    });
    for _ in 0..100 {
        comes(&service, "192.0.2.1").await;
    }
    assert_eq!(reasons(&service).await.len(), 20);
}
