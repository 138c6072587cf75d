//! Who is told of what, and when.

use std::collections::VecDeque;

use super::*;

fn refuse(hop: &Hop, names: &[&str]) {
    hop.behave(|behaviour| {
        for name in names {
            let no = VecDeque::from(["550 5.1.1 no such mailbox".to_owned()]);
            behaviour.rcpts.insert(format!("{name}@contoso.example"), no);
        }
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failures_at_two_hops_are_one_report() {
    let cloud = Hop::start(Behaviour::default()).await;
    let onprem = Hop::start(Behaviour::default()).await;
    refuse(&cloud, &["a"]);
    refuse(&onprem, &["c"]);
    let world = World::start(vec![
        hop_at("cloud", &[cloud.address]),
        hop_at("onprem", &[onprem.address]),
    ]);
    let letters = vec![
        Letter::to("cloud", &["a@contoso.example", "b@contoso.example"]),
        Letter::to("onprem", &["c@contoso.example", "d@contoso.example"]),
    ];
    world.send(letters).await;
    world.idle().await;
    let named = vec!["a@contoso.example".to_owned(), "c@contoso.example".to_owned()];
    assert_eq!(world.reports(), [(ReportKind::Failed, named)]);
    assert_eq!(world.spool.messages(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hop_that_refuses_everybody_makes_one_report_that_names_a_hundred() {
    let hop = Hop::start(Behaviour::default()).await;
    hop.behave(|behaviour| {
        for number in 0..2_000 {
            let no = VecDeque::from(["550 5.1.1 no".to_owned()]);
            behaviour.rcpts.insert(format!("p{number:06}@contoso.example"), no);
        }
    });
    let world = World::start(vec![hop_at("cloud", &[hop.address])]);
    world.send(vec![Letter::numbered("cloud", 2_000)]).await;
    world.idle().await;
    let requests = world.notes.requests.lock().expect("no panic");
    assert_eq!(requests.len(), 1);
    assert_eq!((requests[0].recipients.len(), requests[0].counted_more), (100, 1_900));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn notify_is_honoured() {
    let hop = Hop::start(Behaviour::default()).await;
    refuse(&hop, &["a", "b"]);
    let world = World::start(vec![hop_at("cloud", &[hop.address])]);
    let mut never = Letter::to("cloud", &["a@contoso.example"]);
    never.notify = Some(Notify::NEVER);
    let mut failure = Letter::to("cloud", &["b@contoso.example"]);
    failure.notify = Some(Notify::FAILURE);
    world.send(vec![never, failure]).await;
    world.idle().await;
    assert_eq!(
        world.reports(),
        [(ReportKind::Failed, vec!["b@contoso.example".to_owned()])]
    );
    assert_eq!(world.count("FAIL"), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn success_is_reported_as_relayed_where_the_hop_lacks_dsn() {
    for (keywords, reports) in [(vec!["PIPELINING", "DSN"], 0), (vec!["PIPELINING"], 1)] {
        let behaviour = Behaviour {
            keywords,
            ..Behaviour::default()
        };
        let hop = Hop::start(behaviour).await;
        let world = World::start(vec![hop_at("cloud", &[hop.address])]);
        let mut letter = Letter::to("cloud", &["a@contoso.example"]);
        letter.notify = Some(Notify {
            success: true,
            failure: true,
            delay: false,
        });
        world.send(vec![letter]).await;
        world.idle().await;
        let expected = vec![(ReportKind::Relayed, vec!["a@contoso.example".to_owned()]); reports];
        assert_eq!(world.reports(), expected);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delay_is_reported_once() {
    let hop = Hop::start(Behaviour::default()).await;
    hop.behave(|behaviour| {
        let later = VecDeque::from(vec!["450 4.2.1 busy".to_owned(); 6]);
        behaviour.rcpts.insert("a@contoso.example".to_owned(), later);
    });
    let mut next = hop_at("cloud", &[hop.address]);
    next.retry.delay_report = Duration::ZERO;
    let world = World::start(vec![next]);
    world
        .send(vec![Letter::to("cloud", &["a@contoso.example", "b@contoso.example"])])
        .await;
    world.idle().await;
    assert_eq!(
        world.reports(),
        [(ReportKind::Delayed, vec!["a@contoso.example".to_owned()])]
    );
    assert_eq!(hop.recipients(), ["a@contoso.example", "b@contoso.example"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failures_that_were_not_reported_before_a_crash_are_reported_after_it() {
    let cloud = Hop::start(Behaviour::default()).await;
    refuse(&cloud, &["a"]);
    let down = super::relay::closed_address().await;
    let world = World::start(vec![hop_at("cloud", &[cloud.address]), hop_at("onprem", &[down])]);
    let letters = vec![
        Letter::to("cloud", &["a@contoso.example", "b@contoso.example"]),
        Letter::to("onprem", &["c@contoso.example"]),
    ];
    world.send(letters).await;
    world.event(|kind| matches!(kind, EventKind::Fail { .. })).await;
    // The other hop was not tried with success yet: the failure is still being gathered.
    assert!(world.reports().is_empty());
    let world = world.restart();
    let onprem = Hop::start_at(down, Behaviour::default()).await;
    world.idle().await;
    assert_eq!(onprem.recipients(), ["c@contoso.example"]);
    assert_eq!(
        world.reports(),
        [(ReportKind::Failed, vec!["a@contoso.example".to_owned()])]
    );
    assert_eq!(cloud.recipients(), ["b@contoso.example"]);
    assert_eq!(world.spool.messages(), 0);
}
