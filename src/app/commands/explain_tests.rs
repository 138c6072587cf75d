//! On random organisations, senders and settings `explain` says what delivery does: the same reply and reason, the same
//! recipients, next hops, holds and branches.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;

use super::{Entrances, KnownListener, explain};
use crate::accounts::{AccountsSettings, KnownAccounts};
use crate::admin::answer::{SeenAs, Verdict, VerdictKind};
use crate::admin::command::ExplainQuestion;
use crate::categorizer::commit::Submissions;
use crate::categorizer::decide::Manner;
use crate::categorizer::identify::{Authenticator, Question};
use crate::categorizer::intake::{
    AddressedRecipient, ClientFacts, Intake, ListenerRole, RcptParameters, Secured, Submission,
};
use crate::categorizer::report;
use crate::categorizer::{Categorizer, Dispatch, HopSource, NextHops, Organisation, Views};
use crate::directory::ObjectId;
use crate::directory::testing::ObjectBuilder;
use crate::env::Env;
use crate::expansion::tests::organisations::{Dice, OBJECTS, dice, object, spelled};
use crate::expansion::tests::support::{Hops, mailbox, view};
use crate::expansion::{HopId, Limits, Place, Router};
use crate::mail::authentication::Findings;
use crate::mail::header::HeaderFacts;
use crate::mail::report::{Action, Disclosure, ReportRecipient};
use crate::mail::trace::LoopKey;
use crate::mail::{
    Domain, EnhancedStatus, Envelope, EnvelopeRecipient, Mailbox, MessageId, Reply, ReturnContent, ReversePath, TlsWish,
};
use crate::moderation::Actor;
use crate::moderation::machine::Answer;
use crate::policy::Rules;
use crate::policy::rules::{
    AuthorRule, DisabledAccounts, Forwarding, LargeGroupAction, NestedRestrictions, ReplyDialect, SpoofedSender,
};
use crate::policy::testing::rules;
use crate::resolver::{AcceptedDomain, AcceptedDomains, CertificateName, DomainKind, Login, Sources, TrustedNetwork};
use crate::rolls::View;
use crate::rolls::past::PastFault;
use crate::routing::About;
use crate::spool::SharedSpool;
use crate::spool::content::{Content, Octets};
use crate::spool::memory::MemorySpool;
use crate::spool::message::{DeliverySet, StoredMessage};
use crate::track::{EventKind, Reason};

const NAMES: [&str; 3] = ["cloud", "onprem", "outside"];

struct Numbered;

impl Router for Numbered {
    fn next_hop(&self, place: Option<Place>, final_address: &Mailbox) -> Result<HopId, Reason> {
        Hops.next_hop(place, final_address)
    }
}

impl NextHops for Numbered {
    fn name(&self, hop: HopId) -> String {
        NAMES[hop.0 as usize].to_owned()
    }

    fn expiry(&self, _: HopId) -> Duration {
        Duration::from_secs(3_600)
    }
}

impl HopSource for Numbered {
    fn pass(&self, _: &View, _: Option<&About<'_>>) -> Box<dyn NextHops> {
        Box::new(Self)
    }
}

struct Unasked;

impl Authenticator for Unasked {
    fn check(&self, _: Question) -> Pin<Box<dyn Future<Output = Findings> + Send>> {
        Box::pin(std::future::ready(Findings::default()))
    }
}

struct OneView(Arc<View>);

impl Views for OneView {
    fn view(&self) -> Arc<View> {
        Arc::clone(&self.0)
    }

    fn view_at(&self, _: &ObjectId, _: Timestamp) -> Result<Arc<View>, PastFault> {
        Ok(self.view())
    }

    fn space(&self) -> String {
        "space".to_owned()
    }

    fn sources(&self) -> Sources {
        Sources::Current
    }
}

/// Copies that would leave, by message.
#[derive(Default)]
struct Leaving(Mutex<Vec<(MessageId, Vec<DeliverySet>)>>);

