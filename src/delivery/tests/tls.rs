//! TLS and AUTH with next hops, over real sockets and real certificates.

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest as _, Sha256};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

use super::hop::{Act, Begins, Step};
use super::*;
use crate::routing::{ClientCertificate, HopSignIn, HopTls, SignInProof, TlsMode, Trust};
use crate::smtp::extension::{Mechanism, Mechanisms};
use crate::smtp::sign_in::Secret;
use crate::track::Reason;

/// An authority.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub certificate: CertificateDer<'static>,
}

/// A certificate with its key.
pub struct Leaf {
    pub chain: Vec<CertificateDer<'static>>,
    pub key: KeyPair,
}

impl Authority {
    pub fn new() -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, "authority of a test");
        let certificate = params.self_signed(&key).expect("a certificate").der().clone();
        Self {
            issuer: Issuer::new(params, key),
            certificate,
        }
    }

    /// Its certificate as a file holds it.
    pub fn pem(&self) -> String {
        let text = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &self.certificate);
        format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
    }

    pub fn leaf(&self, names: &[&str]) -> Leaf {
        self.leaf_until(names, None)
    }

    /// A certificate whose time ended then.
    pub fn leaf_until(&self, names: &[&str], year: Option<i32>) -> Leaf {
        let key = KeyPair::generate().expect("a key");
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("names");
        if let Some(year) = year {
            params.not_after = rcgen::date_time_ymd(year, 1, 1);
        }
        let own = params.signed_by(&key, &self.issuer).expect("a certificate");
        Leaf {
            chain: vec![own.der().clone(), self.certificate.clone()],
            key,
        }
    }

    pub fn trust(&self) -> Trust {
        Trust::Authorities(vec![self.certificate.clone()].into())
    }
}

impl Leaf {
    pub fn private(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::try_from(self.key.serialize_der()).expect("PKCS #8")
    }

    pub fn server(&self) -> Arc<ServerConfig> {
        let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(self.chain.clone(), self.private());
        Arc::new(config.expect("a certificate with its key"))
    }

    fn server_that_asks(&self, authority: &Authority) -> Arc<ServerConfig> {
        let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(authority.certificate.clone()).expect("an authority");
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .build()
            .expect("a verifier");
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_client_cert_verifier(verifier)
            .with_single_cert(self.chain.clone(), self.private());
        Arc::new(config.expect("a certificate with its key"))
    }

    fn key_hash(&self) -> [u8; 32] {
        let key = crate::delivery::tls::verify::key_of(&self.chain[0]).expect("a key");
        Sha256::digest(key).into()
    }
}

fn offering(server: Arc<ServerConfig>, begins: Begins) -> Behaviour {
    Behaviour {
        tls: Some((server, begins)),
        ..Behaviour::default()
    }
}

fn world(hop: &Hop, tls: HopTls, sign_in: Option<HopSignIn>) -> World {
    let mut next_hop = hop_at("hop", &[hop.address]);
    next_hop.tls = Arc::new(tls);
    next_hop.sign_in = sign_in.map(Arc::new);
    World::start(vec![next_hop])
}

fn tls(mode: TlsMode) -> HopTls {
    HopTls {
        mode,
        ..HopTls::default()
    }
}

fn letter() -> Letter {
    Letter::to("hop", &["a@fabrikam.example"])
}

/// Sends one letter; returns whether it came over TLS, and what the log says about that.
async fn delivered(hop: &Hop, world: &World) -> (bool, Option<String>) {
    world.send(vec![letter()]).await;
    world.idle().await;
    let protected = hop.seen(|seen| {
        assert_eq!(seen.copies.len(), 1);
        seen.copies[0].protected
    });
    let send = world.event(|kind| matches!(kind, EventKind::Send { .. })).await;
    let EventKind::Send { protection, .. } = send.kind else {
        panic!("just matched");
    };
    assert_eq!(protected, protection.is_some());
    (protected, protection)
}

