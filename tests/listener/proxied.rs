//! Connections through a proxy.

use std::time::Duration;

use muster::listener::ListenerSettings;
use muster::track::Reason;

use crate::UNLIMITED;
use crate::fake::{Disk, Memory, Person, Service};

fn behind_a_proxy(change: impl FnOnce(&mut ListenerSettings)) -> Service {
    Service::start(Memory::new(Disk::Works, UNLIMITED), |settings| {
        settings.proxy_from = vec!["127.0.0.0/8".parse().expect("a range")];
        change(settings);
    })
}

fn version_1(client: &str) -> String {
    format!("PROXY TCP4 {client} 198.51.100.1 40000 25\r\n")
}

/// As HAProxy, AWS and others send it, with one TLV behind the addresses.
fn version_2(client: [u8; 4]) -> Vec<u8> {
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x13".to_vec();
    header.extend(client);
    header.extend([198, 51, 100, 1, 0x9c, 0x40, 0, 25]);
    header.extend([0x04, 0, 4, 1, 2, 3, 4]);
    header
}

async fn sends_a_message(person: &mut Person) {
    person.hears("220 mx").await;
    person.says("HELO client.example\r\n").await;
    person.hears("250 mx").await;
    crate::begins_content(person).await;
    person.says("x\r\n.\r\n").await;
    person.hears("250 2.0.0").await;
}

#[tokio::test]
async fn the_client_is_whom_the_proxy_names() {
    let service = behind_a_proxy(|_| {});
    let headers = [
        (version_1("192.0.2.7").into_bytes(), "192.0.2.7"),
        (version_2([192, 0, 2, 8]), "192.0.2.8"),
        (b"PROXY TCP6 2001:db8::9 ::1 1 25\r\n".to_vec(), "2001:db8::9"),
        // A proxy's own connection: its own address.
        (b"PROXY UNKNOWN\r\n".to_vec(), "127.0.0.1"),
        (b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0".to_vec(), "127.0.0.1"),
    ];
    for (header, client) in headers {
        let mut person = Person::connect(service.address).await;
        // In two pieces: what is cut on the way is put together.
        let (start, rest) = header.split_at(9);
        person.says(start).await;
        tokio::task::yield_now().await;
        person.says(rest).await;
        sends_a_message(&mut person).await;
        let kept = service.memory.kept().pop().expect("one message");
        assert_eq!(kept.client.client.to_string(), client);
    }
}

/// What comes right behind the header is the client's, in the same packet or not.
#[tokio::test]
async fn not_an_octet_behind_the_header_is_lost() {
    let service = behind_a_proxy(|_| {});
    let mut person = Person::connect(service.address).await;
    person
        .says(format!("{}HELO client.example\r\nNOOP\r\n", version_1("192.0.2.7")))
        .await;
    person.hears("220 mx").await;
    person.hears("250 mx").await;
    person.hears("250 2.0.0").await;
}

#[tokio::test]
async fn limits_count_the_client_and_not_the_proxy() {
    let service = behind_a_proxy(|settings| {
        settings.sessions_per_client_max = 1;
        settings.sessions_per_network_max = 2;
    });
    let mut kept = Vec::new();
    for (client, greeting) in [
        ("192.0.2.1", "220"),
        ("192.0.2.1", "421 4.7.0 too many sessions"),
        ("192.0.2.2", "220"),
        // The /24 has its two.
        ("192.0.2.3", "421 4.7.0 too many sessions"),
        ("192.0.3.1", "220"),
    ] {
        let mut person = Person::connect(service.address).await;
        person.says(version_1(client)).await;
        person.hears(greeting).await;
        kept.push(person);
    }
    let reasons: Vec<Reason> = service.memory.refusals().iter().map(|refusal| refusal.2).collect();
    assert_eq!(reasons, [Reason::TooManySessions; 2]);
    service.sessions_are(3).await;
}

#[tokio::test]
async fn no_header_no_session() {
    let service = behind_a_proxy(|settings| settings.proxy_header_timeout = Duration::from_millis(50));
    for start in [
        "EHLO client.example\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n",
        &"PROXY UNKNOWN ".repeat(20),
        // Nothing, and a part of it that never ends.
        "",
        "PROXY TCP4 192.0.2.1 ",
    ] {
        let mut person = Person::connect(service.address).await;
        person.mutters(start).await;
        person.hears("421 4.3.5").await;
        person.hears_the_end().await;
    }
    let reasons: Vec<Reason> = service.memory.refusals().iter().map(|refusal| refusal.2).collect();
    assert_eq!(reasons, [Reason::ProxyHeaderMalformed; 5]);
    service.sessions_are(0).await;
}

/// Slowly dripped headers end at the deadline, however much they drip.
#[tokio::test]
async fn a_header_by_drops_is_late() {
    let service = behind_a_proxy(|settings| settings.proxy_header_timeout = Duration::from_millis(100));
    let mut person = Person::connect(service.address).await;
    person.says("PROXY UNKNOWN ").await;
    let mut ticks = tokio::time::interval(Duration::from_millis(5));
    let heard = loop {
        tokio::select! {
            line = person.line() => break line,
            _ = ticks.tick() => {}
        }
        person.mutters("x").await;
    };
    assert!(heard.starts_with("421 4.3.5"), "{heard:?}");
}

/// Who is not named as a proxy is not believed: the header is a bad command like any other.
#[tokio::test]
async fn the_word_of_others_is_not_taken() {
    let service = Service::start(Memory::new(Disk::Works, UNLIMITED), |settings| {
        settings.proxy_from = vec!["192.0.2.0/24".parse().expect("a range")];
    });
    let mut person = Person::connect(service.address).await;
    person.hears("220").await;
    person.says(version_1("10.0.0.1")).await;
    person.hears("500 5.5.2").await;
}

#[tokio::test]
async fn a_stop_does_not_wait_for_a_header() {
    let service = behind_a_proxy(|settings| settings.proxy_header_timeout = Duration::from_secs(3_600));
    let mut person = Person::connect(service.address).await;
    service.sessions_are(1).await;
    service.begin_stop();
    person.hears("421 4.3.2").await;
    assert_eq!(service.stopped().await.sessions_cut, 0);
}
