//! What a hop gets when all goes well, or nearly.

use std::collections::VecDeque;

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_arrives_as_it_came() {
    let hop = Hop::start(Behaviour::default()).await;
    let world = World::start(vec![hop_at("cloud", &[hop.address])]);
    world
        .send(vec![Letter::to(
            "cloud",
            &["lena@contoso.example", "jonas@contoso.example"],
        )])
        .await;
    world.idle().await;
    hop.seen(|seen| {
        assert_eq!(seen.copies.len(), 1);
        let copy = &seen.copies[0];
        assert_eq!(copy.mail, "<hr@contoso.example> SIZE=55");
        assert_eq!(copy.rcpts, ["<lena@contoso.example>", "<jonas@contoso.example>"]);
        let content = String::from_utf8_lossy(&copy.content);
        assert_eq!(
            content,
            "Received: by relay.example\r\nSubject: x\r\n\r\nhello\r\n.dot\r\n"
        );
    });
    assert_eq!(world.spool.messages(), 0);
    assert_eq!(world.count("SEND"), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_group_goes_out_in_batches_over_several_sessions() {
    let hop = Hop::start(Behaviour::default()).await;
    let world = World::start(vec![hop_at("cloud", &[hop.address])]);
    world.send(vec![Letter::numbered("cloud", 20_000)]).await;
    world.idle().await;
    let recipients = hop.recipients();
    assert_eq!(recipients.len(), 20_000);
    assert!(recipients.windows(2).all(|pair| pair[0] < pair[1]), "each once");
    hop.seen(|seen| {
        assert_eq!(seen.copies.len(), 40);
        assert!(seen.sessions > 1 && seen.sessions <= 20, "{} sessions", seen.sessions);
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_is_used_again() {
    let hop = Hop::start(Behaviour::default()).await;
    let world = World::start(vec![hop_at("cloud", &[hop.address])]);
    for _ in 0..30 {
        world.send(vec![Letter::to("cloud", &["lena@contoso.example"])]).await;
        world.idle().await;
    }
    hop.seen(|seen| assert_eq!((seen.copies.len(), seen.sessions), (30, 1)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_the_hop_closed_meanwhile_costs_nothing() {
    let behaviour = Behaviour {
        messages_max: 1,
        ..Behaviour::default()
    };
    let hop = Hop::start(behaviour).await;
    let world = World::start(vec![hop_at("cloud", &[hop.address])]);
    for _ in 0..5 {
        world.send(vec![Letter::to("cloud", &["lena@contoso.example"])]).await;
        world.idle().await;
    }
    hop.seen(|seen| assert_eq!(seen.copies.len(), 5));
    assert_eq!(world.count("DEFER"), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_recipient_limit_of_a_hop_is_learned() {
    let behaviour = Behaviour {
        recipients_max: 70,
        ..Behaviour::default()
    };
    let hop = Hop::start(behaviour).await;
    let mut next = hop_at("cloud", &[hop.address]);
    next.connections_max = 1;
    let world = World::start(vec![next]);
    world.send(vec![Letter::numbered("cloud", 700)]).await;
    world.idle().await;
    assert_eq!(hop.recipients().len(), 700);
    hop.seen(|seen| {
        assert_eq!(seen.largest, 70);
        assert_eq!(
            seen.transactions, 10,
            "the rest goes at once, in transactions of the learned size"
        );
    });
    assert_eq!(world.count("DEFER"), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replies_in_single_octets_and_without_pipelining_are_the_same() {
    for keywords in [vec!["PIPELINING", "DSN"], vec![]] {
        let behaviour = Behaviour {
            split: true,
            keywords,
            ..Behaviour::default()
        };
        let hop = Hop::start(behaviour).await;
        hop.behave(|behaviour| {
            let no = VecDeque::from(["550 5.1.1 no such mailbox".to_owned()]);
            behaviour.rcpts.insert("p000003@contoso.example".to_owned(), no);
        });
        let world = World::start(vec![hop_at("cloud", &[hop.address])]);
        world.send(vec![Letter::numbered("cloud", 10)]).await;
        world.idle().await;
        assert_eq!(hop.recipients().len(), 9);
        assert_eq!(
            world.reports(),
            [(ReportKind::Failed, vec!["p000003@contoso.example".to_owned()])]
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_message_is_streamed() {
    let hop = Hop::start(Behaviour::default()).await;
    let world = World::start(vec![hop_at("cloud", &[hop.address])]);
    let mut letter = Letter::to("cloud", &["lena@contoso.example"]);
    letter.content = b"Subject: large\r\n\r\n".to_vec();
    while letter.content.len() < 5_000_000 {
        letter
            .content
            .extend_from_slice(b".a line of a large message, with a dot\r\n");
    }
    let content = letter.content.clone();
    world.send(vec![letter]).await;
    world.idle().await;
    hop.seen(|seen| assert!(seen.copies[0].content.ends_with(&content), "octet for octet"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_hop_cannot_take_fails_before_it_is_asked() {
    let behaviour = Behaviour {
        keywords: vec!["PIPELINING", "SIZE 1000"],
        ..Behaviour::default()
    };
    let hop = Hop::start(behaviour).await;
    let world = World::start(vec![hop_at("cloud", &[hop.address])]);
    let mut letter = Letter::to("cloud", &["lena@contoso.example"]);
    letter.content = vec![b'a'; 2_000];
    world.send(vec![letter]).await;
    world
        .send(vec![Letter::to(
            "cloud",
            &["grüße@contoso.example", "a@bücher.example", "b@contoso.example"],
        )])
        .await;
    world.idle().await;
    assert_eq!(hop.recipients(), ["a@xn--bcher-kva.example", "b@contoso.example"]);
    let statuses: Vec<String> = {
        let requests = world.notes.requests.lock().expect("no panic");
        let replies = requests.iter().flat_map(|request| &request.recipients);
        let mut all: Vec<String> = replies
            .map(|told| told.reply.as_ref().expect("a reply").status_or_generic().to_string())
            .collect();
        all.sort();
        all
    };
    assert_eq!(statuses, ["5.3.4", "5.6.7"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dsn_requests_go_along_where_offered() {
    let hop = Hop::start(Behaviour::default()).await;
    let world = World::start(vec![hop_at("cloud", &[hop.address])]);
    let mut letter = Letter::to("cloud", &["lena@contoso.example"]);
    letter.notify = Some(Notify::NEVER);
    world.send(vec![letter]).await;
    world.idle().await;
    hop.seen(|seen| assert_eq!(seen.copies[0].rcpts, ["<lena@contoso.example> NOTIFY=NEVER"]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_further_dot_before_the_outcome_is_durable() {
    let hop = Hop::start(Behaviour::default()).await;
    let mut next = hop_at("cloud", &[hop.address]);
    next.connections_max = 1;
    let world = World::start(vec![next]);
    let first = world.commit(vec![Letter::to("cloud", &["a@contoso.example"])]).await;
    let second = world.commit(vec![Letter::to("cloud", &["b@contoso.example"])]).await;
    world.spool.delay_commits();
    for (sets, message, content) in [first, second] {
        world.delivery.enqueue(sets, &Arc::new(message), &content);
    }
    hop.wait(|seen| seen.transactions == 2).await;
    // The second transaction has begun and waits; only the first has its dot.
    hop.seen(|seen| assert_eq!(seen.copies.len(), 1));
    world.spool.release_commits();
    world.idle().await;
    hop.wait(|seen| seen.copies.len() == 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_delivered_after_an_outcome_could_not_be_stored() {
    nothing_is_delivered_after_a_failed_commit(Behaviour::default()).await;
    // Content that goes along with its commands waits as well.
    let mut behaviour = Behaviour::default();
    behaviour.keywords.push("CHUNKING");
    nothing_is_delivered_after_a_failed_commit(behaviour).await;
}

async fn nothing_is_delivered_after_a_failed_commit(behaviour: Behaviour) {
    let hop = Hop::start(behaviour).await;
    let mut next = hop_at("cloud", &[hop.address]);
    next.connections_max = 1;
    let world = World::start(vec![next]);
    let first = world.commit(vec![Letter::to("cloud", &["a@contoso.example"])]).await;
    let second = world.commit(vec![Letter::to("cloud", &["b@contoso.example"])]).await;
    world
        .spool
        .fail_next_commit(crate::spool::SpoolFault::Suspect("a test".to_owned()));
    for (sets, message, content) in [first, second] {
        world.delivery.enqueue(sets, &Arc::new(message), &content);
    }
    let mut phase = world.delivery.shared.phase.subscribe();
    let stopped = phase.wait_for(|phase| *phase == Phase::Stopped);
    drop(
        tokio::time::timeout(PATIENCE, stopped)
            .await
            .expect("it stops")
            .expect("alive"),
    );
    hop.seen(|seen| assert_eq!(seen.copies.len(), 1));
    // A restart delivers both: the first may be there twice (DESIGN promise 8).
    let world = world.restart();
    world.idle().await;
    assert_eq!(
        hop.recipients(),
        ["a@contoso.example", "a@contoso.example", "b@contoso.example"]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drop_directory_gets_each_copy_with_its_envelope() {
    let folder = tempfile::tempdir().expect("a directory");
    let directory = folder.path().join("cloud");
    let next = NextHop::new("cloud", Target::DropDirectory(directory.clone()), "relay.example");
    let world = World::start(vec![next]);
    let id = world
        .send(vec![Letter::to("cloud", &["a@contoso.example", "b@contoso.example"])])
        .await;
    world.idle().await;
    let mut names: Vec<String> = std::fs::read_dir(&directory)
        .expect("made")
        .map(|entry| entry.expect("readable").file_name().into_string().expect("UTF-8"))
        .collect();
    names.sort();
    let stem = format!("{id}.s-1.0-1");
    assert_eq!(names, [format!("{stem}.eml"), format!("{stem}.json")]);
    let content = std::fs::read(directory.join(&names[0])).expect("readable");
    assert_eq!(
        content,
        b"Received: by relay.example\r\nSubject: x\r\n\r\nhello\r\n.dot\r\n"
    );
    let envelope = std::fs::read(directory.join(&names[1])).expect("readable");
    let envelope: serde_json::Value = serde_json::from_slice(&envelope).expect("JSON");
    assert_eq!(envelope["reverse_path"], "hr@contoso.example");
    assert_eq!(envelope["recipients"][1]["forward_path"], "b@contoso.example");
    assert_eq!(world.count("SEND"), 1);
}

struct Moved;

impl CurrentRoutes for Moved {
    fn current(&self, waiting: &Waiting<'_>) -> Option<CurrentRoute> {
        assert_eq!(waiting.space, "space");
        let (forward_path, next_hop) = match waiting.ordinal {
            0 => ("a.new@contoso.example", "cloud"),
            1 => ("b@onprem.example", "onprem"),
            _ => return None,
        };
        Some(CurrentRoute {
            forward_path: forward_path.to_owned(),
            next_hop: next_hop.to_owned(),
        })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_deferred_is_sent_to_where_he_is_today() {
    let cloud = Hop::start(Behaviour::default()).await;
    let onprem = Hop::start(Behaviour::default()).await;
    cloud.behave(|behaviour| {
        for name in ["a", "b", "c"] {
            let later = VecDeque::from(["450 4.2.1 later".to_owned()]);
            behaviour.rcpts.insert(format!("{name}@contoso.example"), later);
        }
    });
    let hops = vec![hop_at("cloud", &[cloud.address]), hop_at("onprem", &[onprem.address])];
    let world = World::start_with(hops, DeliverySettings::default(), Arc::new(Moved));
    world
        .send(vec![Letter::to(
            "cloud",
            &["a@contoso.example", "b@contoso.example", "c@contoso.example"],
        )])
        .await;
    world.idle().await;
    assert_eq!(cloud.recipients(), ["a.new@contoso.example", "c@contoso.example"]);
    assert_eq!(onprem.recipients(), ["b@onprem.example"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shutting_down_finishes_and_leaves_the_rest_in_the_store() {
    let hop = Hop::start(Behaviour::default()).await;
    let world = World::start(vec![hop_at("cloud", &[hop.address])]);
    world.send(vec![Letter::to("cloud", &["a@contoso.example"])]).await;
    world.idle().await;
    assert!(world.delivery.shutdown(PATIENCE).await);
    world.send(vec![Letter::to("cloud", &["b@contoso.example"])]).await;
    assert_eq!(hop.recipients(), ["a@contoso.example"]);
    let world = world.restart();
    world.idle().await;
    assert_eq!(hop.recipients(), ["a@contoso.example", "b@contoso.example"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_reads_rosters_when_their_turn_comes() {
    let address = closed_address().await;
    let world = World::start(vec![hop_at("cloud", &[address])]);
    for _ in 0..200 {
        world.send(vec![Letter::numbered("cloud", 3)]).await;
    }
    let world = world.restart();
    assert_eq!(world.delivery.snapshot().items.len(), 200);
    let hop = Hop::start_at(address, Behaviour::default()).await;
    world.delivery.retry(&Selection::NextHop("cloud".to_owned()));
    world.idle().await;
    assert_eq!(hop.recipients().len(), 600);
}

/// An address that nobody listens on.
pub async fn closed_address() -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    listener.local_addr().expect("bound")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn content_goes_by_bdat_where_chunking_is_offered() {
    // The short one goes along with the commands.
    for (octets, offered, wanted) in [
        (3_000, true, true),
        (90_000, true, true),
        (300_000, true, true),
        (300_000, true, false),
        (300_000, false, true),
    ] {
        let content = format!("Subject: x\r\n\r\n.a\r\n{}\r\nno line end", "y".repeat(octets));
        let mut behaviour = Behaviour::default();
        if offered {
            behaviour.keywords.push("CHUNKING");
        }
        let hop = Hop::start(behaviour).await;
        let mut next = hop_at("hop", &[hop.address]);
        next.chunking = wanted;
        let world = World::start(vec![next]);
        for _ in 0..2 {
            let mut letter = Letter::to("hop", &["a@fabrikam.example", "b@fabrikam.example"]);
            letter.content = content.clone().into_bytes();
            world.send(vec![letter]).await;
            world.idle().await;
        }
        let prefix = "Received: by relay.example\r\n";
        // DATA ends every message with a line end.
        let end = if offered && wanted { "" } else { "\r\n" };
        let copies = hop.seen(|seen| seen.copies.clone());
        assert_eq!(copies.len(), 2);
        for copy in copies {
            assert_eq!(copy.rcpts.len(), 2);
            assert!(copy.content == format!("{prefix}{content}{end}").into_bytes());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn content_that_went_along_with_the_commands_reaches_only_whom_the_hop_accepts() {
    let mut behaviour = Behaviour {
        recipients_max: 2,
        ..Behaviour::default()
    };
    behaviour.keywords.push("CHUNKING");
    for (who, reply) in [
        ("gone", "550 5.1.1 who"),
        ("late", "451 4.3.0 later"),
        ("nobody", "550 5.1.1 who"),
    ] {
        let replies = VecDeque::from([reply.to_owned()]);
        behaviour.rcpts.insert(format!("{who}@fabrikam.example"), replies);
    }
    let hop = Hop::start(behaviour).await;
    let mut next = hop_at("hop", &[hop.address]);
    next.connections_max = 1;
    let world = World::start(vec![next]);
    let all = ["a", "gone", "late", "b", "c"].map(|name| format!("{name}@fabrikam.example"));
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    world
        .send(vec![
            Letter::to("hop", &["nobody@fabrikam.example"]),
            Letter::to("hop", &all),
            Letter::to("hop", &["d@fabrikam.example"]),
        ])
        .await;
    world.idle().await;
    let mut taken = hop.recipients();
    taken.sort();
    let expected = ["a", "b", "c", "d", "late"].map(|name| format!("{name}@fabrikam.example"));
    assert_eq!(taken, expected);
    assert_eq!(world.count("FAIL"), 2);
    assert_eq!(world.spool.messages(), 0);
    for copy in hop.seen(|seen| seen.copies.clone()) {
        assert!(copy.content.starts_with(b"Received: by relay.example\r\n"), "{copy:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_bit_content_is_not_sent_where_it_may_not_go() {
    let refusing = Behaviour {
        keywords: vec!["PIPELINING"],
        ..Behaviour::default()
    };
    for (text, assume, arrives) in [("Grüße", false, false), ("Gruesse", false, true), ("Grüße", true, true)] {
        let hop = Hop::start(refusing.clone()).await;
        let mut next = hop_at("hop", &[hop.address]);
        next.assume_8bitmime = assume;
        let world = World::start(vec![next]);
        let mut letter = Letter::to("hop", &["a@fabrikam.example"]);
        letter.content = format!("Subject: x\r\n\r\n{text}\r\n").into_bytes();
        let (mut sets, message, content) = world.commit(vec![letter]).await;
        sets[0].body = BodyType::EightBitMime;
        world.delivery.enqueue(sets, &Arc::new(message), &content);
        world.idle().await;
        assert_eq!(
            hop.seen(|seen| seen.copies.len()),
            usize::from(arrives),
            "{text} {assume}"
        );
        if !arrives {
            let fail = world.event(|kind| matches!(kind, EventKind::Fail { .. })).await;
            let EventKind::Fail { reason, .. } = fail.kind else {
                panic!("just matched");
            };
            assert_eq!(reason, crate::track::Reason::EightBitMimeMissing);
        }
    }
}
