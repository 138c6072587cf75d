use super::*;
use crate::directory::attribute::Attribute;
use crate::directory::testing::{contact, directory, group, person};
use crate::routing::{NextHop, Routes, RoutesDraft, Target};

const HOPS: [&str; 4] = ["cloud", "onprem", "internet", "slow"];

fn rule(name: &str, hop: Option<&str>, when: Conditions) -> OrderedRule<String> {
    OrderedRule {
        name: name.into(),
        when,
        next_hop: hop.map(str::to_owned),
        priority: None,
    }
}

fn routes(rules: Vec<OrderedRule<String>>) -> Routes {
    let folder = |name: &&str| NextHop::new(*name, Target::DropDirectory((*name).into()), "relay.example");
    Routes::build(RoutesDraft {
        hops: HOPS.iter().map(folder).collect(),
        rules,
        ..RoutesDraft::default()
    })
    .expect("good routes")
}

fn mailbox(text: &str) -> Mailbox {
    Mailbox::parse(text).expect("a test address")
}

fn pattern(text: &str) -> DomainPattern {
    let bare = text.strip_prefix("*.");
    DomainPattern {
        domain: Domain::parse(bare.unwrap_or(text)).expect("a test domain"),
        subdomains: bare.is_some(),
    }
}

fn filter(text: &str) -> Conditions {
    let compiled = compile(text, &EvaluationOptions::default()).expect("a filter");
    Conditions {
        recipient: Some(Arc::new(compiled)),
        ..Conditions::default()
    }
}

struct World {
    directory: Directory,
    routes: Routes,
}

impl World {
    fn new(rules: Vec<OrderedRule<String>>) -> Self {
        Self {
            directory: directory([
                person("lena@contoso.example").attribute(Attribute::CustomAttribute1, "contractor"),
                person("jonas@contoso.example"),
                contact("partner@contoso.example", "partner@fabrikam.example"),
                group("all@contoso.example").proxy("smtp:alle@contoso.example"),
            ]),
            routes: routes(rules),
        }
    }

    fn row(&self, address: &str) -> Option<u32> {
        let found = self.directory.lookup(&mailbox(address).key()).one();
        found.map(|ordinal| ordinal.0)
    }

    fn ruling(&self, about: &About<'_>, to: &str, recipient: &str, location: Location) -> Ruling {
        let now = Timestamp::UNIX_EPOCH;
        let rows = |place: usize| self.routes.rules()[place].when.rows(&self.directory, now);
        let live = LiveRules::of(self.routes.rules(), Some(about), rows);
        let class = live.class(self.row(to), self.row(recipient));
        live.ruling(class, Some(location), mailbox(recipient).domain())
    }

    fn goes(&self, about: &About<'_>, to: &str, recipient: &str, location: Location) -> (&str, String) {
        let ruling = self.ruling(about, to, recipient, location);
        let hop = ruling.next_hop.map_or("-", |hop| &self.routes.hop(hop).name);
        (hop, ruling.rule.as_deref().unwrap_or("-").to_owned())
    }
}

fn internal(sender: &ReversePath) -> About<'_> {
    About {
        side: Side::Internal,
        reverse_path: sender,
        size_bytes: Some(1_000),
        listener: Some("relay"),
        recipients: &[],
        tls: TlsWish::Unsaid,
    }
}

fn sender(text: &str) -> ReversePath {
    ReversePath::Mailbox(mailbox(text))
}

#[test]
fn each_condition_has_its_say() {
    let hr = sender("hr@contoso.example");
    let of = |change: &dyn Fn(&mut Conditions)| {
        let mut when = Conditions::default();
        change(&mut when);
        World::new(vec![rule("r", Some("slow"), when)])
    };
    let fits = |world: &World, about: &About<'_>, to: &str, recipient: &str, location: Location| {
        world.goes(about, to, recipient, location).0 == "slow"
    };
    let lena = "lena@contoso.example";
    let by_recipient = World::new(vec![rule(
        "r",
        Some("slow"),
        filter("CustomAttribute1 -eq 'Contractor'"),
    )]);
    assert!(fits(&by_recipient, &internal(&hr), lena, lena, Location::Cloud));
    let jonas = "jonas@contoso.example";
    assert!(!fits(&by_recipient, &internal(&hr), jonas, jonas, Location::Cloud));
    let nobody = "x@elsewhere.example";
    assert!(!fits(&by_recipient, &internal(&hr), nobody, nobody, Location::External));

    let kinds = of(&|when| when.kinds = vec![RecipientKind::MailContact]);
    let partner = "partner@contoso.example";
    assert!(fits(&kinds, &internal(&hr), partner, partner, Location::External));
    assert!(!fits(&kinds, &internal(&hr), lena, lena, Location::External));

    let places = of(&|when| when.locations = vec![Location::Cloud]);
    assert!(fits(&places, &internal(&hr), lena, lena, Location::Cloud));
    assert!(!fits(&places, &internal(&hr), lena, lena, Location::OnPremises));

    let domains = of(&|when| when.domains = vec![pattern("*.fabrikam.example")]);
    for (address, fit) in [
        ("x@fabrikam.example", true),
        ("x@A.Fabrikam.Example", true),
        ("x@notfabrikam.example", false),
    ] {
        assert_eq!(
            fits(&domains, &internal(&hr), address, address, Location::External),
            fit,
            "{address}"
        );
    }

    let groups = of(&|when| when.groups = vec![mailbox("ALLE@contoso.example")]);
    assert!(fits(
        &groups,
        &internal(&hr),
        "all@contoso.example",
        lena,
        Location::Cloud
    ));
    assert!(!fits(&groups, &internal(&hr), lena, lena, Location::Cloud));
}