/// Sends one letter; returns why it waits.
async fn waits(hop: &Hop, world: &World) -> (Reason, String) {
    world.send(vec![letter()]).await;
    let defer = world.event(|kind| matches!(kind, EventKind::Defer { .. })).await;
    let EventKind::Defer { reason, reply, .. } = defer.kind else {
        panic!("just matched");
    };
    assert!(world.reports().is_empty(), "mail waits and is not returned");
    assert_eq!(
        hop.seen(|seen| (seen.copies.len(), seen.transactions)),
        (0, 0),
        "nothing was said"
    );
    (reason, reply.expect("an answer").to_string())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_is_used_where_it_is_offered() {
    let server = Authority::new().leaf(&["elsewhere.example"]).server();
    let hop = Hop::start(offering(server, Begins::ByStartTls)).await;
    let (protected, how) = delivered(&hop, &world(&hop, tls(TlsMode::Opportunistic), None)).await;
    let how = how.expect("over TLS");
    assert!(
        protected && how.starts_with("TLSv1.3 TLS13_") && how.contains(" unverified ("),
        "{how}"
    );
    let plain = Hop::start(Behaviour::default()).await;
    assert_eq!(
        delivered(&plain, &world(&plain, tls(TlsMode::Opportunistic), None)).await,
        (false, None)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_is_not_used_if_settings_say_so() {
    let server = Authority::new().leaf(&["127.0.0.1"]).server();
    let hop = Hop::start(offering(server, Begins::ByStartTls)).await;
    assert_eq!(
        delivered(&hop, &world(&hop, tls(TlsMode::None), None)).await,
        (false, None)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handshake_that_goes_wrong_is_followed_by_clear_text_only_where_that_will_do() {
    let server = Authority::new().leaf(&["127.0.0.1"]).server();
    for act in [
        Act::Raw(b"220 go\r\nno TLS at all\r\n".to_vec()),
        Act::Raw(b"220 go\r\n250 injected\r\n".to_vec()),
        Act::Say("454 4.7.0 not now".to_owned()),
    ] {
        let mut behaviour = offering(Arc::clone(&server), Begins::ByStartTls);
        behaviour.acts.insert(Step::StartTls, [act.clone()].into());
        let hop = Hop::start(behaviour.clone()).await;
        let world_open = world(&hop, tls(TlsMode::Opportunistic), None);
        assert!(!delivered(&hop, &world_open).await.0, "{act:?}");
        assert!(hop.seen(|seen| seen.sessions) <= 2, "one more connection at most");
        let hop = Hop::start(behaviour).await;
        // At its next attempt the hop behaves.
        let strict = world(&hop, tls(TlsMode::Required), None);
        strict.send(vec![letter()]).await;
        let defer = strict.event(|kind| matches!(kind, EventKind::Defer { .. })).await;
        let EventKind::Defer { reason, .. } = defer.kind else {
            panic!("just matched");
        };
        assert!(
            matches!(reason, Reason::TlsFailed | Reason::TlsUnavailable),
            "{act:?}: {reason:?}"
        );
        strict.idle().await;
        assert!(
            hop.seen(|seen| seen.copies.iter().all(|copy| copy.protected)),
            "{act:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn required_tls_that_is_not_offered_makes_mail_wait() {
    let hop = Hop::start(Behaviour::default()).await;
    let (reason, said) = waits(&hop, &world(&hop, tls(TlsMode::Required), None)).await;
    assert_eq!(reason, Reason::TlsUnavailable);
    assert!(said.starts_with("451 4.7.4 "), "{said}");
    let server = Authority::new().leaf(&["elsewhere.example"]).server();
    let hop = Hop::start(offering(server, Begins::ByStartTls)).await;
    assert!(delivered(&hop, &world(&hop, tls(TlsMode::Required), None)).await.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_is_held_against_name_authority_and_key() {
    let authority = Authority::new();
    let other = Authority::new();
    let leaf = authority.leaf(&["127.0.0.1", "mx.fabrikam.example"]);
    let elsewhere = authority.leaf(&["elsewhere.example"]);
    let with = |trust: Trust, names: &[&str]| HopTls {
        mode: TlsMode::Verified,
        trust,
        names: names.iter().map(|name| Arc::from(*name)).collect(),
        ..HopTls::default()
    };
    let keys = |leaf: &Leaf| Trust::Keys(vec![[0; 32], leaf.key_hash()].into());
    for (name, shown, wanted, proof) in [
        ("by its address", &leaf, with(authority.trust(), &[]), Some("verified")),
        (
            "by a name of the set",
            &leaf,
            with(authority.trust(), &["x.example", "mx.fabrikam.example"]),
            Some("verified"),
        ),
        (
            "by its key, whatever its name",
            &elsewhere,
            with(keys(&elsewhere), &[]),
            Some("pinned"),
        ),
        (
            "no name of the set",
            &leaf,
            with(authority.trust(), &["fabrikam.example"]),
            None,
        ),
        ("not for the host", &elsewhere, with(authority.trust(), &[]), None),
        ("another authority", &leaf, with(other.trust(), &[]), None),
        ("nobody the system knows", &leaf, with(Trust::System, &[]), None),
        ("another key", &leaf, with(keys(&elsewhere), &[]), None),
    ] {
        let hop = Hop::start(offering(shown.server(), Begins::ByStartTls)).await;
        let world = world(&hop, wanted, None);
        match proof {
            Some(proof) => {
                let (_, how) = delivered(&hop, &world).await;
                assert!(how.as_ref().is_some_and(|how| how.ends_with(proof)), "{name}: {how:?}");
            }
            None => {
                let (reason, said) = waits(&hop, &world).await;
                assert_eq!(reason, Reason::TlsUnverified, "{name}");
                assert!(said.starts_with("451 4.7.5 "), "{name}: {said}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_from_the_first_octet_and_a_certificate_of_ours() {
    let authority = Authority::new();
    let ours = authority.leaf(&["relay.example"]);
    let certificate = Arc::new(ClientCertificate {
        chain: ours.chain.clone(),
        key: ours.private(),
    });
    let server = authority.leaf(&["127.0.0.1"]).server_that_asks(&authority);
    for implicit in [true, false] {
        let begins = if implicit { Begins::AtOnce } else { Begins::ByStartTls };
        let hop = Hop::start(offering(Arc::clone(&server), begins)).await;
        let with = |certificate| HopTls {
            mode: TlsMode::Verified,
            implicit,
            trust: authority.trust(),
            certificate,
            ..HopTls::default()
        };
        let (_, how) = delivered(&hop, &world(&hop, with(Some(Arc::clone(&certificate))), None)).await;
        assert!(how.is_some_and(|how| how.ends_with("verified")));
        let hop = Hop::start(offering(Arc::clone(&server), begins)).await;
        let without = world(&hop, with(None), None);
        without.send(vec![letter()]).await;
        without.event(|kind| matches!(kind, EventKind::Defer { .. })).await;
        assert_eq!(hop.seen(|seen| seen.copies.len()), 0, "the hop wants to know us");
    }
}

fn lena(password: &str, in_clear: bool) -> Option<HopSignIn> {
    Some(HopSignIn {
        user: "lena".to_owned(),
        proof: SignInProof::Password(Secret::new(password)),
        mechanisms: Mechanisms::default().with([Mechanism::Plain]),
        in_clear,
    })
}

/// `\0lena\0s3cret`.
const LENA: &str = "AGxlbmEAczNjcmV0";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_hop_is_told_who_we_are() {
    let authority = Authority::new();
    let server = authority.leaf(&["127.0.0.1"]).server();
    let proved = || HopTls {
        trust: authority.trust(),
        ..tls(TlsMode::Required)
    };
    let mut behaviour = offering(server, Begins::ByStartTls);
    behaviour.sign_in = Some(LENA.to_owned());
    let hop = Hop::start(behaviour.clone()).await;
    assert!(delivered(&hop, &world(&hop, proved(), lena("s3cret", false))).await.0);
    // RFC 4954 §5: who we are to the hop is not who wrote the message.
    hop.seen(|seen| assert!(seen.copies[0].mail.ends_with(" AUTH=<>"), "{:?}", seen.copies[0]));
    // A wrong password is a mistake to be put right: mail waits.
    let hop = Hop::start(behaviour.clone()).await;
    let (reason, said) = waits(&hop, &world(&hop, proved(), lena("wrong", false))).await;
    assert_eq!((reason, said.as_str()), (Reason::SignInRefused, "535 5.7.8 no"));
    // RFC 4954 §14: to a host that nothing proves a password is not told, unless settings say so.
    let hop = Hop::start(behaviour.clone()).await;
    let (reason, said) = waits(&hop, &world(&hop, tls(TlsMode::Required), lena("s3cret", false))).await;
    assert_eq!(reason, Reason::SignInUnavailable);
    assert!(said.contains("does not prove its name"), "{said}");
    let hop = Hop::start(behaviour.clone()).await;
    assert!(
        delivered(&hop, &world(&hop, tls(TlsMode::Required), lena("s3cret", true)))
            .await
            .0
    );
    // In clear text nothing is told, unless settings say so.
    behaviour.tls = None;
    let hop = Hop::start(behaviour.clone()).await;
    let (reason, _) = waits(&hop, &world(&hop, tls(TlsMode::Opportunistic), lena("s3cret", false))).await;
    assert_eq!(reason, Reason::SignInUnavailable);
    let hop = Hop::start(behaviour).await;
    assert!(
        !delivered(&hop, &world(&hop, tls(TlsMode::Opportunistic), lena("s3cret", true)))
            .await
            .0
    );
    // A hop without AUTH.
    let hop = Hop::start(Behaviour::default()).await;
    let (reason, _) = waits(&hop, &world(&hop, tls(TlsMode::None), lena("s3cret", true))).await;
    assert_eq!(reason, Reason::SignInUnavailable);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_goes_wrong_in_starttls_and_auth_is_temporary_and_nothing_is_said_in_clear_text() {
    let authority = Authority::new();
    let server = authority.leaf(&["127.0.0.1"]).server();
    let acts = [
        Act::Close,
        Act::Silence,
        Act::Say("421 4.3.2 bye".to_owned()),
        Act::Say("554 5.7.0 no".to_owned()),
        Act::Say("250 2.0.0 ok".to_owned()),
        Act::Say("334 !".to_owned()),
        Act::Raw(b"garbage\r\n".to_vec()),
        Act::Raw(b"\x15\x03\x01\x00\x02\x02\x28".to_vec()),
    ];
    for step in [Step::StartTls, Step::Auth] {
        for act in acts.clone() {
            let mut behaviour = offering(Arc::clone(&server), Begins::ByStartTls);
            behaviour.sign_in = Some(LENA.to_owned());
            behaviour.acts.insert(step, [act.clone()].into());
            let hop = Hop::start(behaviour).await;
            let wanted = HopTls {
                trust: authority.trust(),
                ..tls(TlsMode::Required)
            };
            let world = world(&hop, wanted, lena("s3cret", false));
            assert!(delivered(&hop, &world).await.0, "{step:?} {act:?}");
            assert_eq!(world.count("DEFER"), 1, "{step:?} {act:?}");
            assert!(world.reports().is_empty(), "{step:?} {act:?}");
        }
    }
}

#[tokio::test]
async fn a_connection_comes_from_the_address_that_settings_name() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let candidate = crate::delivery::connect::Candidate {
        host: "127.0.0.1".to_owned(),
        address: listener.local_addr().expect("bound"),
        domain: None,
        tlsa: None,
        tlsa_base: None,
    };
    let sources = ["2001:db8::1", "127.0.0.2"].map(|source| source.parse().expect("an address"));
    let stream = crate::delivery::connect::connect(&candidate, &sources, PATIENCE)
        .await
        .expect("connected");
    let (_, from) = listener.accept().await.expect("a client");
    assert_eq!(from.ip().to_string(), "127.0.0.2");
    drop(stream);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_requires_tls_goes_only_where_it_is_promised_and_proved() {
    let authority = Authority::new();
    let server = authority.leaf(&["127.0.0.1"]).server();
    for (offered, trusted, arrives) in [(true, true, true), (false, true, false), (true, false, false)] {
        let mut behaviour = offering(Arc::clone(&server), Begins::ByStartTls);
        if offered {
            behaviour.keywords.push("REQUIRETLS");
        }
        let hop = Hop::start(behaviour).await;
        let trust = if trusted { authority.trust() } else { Trust::System };
        let wanted = HopTls {
            trust,
            ..HopTls::default()
        };
        let world = world(&hop, wanted, None);
        let (sets, mut message, content) = world.commit(vec![letter()]).await;
        message.envelope.require_tls = true;
        world.delivery.enqueue(sets, &Arc::new(message), &content);
        world.idle().await;
        let said: Vec<String> = hop.seen(|seen| seen.copies.iter().map(|copy| copy.mail.clone()).collect());
        assert_eq!(said.len(), usize::from(arrives), "{offered} {trusted}");
        if arrives {
            assert!(said[0].contains(" REQUIRETLS"), "{said:?}");
        } else {
            let fail = world.event(|kind| matches!(kind, EventKind::Fail { .. })).await;
            let EventKind::Fail { reason, .. } = fail.kind else {
                panic!("just matched");
            };
            assert_eq!(reason, Reason::RequireTlsMissing);
        }
    }
    // RFC 8689 §5: a report is not thrown away for it.
    for offered in [true, false] {
        let mut behaviour = offering(Arc::clone(&server), Begins::ByStartTls);
        if offered {
            behaviour.keywords.push("REQUIRETLS");
        }
        let hop = Hop::start(behaviour).await;
        let wanted = HopTls {
            trust: authority.trust(),
            ..HopTls::default()
        };
        let world = world(&hop, wanted, None);
        let (mut sets, mut message, content) = world.commit(vec![letter()]).await;
        sets[0].reverse_path = ReversePath::Null;
        message.envelope.reverse_path = ReversePath::Null;
        message.envelope.require_tls = true;
        world.delivery.enqueue(sets, &Arc::new(message), &content);
        world.idle().await;
        let said: Vec<String> = hop.seen(|seen| seen.copies.iter().map(|copy| copy.mail.clone()).collect());
        assert_eq!(said.len(), 1, "{offered}");
        assert_eq!(said[0].contains(" REQUIRETLS"), offered, "{said:?}");
    }
}