impl Leaving {
    fn of(&self, message: MessageId) -> BTreeMap<String, u64> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut hops = BTreeMap::new();
        for set in all.iter().filter(|(id, _)| *id == message).flat_map(|(_, sets)| sets) {
            *hops.entry(set.next_hop.clone()).or_default() += u64::from(set.roster.len());
        }
        hops
    }
}

impl Dispatch for Leaving {
    fn enqueue(&self, message: Arc<StoredMessage>, _: Content, sets: Vec<DeliverySet>, _: crate::queue::Masks) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.push((message.id, sets));
    }
}

struct World {
    env: Env,
    spool: SharedSpool,
    leaving: Arc<Leaving>,
    categorizer: Arc<Categorizer>,
}

impl World {
    fn new(view: View, rules: Rules) -> Self {
        let env = Env::system();
        let spool: SharedSpool = Arc::new(MemorySpool::new(env.clone()));
        let leaving = Arc::new(Leaving::default());
        let organisation = Organisation {
            host: "mx.contoso.example".to_owned(),
            postmaster: mailbox("postmaster@contoso.example"),
            rules,
            limits: Limits::default(),
            hops: Arc::new(Numbered),
            filters: Arc::new(crate::categorizer::filtering::Unfiltered),
            authenticator: Arc::new(Unasked),
            received_fields_max: 50,
            return_paths: None,
            report_signing: Arc::default(),
            moderation: crate::moderation::moderation(),
        };
        let categorizer = Categorizer::new(
            organisation,
            Arc::new(OneView(Arc::new(view))),
            Arc::clone(&spool),
            Arc::clone(&leaving) as Arc<dyn Dispatch>,
            LoopKey::new([7; 32]),
            env.clone(),
        );
        Self {
            env,
            spool,
            leaving,
            categorizer,
        }
    }
}

/// One mail, and the settings it meets.
#[derive(Debug, Clone)]
struct Case {
    from: u8,
    to: u8,
    by: By,
    settings: [u8; 6],
}

/// How the client comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    /// As anybody.
    Stranger,
    /// From our network.
    Network,
    /// With a certificate that our settings name.
    Certificate,
    /// As the account of an object: mostly the sender's, at times another's.
    Account(u8),
}

fn case() -> impl Strategy<Value = Case> {
    let parts = (0..25_u8, 0..23_u8, 0..8_u8, 0..23_u8, any::<[u8; 6]>());
    parts.prop_map(|(from, to, by, other, settings)| Case {
        from,
        to,
        by: match by {
            0..=2 => By::Stranger,
            3..=4 => By::Network,
            5 => By::Certificate,
            6 => By::Account(from.min(22)),
            _ => By::Account(other),
        },
        settings,
    })
}

fn settings(case: &Case) -> Rules {
    let [spoofed, large, forwarding, disabled, nested, more] = case.settings;
    let mut rules = rules();
    rules.spoofed = [
        SpoofedSender::Refuse,
        SpoofedSender::External,
        SpoofedSender::Quarantine,
    ][spoofed as usize % 3];
    rules.quarantine = vec![mailbox("o13@contoso.example")];
    rules.large_group.action = [
        LargeGroupAction::Allow,
        LargeGroupAction::Refuse,
        LargeGroupAction::Hold,
        LargeGroupAction::Confirm,
    ][large as usize % 4];
    rules.large_group.members = 3;
    rules.forwarding = [Forwarding::Here, Forwarding::NextHop][forwarding as usize % 2];
    rules.disabled_accounts = [DisabledAccounts::Drop, DisabledAccounts::Deliver][disabled as usize % 2];
    rules.nested_restrictions = [NestedRestrictions::Enforce, NestedRestrictions::TopOnly][nested as usize % 2];
    rules.author = [AuthorRule::Ignore, AuthorRule::Permitted, AuthorRule::Same][nested as usize / 2 % 3];
    rules.groups_internal_only = more % 2 == 0;
    rules.reply_dialect = [ReplyDialect::ExchangeOnline, ReplyDialect::Exchange][more as usize / 2 % 2];
    let network = TrustedNetwork {
        name: "inside".into(),
        networks: vec!["10.0.0.0/8".parse().expect("a range")],
        listeners: vec!["relay".into()],
        domains: AcceptedDomains::new([AcceptedDomain {
            domain: Domain::parse("contoso.example").expect("a domain"),
            kind: DomainKind::Authoritative,
            subdomains: false,
        }]),
        certificates: Vec::new(),
        tenancy: None,
    };
    let branch = TrustedNetwork {
        name: "branch".into(),
        networks: Vec::new(),
        certificates: vec![CertificateName::parse(CERTIFICATE).expect("a name")],
        ..network.clone()
    };
    rules.trusted = vec![network, branch];
    rules
}

