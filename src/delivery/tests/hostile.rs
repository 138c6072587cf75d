//! Hops that cut, drip and refuse in odd places: nothing is lost, nobody is bounced who should wait, and a copy comes twice
//! only where its dot had left and the answer to it never came (DESIGN promise 8).

use std::collections::VecDeque;

use tokio::task::JoinSet;

use super::hop::{Act, Step};
use super::*;

/// How the copies that follow came to be.
struct Cut {
    copies: Vec<usize>,
    said: (usize, usize),
}

/// One message to two members; the hop closes the first session after so many octets.
async fn cut(keywords: Vec<&'static str>, closes_after: Option<usize>) -> Cut {
    let hop = Hop::start(Behaviour {
        keywords,
        closes_after,
        ..Behaviour::default()
    })
    .await;
    let mut next = hop_at("cloud", &[hop.address]);
    next.connections_max = 1;
    // The hop closes and is never silent: no time needs to run out.
    next.timeouts = crate::routing::HopTimeouts {
        connect: PATIENCE,
        greeting: PATIENCE,
        handshake: PATIENCE,
        mail: PATIENCE,
        rcpt: PATIENCE,
        data: PATIENCE,
        block: PATIENCE,
        dot: PATIENCE,
    };
    let world = World::start(vec![next]);
    let members = ["a@contoso.example", "b@contoso.example"];
    world.send(vec![Letter::to("cloud", &members)]).await;
    world.idle().await;
    assert!(world.reports().is_empty(), "{closes_after:?}: {:?}", world.reports());
    assert_eq!(world.count("FAIL"), 0, "{closes_after:?}");
    assert_eq!(world.spool.messages(), 0, "{closes_after:?}");
    let all = hop.recipients();
    let copies = members.map(|member| all.iter().filter(|one| *one == member).count());
    assert_eq!(copies.iter().sum::<usize>(), all.len(), "{closes_after:?}: nobody else");
    Cut {
        copies: copies.to_vec(),
        said: hop.seen(|seen| seen.said),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hop_that_closes_after_any_octet_loses_nothing_and_doubles_only_behind_the_dot() {
    for keywords in [
        vec!["PIPELINING", "DSN", "SIZE 100000"],
        vec![],
        vec!["PIPELINING", "CHUNKING"],
    ] {
        // What a hop says that does not close, up to the answer to the dot.
        let (whole, answer) = cut(keywords.clone(), None).await.said;
        assert!(whole > 100 && answer > 10, "{keywords:?}: {whole} {answer}");
        let mut cuts = JoinSet::new();
        let mut next = 0..=whole;
        loop {
            while cuts.len() < 16 {
                let Some(octets) = next.next() else { break };
                let keywords = keywords.clone();
                cuts.spawn(async move { (octets, cut(keywords, Some(octets)).await.copies) });
            }
            let Some(done) = cuts.join_next().await else { break };
            let (octets, copies) = done.expect("no panic");
            // The hop has the dot and was about to answer it; its answer did not come whole.
            let doubled = octets > whole - answer && octets < whole;
            let expected = if doubled { 2 } else { 1 };
            assert_eq!(
                copies,
                [expected, expected],
                "{keywords:?}: closed after {octets} octets"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reply_that_never_ends_is_no_progress() {
    for step in [
        Step::Greeting,
        Step::Ehlo,
        Step::Mail,
        Step::Rcpt,
        Step::Data,
        Step::Dot,
    ] {
        let hop = Hop::start(Behaviour::default()).await;
        hop.behave(|behaviour| drop(behaviour.acts.insert(step, VecDeque::from([Act::Drip]))));
        let mut next = hop_at("cloud", &[hop.address]);
        next.connections_max = 1;
        let world = World::start(vec![next]);
        world.send(vec![Letter::to("cloud", &["a@contoso.example"])]).await;
        world.idle().await;
        assert_eq!(hop.recipients(), ["a@contoso.example"], "{step:?}");
        assert!(world.reports().is_empty(), "{step:?}");
        // A reply may have a hundred lines. Patience for a whole one is that for five.
        let drips = hop.seen(|seen| seen.drips);
        assert!(drips < 50, "{step:?}: borne for {drips} lines");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_421_amid_the_recipients_is_nobodys_refusal() {
    for keywords in [vec!["PIPELINING"], vec![]] {
        let hop = Hop::start(Behaviour {
            keywords,
            ..Behaviour::default()
        })
        .await;
        hop.behave(|behaviour| {
            let bye = VecDeque::from(["421 4.3.2 going down".to_owned()]);
            behaviour.rcpts.insert("p000002@contoso.example".to_owned(), bye);
        });
        let world = World::start(vec![hop_at("cloud", &[hop.address])]);
        world.send(vec![Letter::numbered("cloud", 5)]).await;
        world.idle().await;
        let mut recipients = hop.recipients();
        assert_eq!(recipients.len(), 5);
        recipients.dedup();
        assert_eq!(recipients.len(), 5, "nobody twice");
        assert!(world.reports().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_recipient_after_five_hundred_may_be_refused() {
    for (answer, failed) in [
        ("452 4.5.3 too many recipients", 0),
        ("452 too many recipients", 0),
        ("552 too many recipients", 0),
        ("450 4.2.1 busy", 0),
        ("550 5.1.1 nobody", 1),
    ] {
        let hop = Hop::start(Behaviour::default()).await;
        hop.behave(|behaviour| {
            let answer = VecDeque::from([answer.to_owned()]);
            behaviour.rcpts.insert("p000500@contoso.example".to_owned(), answer);
        });
        let mut next = hop_at("cloud", &[hop.address]);
        next.recipients_max = 1_000;
        let world = World::start(vec![next]);
        world.send(vec![Letter::numbered("cloud", 700)]).await;
        world.idle().await;
        let mut recipients = hop.recipients();
        assert_eq!(recipients.len(), 700 - failed, "{answer}");
        recipients.dedup();
        assert_eq!(recipients.len(), 700 - failed, "{answer}: nobody twice");
        assert_eq!(world.count("FAIL"), failed, "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hop_that_answers_all_at_once_is_understood() {
    // All that is due before the content in one packet; then nothing but the answer to the dot.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let serve = tokio::spawn(async move {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let (mut stream, _) = listener.accept().await.expect("a client");
        let mut heard = Vec::new();
        for (until, words) in [
            ("", "220 hop\r\n"),
            ("EHLO relay.example\r\n", "250-hop\r\n250 PIPELINING\r\n"),
            ("DATA\r\n", "250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n"),
            ("\r\n.\r\n", "250 taken\r\n"),
        ] {
            while !heard.ends_with(until.as_bytes()) {
                assert!(stream.read_buf(&mut heard).await.expect("readable") > 0, "{until}");
            }
            stream.write_all(words.as_bytes()).await.expect("writable");
        }
        String::from_utf8(heard).expect("text")
    });
    let world = World::start(vec![hop_at("cloud", &[address])]);
    let members = ["a@contoso.example", "b@contoso.example"];
    world.send(vec![Letter::to("cloud", &members)]).await;
    world.idle().await;
    assert!(world.reports().is_empty());
    assert_eq!(world.count("DEFER"), 0);
    let heard = serve.await.expect("no panic");
    assert!(heard.ends_with("hello\r\n..dot\r\n.\r\n"), "{heard}");
}
