//! TLS reports (RFC 8460), over real sockets: what sessions come to is counted, kept, and told to the domain.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};

use flate2::read::GzDecoder;
use hickory_resolver::proto::rr::rdata::TXT;
use hickory_resolver::proto::rr::{RData, RecordType};
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::hop::{Act, Begins, Step};
use super::mx::{Answer, Zone, loopback, mx};
use super::tls::{Authority, Leaf};
use super::web::{self, Host};
use super::*;
use crate::delivery::tls_reports::TlsReportSettings;
use crate::delivery::tls_reports::book::{Book, Ending};
use crate::delivery::tls_reports::result::PolicyKind;
use crate::delivery::web::Web;
use crate::env::Clock;

/// A clock that can be set forward.
struct Moved {
    seconds: AtomicI64,
    real: Arc<dyn Clock>,
}

impl Clock for Moved {
    fn now(&self) -> Timestamp {
        self.real.now() + SignedDuration::from_secs(self.seconds.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Duration {
        self.real.monotonic()
    }
}

impl Moved {
    fn forward(&self, by: SignedDuration) {
        self.seconds.fetch_add(by.as_secs(), Ordering::SeqCst);
    }
}

/// A domain with a mail exchanger `a.example`, a policy, and a record that asks for reports.
struct Scene {
    hop: Hop,
    zone: Zone,
    authority: Authority,
    folder: tempfile::TempDir,
    clock: Arc<Moved>,
    web: Web,
}

const DOMAIN: &str = "fabrikam.example";

fn text(text: &str) -> Answer {
    Answer::Records(vec![RData::TXT(TXT::new(vec![text.to_owned()]))])
}

impl Scene {
    async fn new() -> Self {
        let authority = Authority::new();
        let zone = Zone::start(vec![
            (DOMAIN, RecordType::MX, Answer::Records(vec![mx(10, "a.example")])),
            ("a.example", RecordType::A, loopback()),
        ])
        .await;
        Self {
            hop: Hop::start(Behaviour::default()).await,
            zone,
            web: Web {
                authorities: vec![authority.certificate.clone()],
                ..Web::default()
            },
            authority,
            folder: tempfile::tempdir().expect("a folder"),
            clock: Arc::new(Moved {
                seconds: AtomicI64::new(0),
                real: Env::system().clock,
            }),
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The domain's policy as it is known.
    fn policy(&self, mode: &str, mx: &str) {
        let policy = json!({"mode": mode, "mx": [mx], "max_age": 86400});
        let known = json!({DOMAIN: {"id": "1", "policy": policy, "expires_at": "2999-01-01T00:00:00Z"}});
        std::fs::write(self.file("mta-sts.json"), known.to_string()).expect("writable");
    }

    fn world(&self) -> World {
        let mut next = NextHop::new("internet", Target::Mx, "relay.example");
        quick(&mut next);
        next.mx_port = self.hop.address.port();
        let settings = DeliverySettings {
            name_servers: vec![self.zone.address],
            dns_timeout: Duration::from_millis(100),
            mta_sts_file: Some(self.file("mta-sts.json")),
            session_messages_max: 1,
            tls_reports: Some(TlsReportSettings {
                organization: "Contoso".to_owned(),
                contact: Mailbox::parse("tls-reports@contoso.example").expect("a mailbox"),
                file: Some(self.file("tls-reports.json")),
            }),
            web: self.web.clone(),
            ..DeliverySettings::default()
        };
        let env = Env {
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
            ..Env::system()
        };
        let spool = Arc::new(MemorySpool::new(Env::system()));
        World::in_env(spool, routes(vec![next]), settings, Arc::new(AsQueued), env)
    }

    fn shows(&self, leaf: Option<&Leaf>) {
        self.hop
            .behave(|behaviour| behaviour.tls = leaf.map(|leaf| (leaf.server(), Begins::ByStartTls)));
    }
}

fn letter() -> Letter {
    Letter::to("domain:fabrikam.example", &["a@fabrikam.example"])
}

fn book(world: &World) -> Book {
    world.delivery.tls_reports().expect("reports are made")
}

async fn look(world: &World) {
    let shared = &world.delivery.shared;
    let reports = Arc::clone(shared.tls_reports.as_ref().expect("reports are made"));
    shared.send_tls_reports(&reports).await;
}

/// Result types and how often, of the only domain.
fn failures(book: &Book) -> Vec<(&'static str, u64)> {
    let counts = book.days.values().next().expect("a day").domains[DOMAIN].clone();
    let details = counts.policies.iter().flat_map(|policy| policy.details.clone());
    details.map(|detail| (detail.result.word(), detail.sessions)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_sessions_come_to_is_told_to_the_domain_once_the_day_is_over() {
    let mut scene = Scene::new().await;
    let reporting = Host::start(
        &scene.authority.leaf(&["reports.fabrikam.example"]),
        [web::Answer::status(503, ""), web::Answer::status(201, "")],
    )
    .await;
    let name = "reports.fabrikam.example";
    scene.web.hosts.push((name.to_owned(), reporting.address));
    let record = format!("v=TLSRPTv1; rua=mailto:tls@{DOMAIN},https://{name}/v1");
    scene
        .zone
        .set("_smtp._tls.fabrikam.example", RecordType::TXT, text(&record));
    scene.policy("testing", "*.example");
    let world = scene.world();
    let right = scene.authority.leaf(&["a.example"]);
    let broken = Some(Act::Raw(b"220 go\r\nno TLS at all\r\n".to_vec()));
    for (leaf, act) in [
        (Some(right), None),
        (Some(scene.authority.leaf(&["elsewhere.example"])), None),
        (Some(scene.authority.leaf_until(&["a.example"], Some(2020))), None),
        (Some(Authority::new().leaf(&["a.example"])), None),
        (Some(scene.authority.leaf(&["a.example"])), broken),
        (None, None),
        (None, None),
    ] {
        scene.shows(leaf.as_ref());
        if let Some(act) = act {
            scene
                .hop
                .behave(|behaviour| drop(behaviour.acts.insert(Step::StartTls, [act].into())));
        }
        world.send(vec![letter()]).await;
        world.idle().await;
    }
    assert_eq!(scene.hop.seen(|seen| seen.copies.len()), 7, "testing holds nothing up");
    // After a restart the counts are there.
    look(&world).await;
    drop(world);
    let world = scene.world();
    let kept = book(&world);
    let wanted = [
        ("certificate-host-mismatch", 1),
        ("certificate-expired", 1),
        ("certificate-not-trusted", 1),
        ("validation-failure", 1),
        ("starttls-not-supported", 2),
    ];
    assert_eq!(failures(&kept), wanted);
    let counts = kept.days.values().next().expect("a day").domains[DOMAIN].policies[0].clone();
    assert_eq!(
        (counts.policy.kind, counts.succeeded, counts.failed),
        (PolicyKind::Sts, 1, 6)
    );
    // The day is not over.
    assert!(world.notes.tls_reports.lock().expect("no panic").is_empty());
    scene.clock.forward(SignedDuration::from_hours(28));
    look(&world).await;
    let report = world.notes.tls_reports.lock().expect("no panic")[0].clone();
    assert_eq!(report.to.to_string(), format!("tls@{DOMAIN}"));
    assert!(
        report.file_name.starts_with("contoso.example!fabrikam.example!"),
        "{}",
        report.file_name
    );
    let document = read(&report.gzip);
    let policy = &document["policies"][0];
    assert_eq!(document["organization-name"], "Contoso");
    assert_eq!(policy["policy"]["policy-type"], "sts");
    assert_eq!(policy["policy"]["mx-host"], json!(["*.example"]));
    assert_eq!(
        policy["summary"],
        json!({"total-successful-session-count": 1, "total-failure-session-count": 6})
    );
    let first = &policy["failure-details"][0];
    assert_eq!(
        (
            &first["sending-mta-ip"],
            &first["receiving-ip"],
            &first["receiving-mx-hostname"]
        ),
        (&json!("127.0.0.1"), &json!("127.0.0.1"), &json!("a.example"))
    );
    // The host of reports had a bad moment: the same report comes again, and only there.
    assert_eq!(book(&world).ended.len(), 0);
    scene.clock.forward(SignedDuration::from_mins(16));
    look(&world).await;
    let asked = reporting.asked();
    assert_eq!(asked.len(), 2);
    assert!(asked[1].head.starts_with("POST /v1 HTTP/1.1\r\n"), "{}", asked[1].head);
    assert!(
        asked[1].head.contains("content-type: application/tlsrpt+gzip\r\n"),
        "{}",
        asked[1].head
    );
    assert_eq!(read(&asked[1].body), document);
    let book = book(&world);
    assert!(book.days.is_empty(), "{book:?}");
    let ended = &book.ended[0];
    assert_eq!(ended.arrived, [format!("https://{name}/v1")]);
    // This double of a queue has no route for mail.
    assert_eq!((ended.ending, ended.missed.len()), (Ending::GivenUp, 1));
}

fn read(gzip: &[u8]) -> Value {
    let mut text = String::new();
    GzDecoder::new(gzip).read_to_string(&mut text).expect("gzip");
    serde_json::from_str(&text).expect("JSON")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn enforced_policies_count_what_they_hold_up_and_mail_without_policy_is_not_counted() {
    let scene = Scene::new().await;
    scene.policy("enforce", "other.example");
    let leaf = scene.authority.leaf(&["a.example"]);
    scene.shows(Some(&leaf));
    let world = scene.world();
    let optional = Letter::to("domain:fabrikam.example,tls-optional", &["o@fabrikam.example"]);
    world.send(vec![optional]).await;
    world.idle().await;
    assert!(book(&world).days.is_empty());
    world.send(vec![letter()]).await;
    world.event(|kind| matches!(kind, EventKind::Defer { .. })).await;
    let [(word, _)] = failures(&book(&world))[..] else {
        panic!("one kind of failure");
    };
    assert_eq!(word, "validation-failure");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_policy_any_tls_is_a_success_and_none_is_a_failure() {
    let scene = Scene::new().await;
    let leaf = Authority::new().leaf(&["elsewhere.example"]);
    let world = scene.world();
    for shown in [Some(&leaf), None] {
        scene.shows(shown);
        world.send(vec![letter()]).await;
        world.idle().await;
    }
    let counts = book(&world).days.values().next().expect("a day").domains[DOMAIN].policies[0].clone();
    assert_eq!(
        (counts.policy.kind, counts.succeeded, counts.failed),
        (PolicyKind::NoPolicyFound, 1, 1)
    );
    // The domain asks for no reports: they are let go.
    scene.clock.forward(SignedDuration::from_hours(28));
    look(&world).await;
    assert_eq!(book(&world), Book::default());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_is_tried_for_a_day_and_counts_that_cannot_be_read_begin_anew() {
    let scene = Scene::new().await;
    let world = scene.world();
    world.send(vec![letter()]).await;
    world.idle().await;
    let name = "_smtp._tls.fabrikam.example";
    scene.zone.set(name, RecordType::TXT, Answer::Silence);
    scene.clock.forward(SignedDuration::from_hours(28));
    for _ in 0..20 {
        look(&world).await;
        scene.clock.forward(SignedDuration::from_hours(2));
    }
    let book_then = book(&world);
    assert!(book_then.days.is_empty());
    assert_eq!(book_then.ended[0].ending, Ending::GivenUp);
    drop(world);
    std::fs::write(scene.file("tls-reports.json"), "{half").expect("writable");
    assert_eq!(book(&scene.world()), Book::default());
}

/// What a fetch of a policy over HTTPS came to: the policy's mode, or the result type.
async fn fetched(scene: &Scene, host: &str, answer: web::Answer) -> String {
    let authority = if host == "strange" {
        &Authority::new()
    } else {
        &scene.authority
    };
    let names = if host == "other" {
        ["www.fabrikam.example"]
    } else {
        ["mta-sts.fabrikam.example"]
    };
    let server = Host::start(&authority.leaf(&names), [answer]).await;
    let address = if host == "nobody" {
        "127.0.0.1:1".parse().expect("an address")
    } else {
        server.address
    };
    let web = Web {
        hosts: vec![("mta-sts.fabrikam.example".to_owned(), address)],
        patience_max: Some(Duration::from_millis(500)),
        ..scene.web.clone()
    };
    let policies = crate::delivery::tls::sts::Policies::kept_in(None, web);
    let texts = ["v=STSv1; id=1".to_owned()];
    let word = policies.word(DOMAIN, Some(&texts), &Env::system().clock).await;
    // A host that failed is left alone, and the reason stays known.
    let again = policies.word(DOMAIN, Some(&texts), &Env::system().clock).await;
    assert_eq!(word, again);
    assert!(server.asked().len() <= 1);
    if let Some(request) = server.asked().first() {
        assert!(
            request.head.starts_with("GET /.well-known/mta-sts.txt HTTP/1.1\r\n"),
            "{}",
            request.head
        );
    }
    match word {
        crate::delivery::tls::sts::StsWord::Policy(policy) => policy.lines()[1].clone(),
        crate::delivery::tls::sts::StsWord::Unavailable(fault) => fault.result.to_string(),
        crate::delivery::tls::sts::StsWord::Nothing => String::new(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn policies_are_fetched_over_https() {
    const POLICY: &str = "version: STSv1\r\nmode: enforce\r\nmx: a.example\r\nmax_age: 86400\r\n";
    let scene = Scene::new().await;
    let good = || web::Answer::ok("text/plain; charset=utf-8", POLICY);
    let redirect = "Location: https://mta-sts.fabrikam.example/elsewhere\r\n";
    for (name, host, answer, came) in [
        ("as it should be", "", good(), "mode: enforce"),
        (
            "redirected",
            "",
            web::Answer::status(302, redirect),
            "sts-policy-fetch-error",
        ),
        ("not there", "", web::Answer::status(404, ""), "sts-policy-fetch-error"),
        ("HTML", "", web::Answer::ok("text/html", POLICY), "sts-policy-invalid"),
        (
            "too large",
            "",
            web::Answer::ok("text/plain", "x".repeat(65 * 1024)),
            "sts-policy-invalid",
        ),
        (
            "no policy",
            "",
            web::Answer::ok("text/plain", "mode: enforce"),
            "sts-policy-invalid",
        ),
        (
            "no text",
            "",
            web::Answer::ok("text/plain", [0xff, 0xfe]),
            "sts-policy-invalid",
        ),
        ("silent", "", web::Answer::Silence, "sts-policy-fetch-error"),
        ("not listening", "nobody", good(), "sts-policy-fetch-error"),
        ("another's certificate", "other", good(), "sts-webpki-invalid"),
        ("nobody's certificate", "strange", good(), "sts-webpki-invalid"),
    ] {
        assert_eq!(fetched(&scene, host, answer).await, came, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_that_cannot_be_fetched_anew_stays_and_one_that_never_was_is_reported() {
    let mut scene = Scene::new().await;
    let server = Host::start(
        &scene.authority.leaf(&["mta-sts.fabrikam.example"]),
        [web::Answer::status(500, "")],
    )
    .await;
    scene
        .web
        .hosts
        .push(("mta-sts.fabrikam.example".to_owned(), server.address));
    scene
        .zone
        .set("_mta-sts.fabrikam.example", RecordType::TXT, text("v=STSv1; id=2"));
    let leaf = scene.authority.leaf(&["a.example"]);
    scene.shows(Some(&leaf));
    let world = scene.world();
    world.send(vec![letter()]).await;
    world.idle().await;
    assert_eq!(
        failures(&book(&world)),
        [("sts-policy-fetch-error", 1)],
        "and the mail went"
    );
    drop(world);
    let _ = std::fs::remove_file(scene.file("tls-reports.json"));
    scene.policy("enforce", "other.example");
    let world = scene.world();
    world.send(vec![letter()]).await;
    let defer = world.event(|kind| matches!(kind, EventKind::Defer { .. })).await;
    let EventKind::Defer { reason, .. } = defer.kind else {
        panic!("just matched");
    };
    assert_eq!(
        reason,
        crate::track::Reason::MtaStsFailed,
        "the policy of id 1 is still good"
    );
    assert!(Path::new(&scene.file("mta-sts.json")).exists());
}