const CERTIFICATE: &str = "relay.branch.example";

fn client(case: &Case) -> ClientFacts {
    let (listener, role, client): (_, _, [u8; 4]) = match case.by {
        By::Stranger => ("inbound", ListenerRole::Inbound, [192, 0, 2, 7]),
        By::Network => ("relay", ListenerRole::Relay, [10, 0, 0, 7]),
        By::Certificate => ("relay", ListenerRole::Relay, [192, 0, 2, 7]),
        By::Account(_) => ("submission", ListenerRole::Submission, [192, 0, 2, 7]),
    };
    let secured = Secured {
        protocol: "TLSv1.3",
        cipher: "assumed".into(),
        certificates: vec![CERTIFICATE.into()],
    };
    ClientFacts {
        helo: Some("client.example".into()),
        extended: true,
        secured: (case.by == By::Certificate).then(|| Arc::new(secured)),
        login: account(case)
            .and_then(|name| Login::new(&name, Vec::new()))
            .map(Arc::new),
        ..ClientFacts::new(listener.into(), role, IpAddr::from(client))
    }
}

fn account(case: &Case) -> Option<String> {
    match case.by {
        By::Account(number) => Some(spelled(number)),
        By::Stranger | By::Network | By::Certificate => None,
    }
}

/// Nobody's password is known; names are enough to ask.
fn nobody() -> Arc<KnownAccounts> {
    let settings = AccountsSettings {
        password_file: None,
        ldap: None,
        issuer: None,
        failures_max: 1,
        failures_window: Duration::from_secs(1),
        time_limit: Duration::from_secs(1),
    };
    KnownAccounts::new(&settings, Env::system()).expect("nothing to read")
}

/// What a real client would meet.
enum Done {
    /// Refused or deferred, at RCPT or after the dot.
    Reply(Reply),
    /// Accepted, and what became of it.
    Accepted(MessageId),
    /// The pass took longer than a reply may wait: a machine that is too busy, not an answer.
    TooSlow,
}

fn reverse_path(case: &Case) -> ReversePath {
    match case.from {
        24.. => ReversePath::Null,
        number => ReversePath::Mailbox(mailbox(&spelled(number))),
    }
}

async fn deliver(world: &World, case: &Case) -> Done {
    let intake = Submissions(Arc::clone(&world.categorizer));
    let client = client(case);
    let mut envelope = Envelope::from(reverse_path(case));
    // Without SIZE the listener judges the size only after the other rules.
    envelope.size_declared = Some(content(case).len());
    if let Err(reply) = intake.mail(&client, &envelope) {
        return Done::Reply(reply);
    }
    let to = AddressedRecipient::Mailbox(mailbox(&spelled(case.to)));
    match intake.rcpt(&client, &envelope, &to, &RcptParameters::default()) {
        Ok(forward_path) => envelope.recipients.push(EnvelopeRecipient::plain(forward_path)),
        Err(reply) => return Done::Reply(reply),
    }
    let id = world.categorizer.new_message_id();
    let reply = intake
        .submit(Submission {
            id,
            client,
            envelope,
            content: content(case),
            original_head: None,
            received_at: world.env.clock.now(),
        })
        .await;
    if reply.code != 250 {
        return Done::Reply(reply);
    }
    if world.spool.recover().expect("reads").pending.contains(&id) {
        return Done::TooSlow;
    }
    Done::Accepted(id)
}

