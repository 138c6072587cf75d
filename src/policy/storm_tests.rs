use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("in range")
}

fn facts(own: &str, ancestors: &[&str]) -> ThreadFacts {
    ThreadFacts {
        own: (!own.is_empty()).then(|| own.to_owned()),
        ancestors: ancestors.iter().map(|id| (*id).to_owned()).collect(),
    }
}

struct Case {
    storms: Storms,
    rules: StormRules,
    group: ObjectId,
    address: Mailbox,
    sent: u128,
}

impl Case {
    fn new(replies: u32) -> Self {
        Self {
            storms: Storms::default(),
            rules: StormRules {
                replies,
                window: Duration::from_secs(60),
                brake: Duration::from_secs(600),
                ..StormRules::default()
            },
            group: ObjectId::new("all"),
            address: Mailbox::parse("all@contoso.example").expect("an address"),
            sent: 0,
        }
    }

    fn note(&mut self, facts: &ThreadFacts, fate: Fate, second: i64) -> Option<Brake> {
        self.sent += 1;
        self.again(facts, fate, second)
    }

    /// The message before, again.
    fn again(&mut self, facts: &ThreadFacts, fate: Fate, second: i64) -> Option<Brake> {
        let reply = Reply {
            thread: facts,
            message: MessageId(uuid::Uuid::from_u128(self.sent)),
            group: &self.group,
            address: &self.address,
            fate,
            at: at(second),
        };
        self.storms.note(&reply, &self.rules)
    }

    fn is_braked(&self, facts: &ThreadFacts, second: i64) -> bool {
        self.storms.braked(facts, &self.group, at(second)).is_some()
    }
}

#[test]
fn the_brake_comes_on_with_the_last_of_so_many_and_holds_for_its_time() {
    let mut case = Case::new(3);
    for (own, second) in [("<1>", 0), ("<2>", 30)] {
        assert_eq!(case.note(&facts(own, &["<a>"]), Fate::Passed, second), None);
    }
    assert!(!case.is_braked(&facts("<3>", &["<a>"]), 59));
    let brake = case
        .note(&facts("<3>", &["<a>"]), Fate::Passed, 59)
        .expect("the third in a minute");
    assert_eq!((brake.replies, brake.seconds, &*brake.thread), (3, 59, "<a>"));
    assert_eq!(brake.passed.len(), 3);
    for (facts, second, braked) in [
        (facts("<4>", &["<a>"]), 60, true),
        (facts("<4>", &["<2>"]), 60, true),
        (facts("<4>", &["<unknown>", "<3>"]), 60, true),
        (facts("<4>", &["<b>"]), 60, false),
        (facts("<4>", &[]), 60, false),
        (facts("<4>", &["<a>"]), 658, true),
        (facts("<4>", &["<a>"]), 659, false),
    ] {
        assert_eq!(case.is_braked(&facts, second), braked, "{facts:?} at {second}");
    }
    let other = ObjectId::new("other");
    assert_eq!(
        case.storms.braked(&facts("<4>", &["<a>"]), &other, at(60)),
        None,
        "another group"
    );
}

#[test]
fn the_window_slides_and_threads_are_apart() {
    let mut case = Case::new(3);
    for second in [0, 40, 80, 120, 160] {
        let own = format!("<{second}>");
        assert_eq!(
            case.note(&facts(&own, &["<a>"]), Fate::Passed, second),
            None,
            "at {second}"
        );
        let own = format!("<b{second}>");
        assert_eq!(case.note(&facts(&own, &["<b>"]), Fate::Passed, second), None);
    }
    assert_eq!(case.storms.watched(at(160)).len(), 2);
    assert_eq!(case.storms.watched(at(160))[0].replies, 2);
    assert_eq!(case.storms.watched(at(300)), [], "nobody counts them any more");
}

#[test]
fn a_message_again_is_counted_once_and_says_again_what_it_brought() {
    let mut case = Case::new(2);
    assert_eq!(case.note(&facts("<1>", &["<a>"]), Fate::Passed, 0), None);
    assert_eq!(
        case.note(&facts("<1>", &["<a>"]), Fate::Passed, 1),
        None,
        "the same message to us twice"
    );
    let brake = case.note(&facts("<2>", &["<a>"]), Fate::Passed, 2);
    assert!(brake.is_some());
    assert_eq!(
        case.again(&facts("<2>", &["<a>"]), Fate::Passed, 3),
        brake,
        "its pass is made again"
    );
    assert_eq!(case.note(&facts("", &["<a>"]), Fate::Held, 4), None);
    assert_eq!(case.again(&facts("", &["<a>"]), Fate::Held, 5), None);
    let watched = &case.storms.watched(at(6))[0];
    assert_eq!((watched.replies, watched.passed.len()), (3, 2));
}

#[test]
fn a_storm_that_goes_on_brakes_again_and_a_lift_begins_anew() {
    let mut case = Case::new(2);
    case.rules.brake = Duration::from_secs(10);
    case.note(&facts("<1>", &["<a>"]), Fate::Passed, 0);
    assert!(case.note(&facts("<2>", &["<a>"]), Fate::Passed, 1).is_some());
    case.note(&facts("<3>", &["<a>"]), Fate::Held, 5);
    assert!(
        case.note(&facts("<4>", &["<a>"]), Fate::Passed, 12).is_some(),
        "the brake was over, the storm was not"
    );
    let lifted = case.storms.lift("<a>", &case.group, "eva", at(13)).expect("it was on");
    assert_eq!(lifted.ended.map(|ended| ended.by).as_deref(), Some("eva"));
    assert_eq!(case.storms.lift("<a>", &case.group, "eva", at(13)), None);
    assert_eq!(case.note(&facts("<5>", &["<a>"]), Fate::Passed, 14), None);
    assert!(case.note(&facts("<6>", &["<a>"]), Fate::Passed, 15).is_some());
}

#[test]
fn a_brake_is_there_after_a_restart_and_counts_are_not() {
    let mut case = Case::new(2);
    case.note(&facts("<1>", &["<a>"]), Fate::Passed, 0);
    case.note(&facts("<x>", &["<quiet>"]), Fate::Passed, 0);
    let brake = case.note(&facts("<2>", &["<1>"]), Fate::Passed, 1).expect("on");
    let mut later = Case::new(2);
    later.storms.restore(vec![brake]);
    assert!(
        later.is_braked(&facts("<3>", &["<2>"]), 2),
        "by a reply that was seen before"
    );
    assert!(!later.is_braked(&facts("<3>", &["<2>"]), 601));
    assert_eq!(later.note(&facts("<y>", &["<quiet>"]), Fate::Passed, 3), None);
}

#[test]
fn memory_is_bounded_and_a_brake_is_not_forgotten() {
    let mut case = Case::new(2);
    case.note(&facts("<1>", &["<a>"]), Fate::Passed, 0);
    assert!(case.note(&facts("<2>", &["<a>"]), Fate::Passed, 0).is_some());
    let most = STORM_ROOTS_MAX + STORM_THREADS_MAX;
    for number in 0..most {
        let (own, root) = (format!("<own{number}>"), format!("<root{number}>"));
        case.note(&facts(&own, &[&root]), Fate::Passed, 1 + number as i64 / 10_000);
    }
    assert!(case.storms.threads.len() <= STORM_THREADS_MAX);
    assert!(case.storms.roots.len() <= STORM_ROOTS_MAX && case.storms.learned.len() <= STORM_ROOTS_MAX);
    assert!(case.is_braked(&facts("<3>", &["<a>"]), 30));
}
