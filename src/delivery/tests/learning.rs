//! What next hops say about recipients is learned: refusals in answer to RCPT, and later successes.

use std::collections::VecDeque;

use super::*;
use crate::rolls::suspect::{Learner, Lesson, SuspectSettings, Suspects, Taught};

/// Learns at once, and remembers the lessons.
#[derive(Default)]
pub struct School {
    known: Mutex<Arc<Suspects>>,
    lessons: Mutex<Vec<Lesson>>,
}

impl Learner for School {
    fn suspects(&self) -> Arc<Suspects> {
        Arc::clone(&self.known.lock().expect("no panic under the lock"))
    }

    fn learn(&self, lessons: Vec<Lesson>) {
        let mut known = self.known.lock().expect("no panic under the lock");
        let mut suspects = (**known).clone();
        for lesson in &lessons {
            if let Some(change) = suspects.learn(lesson) {
                suspects.take(&change);
            }
        }
        *known = Arc::new(suspects);
        self.lessons.lock().expect("no panic under the lock").extend(lessons);
    }
}

impl School {
    fn taught(&self) -> Vec<(String, bool)> {
        let lessons = self.lessons.lock().expect("no panic under the lock");
        lessons
            .iter()
            .map(|lesson| (lesson.address.to_string(), lesson.verdict == Taught::Taken))
            .collect()
    }
}

fn answers(address: &str, answers: &[&str]) -> Behaviour {
    let mut behaviour = Behaviour::default();
    let answers: VecDeque<String> = answers.iter().map(|answer| (*answer).to_owned()).collect();
    behaviour.rcpts.insert(address.to_owned(), answers);
    behaviour
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_refused_for_three_messages_is_suspect_until_one_is_taken() {
    let no = "550 5.1.1 no such user";
    let hop = Hop::start(answers("lena@contoso.example", &[no, no, no])).await;
    let world = World::start(vec![hop_at("cloud", &[hop.address])]);
    let settings = SuspectSettings::default();
    for (message, suspect) in [(1, false), (2, false), (3, true), (4, false)] {
        let both = ["lena@contoso.example", "jonas@contoso.example"];
        world.send(vec![Letter::to("cloud", &both)]).await;
        world.idle().await;
        let suspects = world.school.suspects();
        let listed = suspects.iter().any(|each| each.is_suspect(&settings));
        assert_eq!(listed, suspect, "message {message}");
    }
    let lena = |taken| ("lena@contoso.example".to_owned(), taken);
    assert_eq!(
        world.school.taught(),
        [lena(false), lena(false), lena(false), lena(true)],
        "nothing is said about the other one"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_message_was_refused_for_teaches_nothing() {
    let mut behaviour = answers("lena@contoso.example", &["450 4.2.1 later"]);
    let refuses = VecDeque::from([hop::Act::Say("554 5.6.0 content".to_owned())]);
    behaviour.acts.insert(hop::Step::Dot, refuses);
    let hop = Hop::start(behaviour).await;
    let world = World::start(vec![hop_at("cloud", &[hop.address])]);
    let both = ["lena@contoso.example", "jonas@contoso.example"];
    world.send(vec![Letter::to("cloud", &both)]).await;
    world.idle().await;
    assert_eq!(world.school.taught(), []);
    assert_eq!(world.count("FAIL"), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hop_that_refuses_nearly_everybody_makes_nobody_suspect() {
    let letter = Letter::numbered("cloud", 30);
    let mut behaviour = Behaviour::default();
    for recipient in &letter.recipients[..20] {
        let no = VecDeque::from(["550 5.1.1 no such user".to_owned()]);
        behaviour.rcpts.insert(recipient.clone(), no);
    }
    let hop = Hop::start(behaviour).await;
    let world = World::start(vec![hop_at("cloud", &[hop.address])]);
    world.send(vec![letter]).await;
    world.idle().await;
    assert_eq!(world.count("FAIL"), 20);
    assert_eq!(world.school.taught(), []);
}
