//! Clients that take their time: they hold a place for a while and nobody up.

use std::time::Duration;

use tokio::task::JoinSet;

use crate::fake::{Disk, Memory, Person, Service, in_time};
use crate::{TRANSACTION, UNLIMITED};

/// Says this again and again, as slowly as one may, until the listener ends it; returns its last line.
async fn drips(person: &mut Person, what: &str) -> String {
    let mut ticks = tokio::time::interval(Duration::from_millis(5));
    let mut last = String::new();
    loop {
        tokio::select! {
            line = person.line() => {
                if line.is_empty() {
                    return last;
                }
                last = line;
            }
            _ = ticks.tick() => person.mutters(what).await,
        }
    }
}

/// Commands that are complete, in time and to no end are no progress either.
#[tokio::test]
async fn a_client_that_only_chats_is_given_up() {
    let service = Service::start(Memory::new(Disk::Works, UNLIMITED), |settings| {
        settings.fruitless_timeout = Duration::from_millis(150);
        settings.errors_max = 1_000_000;
    });
    for chat in [
        "NOOP\r\n",
        "RSET\r\n",
        "HELO client.example\r\n",
        "MAIL FROM:<a@fabrikam.example>\r\nRSET\r\n",
        "MAIL FROM:<a@fabrikam.example>\r\nRCPT TO:<lena@contoso.example>\r\n",
    ] {
        let mut person = Person::greeted(service.address).await;
        let last = drips(&mut person, chat).await;
        assert!(last.starts_with("421 4.4.2"), "{chat:?}: {last}");
    }
    service.sessions_are(0).await;
}

/// The same for a client that never stops talking, so that there is always something to read.
#[tokio::test]
async fn a_client_that_never_stops_chatting_is_given_up() {
    let service = Service::start(Memory::new(Disk::Works, UNLIMITED), |settings| {
        settings.fruitless_timeout = Duration::from_millis(100);
    });
    let mut person = Person::greeted(service.address).await;
    let chat = "NOOP\r\n".repeat(1_000);
    in_time("the listener to end it", async {
        loop {
            person.mutters(&chat).await;
            let line = person.line().await;
            if line.is_empty() || line.starts_with("421 4.4.2") {
                break;
            }
        }
    })
    .await;
    service.sessions_are(0).await;
}

#[tokio::test]
async fn a_client_that_sends_mail_may_stay() {
    let service = Service::start(Memory::new(Disk::Works, UNLIMITED), |settings| {
        settings.fruitless_timeout = Duration::from_millis(500);
    });
    let mut person = Person::greeted(service.address).await;
    let began = std::time::Instant::now();
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    while began.elapsed() < Duration::from_millis(1_200) {
        ticks.tick().await;
        person.says(TRANSACTION).await;
        for start in ["250 2.1.0", "250 2.1.5", "354"] {
            person.hears(start).await;
        }
        person.says("x\r\n.\r\n").await;
        person.hears("250 2.0.0").await;
    }
}

/// Many slow clients, in every place where one can be slow, and an honest one beside them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_clients_hold_up_nobody_and_end() {
    const SLOW: usize = 200;
    let service = Service::start(Memory::new(Disk::Works, UNLIMITED), |settings| {
        settings.sessions_max = SLOW + 10;
        settings.sessions_per_client_max = SLOW + 10;
        settings.command_timeout = Duration::from_secs(2);
        settings.fruitless_timeout = Duration::from_secs(2);
        settings.data_block_timeout = Duration::from_secs(2);
        settings.data_octets_per_second_min = 1_000_000;
    });
    let mut slow = JoinSet::new();
    for number in 0..SLOW {
        let address = service.address;
        slow.spawn(async move {
            let mut person = Person::connect(address).await;
            match number % 4 {
                0 => drips(&mut person, "x").await,
                1 => drips(&mut person, "NOOP\r\n").await,
                // Reads nothing either.
                2 => {
                    person.hears("220").await;
                    while person.is_heard("HELP\r\n").await {}
                    String::new()
                }
                _ => {
                    person.hears("220").await;
                    person.says(format!("HELO x\r\n{TRANSACTION}")).await;
                    for start in ["250", "250", "250", "354"] {
                        person.hears(start).await;
                    }
                    drips(&mut person, "x\r\n").await
                }
            }
        });
    }
    service.sessions_are(SLOW).await;
    let began = std::time::Instant::now();
    for _ in 0..20 {
        let mut honest = Person::greeted(service.address).await;
        crate::begins_content(&mut honest).await;
        honest.says("Subject: hello\r\n\r\nx\r\n.\r\nQUIT\r\n").await;
        honest.hears("250 2.0.0").await;
        honest.hears("221").await;
    }
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    in_time("the slow ones to end", async {
        while slow.join_next().await.is_some() {}
    })
    .await;
    service.sessions_are(0).await;
    assert_eq!(service.memory.kept().len(), 20);
}