/// The sender himself, or one of several others, among them such as no rule takes.
fn author(case: &Case) -> String {
    match case.settings[5] / 4 % 8 {
        0 => "Team: o1@contoso.example;".to_owned(),
        1 => "=?utf-8?q?o1=40contoso.example?=".to_owned(),
        2 => "\"The Boss\" <o1@contoso.example>".to_owned(),
        3 => "x@c0ntoso.example".to_owned(),
        4 => "x@outside.example, o2@contoso.example".to_owned(),
        _ if case.from >= 24 => "x0@outside.example".to_owned(),
        _ => spelled(case.from),
    }
}

fn content(case: &Case) -> Content {
    let to = spelled(case.to);
    let from = author(case);
    let text = format!("From: {from}\r\nTo: {to}\r\nSubject: x\r\n\r\n");
    let filler = "x".repeat(if case.settings[5].is_multiple_of(3) { 900 } else { 10 });
    Content::in_memory(format!("{text}{filler}\r\n"))
}

fn ask(world: &World, case: &Case) -> Verdict {
    let known = |name: &str, role| KnownListener {
        name: name.to_owned(),
        role,
        message_octets_max: 1 << 20,
    };
    let client = client(case);
    let question = ExplainQuestion {
        from: reverse_path(case).as_str().to_owned(),
        to: spelled(case.to),
        author: Some(author(case)),
        size_bytes: Some(content(case).len()),
        via: Some(client.listener.to_string()),
        client: Some(client.client),
        login: account(case),
        certificate: (case.by == By::Certificate).then(|| CERTIFICATE.to_owned()),
    };
    let entrances = Entrances {
        listeners: vec![
            known("inbound", ListenerRole::Inbound),
            known("relay", ListenerRole::Relay),
            known("submission", ListenerRole::Submission),
        ],
        accounts: Some(nobody()),
    };
    let explained = explain(&world.categorizer, &entrances, &question).expect("a good question");
    let verdict = explained.verdicts.into_iter().next().expect("a verdict");
    assert_eq!(verdict.seen_as, SeenAs::Client);
    verdict
}

async fn agree(world: &World, case: &Case) -> Result<(), TestCaseError> {
    let said = ask(world, case);
    let done = loop {
        match deliver(world, case).await {
            Done::TooSlow => {}
            done => break done,
        }
    };
    let id = match (done, said.kind) {
        (Done::Reply(reply), VerdictKind::Refused | VerdictKind::Deferred) => {
            prop_assert_eq!(Some(reply), said.reply);
            return Ok(());
        }
        (Done::Accepted(id), VerdictKind::Accepted | VerdictKind::Held) => id,
        (Done::Reply(reply), _) => return Err(TestCaseError::fail(format!("{reply:?} but {said:?}"))),
        (Done::Accepted(_), _) => return Err(TestCaseError::fail(format!("accepted but {said:?}"))),
        (Done::TooSlow, _) => return Ok(()),
    };
    let (branches, left) = branches(world, id);
    let told: Vec<(String, Reason)> = said
        .branches
        .iter()
        .filter(|branch| branch.kind != VerdictKind::Held)
        .map(|branch| (branch.recipient.clone(), branch.reason))
        .collect();
    let mut holds = world.spool.holds_of(id).unwrap_or_default();
    let held = said
        .branches
        .iter()
        .filter(|branch| branch.kind == VerdictKind::Held)
        .count();
    if said.kind == VerdictKind::Accepted {
        prop_assert_eq!(&world.leaving.of(id), &said.next_hops);
        prop_assert_eq!(branches, told);
        prop_assert_eq!(left, said.left_out.len());
        prop_assert_eq!(holds.len(), held);
        return Ok(());
    }
    prop_assert_eq!(holds.len(), 1, "one recipient was addressed");
    let hold = holds.pop().expect("one");
    prop_assert_eq!(Some(hold.cause), said.cause);
    let moderators: Vec<String> = hold.moderators.iter().map(ToString::to_string).collect();
    prop_assert_eq!(&moderators, &said.moderators);
    prop_assert!(world.leaving.of(id).is_empty(), "nothing leaves before the approval");
    let manner = Manner::default();
    let decided = world
        .categorizer
        .decide(hold.id, Answer::Approve, &Actor::Operator, None, &manner)
        .await;
    let settled = decided.map_err(|fault| TestCaseError::fail(format!("{fault}: {said:?}")))?;
    prop_assert_eq!(settled.recipients, said.recipients);
    prop_assert_eq!(&world.leaving.of(id), &said.next_hops);
    Ok(())
}

