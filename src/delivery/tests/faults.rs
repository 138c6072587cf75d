//! Hops that misbehave (`reliability.md` T7): nothing is lost, nothing is bounced that should wait.

use std::collections::VecDeque;

use super::hop::{Act, Step};
use super::relay::closed_address;
use super::*;

/// One fault of a hop that then behaves: the message arrives in the end.
async fn survives(step: Step, act: Act, copies_max: usize) {
    let name = format!("{step:?} {act:?}");
    let hop = Hop::start(Behaviour::default()).await;
    hop.behave(|behaviour| drop(behaviour.acts.insert(step, VecDeque::from([act]))));
    let mut next = hop_at("cloud", &[hop.address]);
    next.connections_max = 1;
    let world = World::start(vec![next]);
    world
        .send(vec![Letter::to("cloud", &["a@contoso.example", "b@contoso.example"])])
        .await;
    world.idle().await;
    let mut recipients = hop.recipients();
    let copies = recipients.len();
    recipients.dedup();
    assert_eq!(recipients, ["a@contoso.example", "b@contoso.example"], "{name}");
    assert!(copies <= 2 * copies_max, "{name}: {copies}");
    assert!(world.reports().is_empty(), "{name}: {:?}", world.reports());
    assert_eq!(world.spool.messages(), 0, "{name}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_at_any_step_is_temporary() {
    for step in Step::ALL {
        survives(step, Act::Close, 1).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silence_at_any_step_is_temporary() {
    for step in Step::ALL {
        survives(step, Act::Silence, 1).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transient_replies_at_any_step_are_temporary() {
    for step in Step::ALL.into_iter().filter(|step| *step != Step::Content) {
        for code in [421, 450, 451, 452] {
            survives(step, Act::Say(format!("{code} 4.3.0 not now")), 1).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_at_any_step_is_temporary() {
    let garbage: [&[u8]; 8] = [
        b"hello there\r\n",
        b"250\xff\xfe\r\n",
        b"250 ok\n",
        b"99 no\r\n",
        b"\r\n",
        b"250-a\r\n550 b\r\n",
        &[b'x'; 70_000],
        b"354\0go\r\n",
    ];
    for step in Step::ALL {
        for octets in garbage {
            // A dot that was answered by garbage may have been taken: one more copy at most.
            survives(step, Act::Raw(octets.to_vec()), 2).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn permanent_replies_fail_where_they_are_about_the_message() {
    for (step, fails) in [
        (Step::Greeting, false),
        (Step::Mail, true),
        (Step::Data, true),
        (Step::Dot, true),
    ] {
        let hop = Hop::start(Behaviour::default()).await;
        let act = Act::Say("554 5.7.1 not wanted".to_owned());
        hop.behave(|behaviour| drop(behaviour.acts.insert(step, VecDeque::from([act]))));
        let world = World::start(vec![hop_at("cloud", &[hop.address])]);
        world.send(vec![Letter::to("cloud", &["a@contoso.example"])]).await;
        world.idle().await;
        assert_eq!(hop.recipients().is_empty(), fails, "{step:?}");
        assert_eq!(world.reports().len(), usize::from(fails), "{step:?}");
        assert_eq!(world.count("FAIL"), usize::from(fails), "{step:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_354_without_recipients_is_answered_by_the_dot_alone() {
    let hop = Hop::start(Behaviour::default()).await;
    hop.behave(|behaviour| {
        behaviour
            .acts
            .insert(Step::Data, VecDeque::from([Act::Say("354 go".to_owned())]));
        let no = VecDeque::from(["550 5.1.1 no".to_owned()]);
        behaviour.rcpts.insert("a@contoso.example".to_owned(), no);
    });
    let world = World::start(vec![hop_at("cloud", &[hop.address])]);
    world.send(vec![Letter::to("cloud", &["a@contoso.example"])]).await;
    world.idle().await;
    hop.seen(|seen| assert!(seen.copies.is_empty()));
    assert_eq!(
        world.reports(),
        [(ReportKind::Failed, vec!["a@contoso.example".to_owned()])]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_recipient_has_his_own_outcome() {
    let hop = Hop::start(Behaviour::default()).await;
    hop.behave(|behaviour| {
        for number in [7, 23, 41] {
            let no = VecDeque::from(["550 5.1.10 nobody here".to_owned()]);
            behaviour.rcpts.insert(format!("p{number:06}@contoso.example"), no);
        }
        for number in [8, 30] {
            let later = VecDeque::from(["450 4.2.1 busy".to_owned()]);
            behaviour.rcpts.insert(format!("p{number:06}@contoso.example"), later);
        }
    });
    let world = World::start(vec![hop_at("cloud", &[hop.address])]);
    world.send(vec![Letter::numbered("cloud", 50)]).await;
    world.idle().await;
    assert_eq!(hop.recipients().len(), 47);
    hop.seen(|seen| assert_eq!(seen.copies.len(), 2, "the deferred are gathered into one batch"));
    let named = [7, 23, 41]
        .map(|number| format!("p{number:06}@contoso.example"))
        .to_vec();
    assert_eq!(world.reports(), [(ReportKind::Failed, named)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hop_that_is_down_then_up_gets_everything_once() {
    let address = closed_address().await;
    let mut next = hop_at("cloud", &[address]);
    next.retry.first = Duration::from_secs(3_600);
    next.retry.longest = Duration::from_secs(3_600);
    let world = World::start(vec![next]);
    world.send(vec![Letter::numbered("cloud", 3)]).await;
    let event = world.event(|kind| matches!(kind, EventKind::Defer { .. })).await;
    let EventKind::Defer { reason, .. } = event.kind else {
        panic!("just matched");
    };
    assert_eq!(reason, Reason::NextHopUnreachable);
    let view = world.delivery.snapshot();
    assert_eq!(view.items[0].reason, Some(Reason::NextHopUnreachable));
    assert!(view.items[0].next_attempt_at.is_some());
    // What comes later waits as well and is told so at once.
    world.send(vec![Letter::to("cloud", &["late@contoso.example"])]).await;
    assert_eq!(world.count("DEFER"), 2);
    let hop = Hop::start_at(address, Behaviour::default()).await;
    assert_eq!(world.delivery.retry(&Selection::NextHop("cloud".to_owned())), 2);
    world.idle().await;
    assert_eq!(hop.recipients().len(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_second_host_is_tried_when_the_first_is_down() {
    let down = closed_address().await;
    let refusing = Hop::start(Behaviour::default()).await;
    let acts = VecDeque::from([Act::Say("554 no service".to_owned())]);
    refusing.behave(|behaviour| drop(behaviour.acts.insert(Step::Greeting, acts)));
    let good = Hop::start(Behaviour::default()).await;
    let world = World::start(vec![hop_at("cloud", &[down, refusing.address, good.address])]);
    world.send(vec![Letter::to("cloud", &["a@contoso.example"])]).await;
    world.idle().await;
    assert_eq!(good.recipients(), ["a@contoso.example"]);
    assert_eq!(world.count("DEFER"), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_dead_hop_does_not_hold_up_another() {
    let silent = Hop::start(Behaviour::default()).await;
    let acts = VecDeque::from(vec![Act::Silence; 50]);
    silent.behave(|behaviour| drop(behaviour.acts.insert(Step::Greeting, acts)));
    let good = Hop::start(Behaviour::default()).await;
    let mut slow = hop_at("slow", &[silent.address]);
    slow.timeouts.greeting = PATIENCE * 10;
    let world = World::start(vec![slow, hop_at("cloud", &[good.address])]);
    world.send(vec![Letter::numbered("slow", 3)]).await;
    for _ in 0..20 {
        world.send(vec![Letter::numbered("cloud", 3)]).await;
    }
    good.wait(|seen| seen.copies.len() == 20).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_cannot_be_reached_in_time_is_reported_after_a_last_attempt() {
    let hop = Hop::start(Behaviour::default()).await;
    hop.behave(|behaviour| {
        let later = VecDeque::from(vec!["450 4.2.1 busy".to_owned(); 1_000]);
        behaviour.rcpts.insert("a@contoso.example".to_owned(), later);
    });
    let world = World::start(vec![hop_at("cloud", &[hop.address])]);
    let mut letter = Letter::to("cloud", &["a@contoso.example", "b@contoso.example"]);
    letter.expires_in = Duration::from_millis(200);
    world.send(vec![letter]).await;
    world.idle().await;
    assert_eq!(hop.recipients(), ["b@contoso.example"]);
    let requests = world.notes.requests.lock().expect("no panic");
    let told = &requests[0].recipients[0];
    let reply = told.reply.as_ref().expect("a reply");
    assert_eq!((told.reason, reply.code), (Some(Reason::Expired), 554));
    assert!(reply.text.contains("450 4.2.1 busy"), "{reply}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_hop_expires_what_waits_for_it() {
    let world = World::start(vec![hop_at("cloud", &[closed_address().await])]);
    let mut letter = Letter::numbered("cloud", 3);
    letter.expires_in = Duration::from_millis(150);
    world.send(vec![letter]).await;
    world.idle().await;
    assert_eq!(world.reports()[0].1.len(), 3);
    assert_eq!(world.count("FAIL"), 3);
    assert_eq!(world.spool.messages(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_drops_what_waits() {
    let mut next = hop_at("cloud", &[closed_address().await]);
    next.retry.first = Duration::from_secs(3_600);
    next.retry.longest = Duration::from_secs(3_600);
    let world = World::start(vec![next]);
    world.send(vec![Letter::numbered("cloud", 3)]).await;
    let view = world.delivery.snapshot();
    let message = Selection::Message(view.items[0].message);
    assert_eq!(world.delivery.drop(&message, "a test"), 1);
    world.idle().await;
    assert_eq!(world.count("DROP"), 3);
    assert!(world.reports().is_empty());
}