#[test]
fn what_a_message_is_decides_once_for_all() {
    let hr = sender("HR@contoso.example");
    let null = ReversePath::Null;
    let base = internal(&hr);
    let external = About {
        side: Side::External,
        reverse_path: &null,
        ..base
    };
    let of = |change: &dyn Fn(&mut Conditions)| {
        let mut when = Conditions::default();
        change(&mut when);
        when
    };
    let address = SenderPattern::Address(mailbox("hr@contoso.example").key());
    for (when, about, fits) in [
        (of(&|when| when.sender = Some(Side::Internal)), base, true),
        (of(&|when| when.sender = Some(Side::Internal)), external, false),
        (of(&|when| when.sender = Some(Side::External)), external, true),
        (of(&|when| when.senders = vec![address.clone()]), base, true),
        (of(&|when| when.senders = vec![address.clone()]), external, false),
        (
            of(&|when| when.senders = vec![SenderPattern::Domain(pattern("contoso.example"))]),
            base,
            true,
        ),
        (of(&|when| when.size_min = Some(1_000)), base, true),
        (of(&|when| when.size_min = Some(1_001)), base, false),
        (of(&|when| when.size_max = Some(999)), base, false),
        (
            of(&|when| when.size_max = Some(999)),
            About {
                size_bytes: None,
                ..base
            },
            false,
        ),
        (of(&|when| when.listeners = vec!["relay".into()]), base, true),
        (
            of(&|when| when.listeners = vec!["relay".into()]),
            About { listener: None, ..base },
            false,
        ),
        (of(&|when| when.listeners = vec!["inbound".into()]), base, false),
        (Conditions::default(), external, true),
    ] {
        assert_eq!(when.fit_message(Some(&about)), fits, "{when:?} {about:?}");
    }
    assert!(Conditions::default().fit_message(None));
    assert!(!of(&|when| when.sender = Some(Side::External)).fit_message(None));
}

#[test]
fn the_first_that_fits_decides_and_priority_by_itself() {
    let hr = sender("hr@contoso.example");
    let urgent = |name: &str, priority| OrderedRule {
        priority: Some(priority),
        ..rule(name, None, Conditions::default())
    };
    let world = World::new(vec![
        urgent("urgent", Priority::High),
        urgent("never-asked", Priority::Low),
        rule("contractors", Some("slow"), filter("CustomAttribute1 -eq 'contractor'")),
        rule("rest", Some("cloud"), Conditions::default()),
        rule("after", Some("internet"), Conditions::default()),
    ]);
    let about = internal(&hr);
    let lena = world.ruling(
        &about,
        "all@contoso.example",
        "lena@contoso.example",
        Location::OnPremises,
    );
    assert_eq!(lena.priority, Priority::High);
    assert_eq!(lena.rule.as_deref(), Some("urgent, contractors"));
    let jonas = world.goes(
        &about,
        "all@contoso.example",
        "jonas@contoso.example",
        Location::OnPremises,
    );
    assert_eq!(jonas, ("cloud", "urgent, rest".to_owned()));
    // Nothing fits: place and domain decide.
    let none = World::new(vec![rule("c", Some("slow"), filter("CustomAttribute1 -eq 'nobody'"))]);
    let ruling = none.ruling(&about, "x@y.example", "lena@contoso.example", Location::Cloud);
    assert_eq!(ruling, Ruling::default());
}

#[test]
fn rules_that_ask_only_about_the_message_look_at_nobody() {
    let hr = sender("hr@contoso.example");
    let when = Conditions {
        sender: Some(Side::Internal),
        ..Conditions::default()
    };
    let routes = routes(vec![rule("inside", Some("cloud"), when)]);
    let about = internal(&hr);
    let live = LiveRules::of(routes.rules(), Some(&about), |_| Rows::default());
    assert_eq!(live.class(Some(1), Some(2)), live.class(None, None));
    assert!(!live.is_empty());
    let outside = About {
        side: Side::External,
        ..about
    };
    assert!(LiveRules::of(routes.rules(), Some(&outside), |_| Rows::default()).is_empty());
}

#[test]
fn a_rule_names_a_next_hop_that_is_there() {
    let build = |rules| {
        Routes::build(RoutesDraft {
            rules,
            ..RoutesDraft::default()
        })
        .expect_err("a fault")
    };
    let gone = rule("r", Some("gone"), Conditions::default());
    assert_eq!(
        build(vec![gone]),
        super::super::RouteFault::HopUnknown("gone".to_owned())
    );
    let many = (0..=RULES_MAX).map(|_| rule("r", None, Conditions::default()));
    assert_eq!(build(many.collect()), super::super::RouteFault::TooManyRules);
}