/// Refused branches as tracked, and how many recipients were left out.
fn branches(world: &World, id: MessageId) -> (Vec<(String, Reason)>, usize) {
    let events = world.spool.outbox(usize::MAX).expect("reads");
    let mut branches = Vec::new();
    let mut left = 0;
    for (_, event) in events.into_iter().filter(|(_, event)| event.message == id) {
        match event.kind {
            EventKind::Branch { recipient, reason, .. } => branches.push((recipient, reason)),
            EventKind::Drop { reason, .. } if reason != Reason::Duplicate => left += 1,
            _ => {}
        }
    }
    (branches, left)
}

fn run(all: &[Dice], cases: &[Case]) -> Result<(), TestCaseError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let objects = all.iter().enumerate().map(|(number, dice)| object(number, dice));
    let view = view(objects.map(ObjectBuilder::of));
    for case in cases {
        let world = World::new(view.clone(), settings(case));
        runtime.block_on(agree(&world, case))?;
    }
    Ok(())
}

/// RFC 8689 §5: what is said about a message is protected as the message was to be, and its body does not go back.
#[test]
fn reports_carry_on_what_the_sender_wanted_of_tls() {
    let objects = [crate::directory::testing::person("lena@contoso.example")];
    let world = World::new(view(objects), rules());
    let content = Content::in_memory(b"Subject: x\r\n\r\na secret\r\n".to_vec());
    let head = HeaderFacts::read(&content.head).expect("a section");
    for wish in [TlsWish::Unsaid, TlsWish::Required, TlsWish::Optional] {
        let to = ReversePath::Mailbox(mailbox("hr@outside.example"));
        let mut envelope = Envelope::from(to.clone());
        envelope.ret = Some(ReturnContent::Full);
        envelope.set_tls(wish);
        let about = report::About {
            id: MessageId(uuid::Uuid::now_v7()),
            received_at: world.env.clock.now(),
            envelope: &envelope,
            content: &content,
            head: &head,
        };
        let recipient = ReportRecipient {
            address: "a@fabrikam.example".to_owned(),
            disclosure: Disclosure::Recipient,
            original: None,
            action: Action::Failed,
            status: EnhancedStatus::new(5, 7, 30),
            reply: None,
            remote: None,
            last_attempt_at: None,
            will_retry_until: None,
        };
        let report = world.categorizer.delivery_report(&about, &to, vec![recipient], 0);
        let message = report.expect("a report").message;
        assert_eq!(message.message.envelope.tls(), wish);
        let Octets::Memory(octets) = &message.content.octets else {
            panic!("our own messages are in memory");
        };
        let text = String::from_utf8_lossy(octets);
        assert_eq!(text.contains("a secret"), wish != TlsWish::Required, "{text}");
        assert_eq!(
            text.starts_with("TLS-Required: No\r\n"),
            wish == TlsWish::Optional,
            "{text}"
        );
    }
}

proptest! {
    // 1,250 organisations with 8 mails each: 10,000 cases.
    #![proptest_config(ProptestConfig::with_cases(1_250))]

    #[test]
    fn explain_says_what_delivery_does(all in prop::collection::vec(dice(), OBJECTS), cases in prop::collection::vec(case(), 8)) {
        run(&all, &cases)?;
    }
}
