//! What we sign, others can verify: the library's verifier with keys that are already in its cache.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use mail_auth::common::parse::TxtRecordParser as _;
use mail_auth::common::verify::DomainKey;
use mail_auth::{AuthenticatedMessage, DkimResult, MessageAuthenticator, Txt};

use super::cache::Caches;
use super::check::with;
use crate::delivery::dns;
use crate::mail::authentication::{Findings, Verdict};
use crate::mail::header::HeaderSection;
use crate::mail::signature::testing::{ed25519_pem, key, rsa_pem};
use crate::mail::signature::{BodyHash, Sealing, Signed, Signing, SigningKey, fields};

const MESSAGES: [&str; 5] = [
    "From: Lena <lena@contoso.example>\r\nTo: team@contoso.example\r\nSubject: x\r\n\r\nhello\r\n",
    // Folds, two of a kind, 8bit, blanks at ends of lines, empty lines at the end.
    "Received: from a\r\n\tby b\r\nfrom: Bj\u{f6}rn\r\n <b@x.example>\r\nSubject:  a\r\n   b \r\nComments: c\r\nCc: d@x.example\r\n\
     Cc: e@x.example\r\nReply-To: f@x.example\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n \u{fc}ber  all \t\r\n\r\n.\r\n..x\r\n\r\n\r\n",
    "From: a@b.example\r\n\r\n",
    "Subject: no author and no body\r\n",
    "From: a@b.example\r\nDKIM-Signature: v=1; a=rsa-sha256; d=b.example; s=x; h=From; bh=AA==; b=AA==\r\nSubject: x\r\n\r\nbody without end",
];

struct Reader {
    dns: MessageAuthenticator,
    caches: Caches,
}

impl Reader {
    fn knows(keys: &[&SigningKey]) -> Self {
        let nobody = "127.0.0.1:9".parse().expect("an address");
        let dns = dns::resolver(&[nobody], Duration::from_millis(10)).expect("a resolver");
        let caches = Caches::default();
        for key in keys {
            let record: Txt = DomainKey::parse(key.record().as_bytes()).expect("a record").into();
            let name = format!("{}.", key.record_name()).into_boxed_str();
            mail_auth::ResolverCache::insert(&caches.txt, name, record, Instant::now() + Duration::from_secs(600));
        }
        Self {
            dns: MessageAuthenticator(dns),
            caches,
        }
    }

    /// DKIM of every signature, and ARC.
    async fn read(&self, message: &str) -> (Vec<DkimResult>, DkimResult) {
        let message = AuthenticatedMessage::parse(message.as_bytes()).expect("a message");
        let dkim = self.dns.verify_dkim(with(&self.caches, &message)).await;
        let arc = self.dns.verify_arc(with(&self.caches, &message)).await;
        (
            dkim.iter().map(|output| output.result().clone()).collect(),
            arc.result().clone(),
        )
    }
}

/// A message as it goes out, with trace fields that nobody has signed.
fn sent(message: &str, results: Option<Verdict>, signing: &Signing) -> String {
    let found = |verdict| {
        let findings = Findings {
            arc: Some(verdict),
            ..Findings::default()
        };
        findings.field("mx.contoso.example")
    };
    let prefix = format!(
        "{}Received: by relay.example\r\n",
        results.map(found).unwrap_or_default()
    );
    let section = HeaderSection::parse(message.as_bytes()).expect("small");
    let signed = Signed {
        head: message.as_bytes(),
        prefix: prefix.as_bytes(),
        body: BodyHash::of(message.as_bytes().get(section.octets + 2..).unwrap_or_default()),
        at: Timestamp::from_second(1_700_000_000).expect("a time"),
    };
    let made = fields(&signed, signing).expect("signed");
    format!("{made}{prefix}X-Auto-Response-Suppress: OOF\r\n{message}")
}

fn sealing(key: &Arc<SigningKey>) -> Option<Sealing> {
    Some(Sealing {
        key: Arc::clone(key),
        authserv_id: "mx.contoso.example".into(),
    })
}

#[tokio::test]
async fn both_kinds_of_keys_sign_and_seal() {
    let (ed, rsa) = (
        Arc::new(key("ed.example", &ed25519_pem())),
        Arc::new(key("rsa.example", &rsa_pem())),
    );
    let reader = Reader::knows(&[&ed, &rsa]);
    for message in MESSAGES {
        for seal in [&ed, &rsa] {
            let signing = Signing {
                dkim: vec![Arc::clone(&ed), Arc::clone(&rsa)],
                arc: sealing(seal),
            };
            let sent = sent(message, None, &signing);
            let (dkim, arc) = reader.read(&sent).await;
            assert_eq!(dkim[..2], [DkimResult::Pass, DkimResult::Pass], "{dkim:?} {sent}");
            assert_eq!(arc, DkimResult::Pass, "{sent}");
        }
    }
}

#[tokio::test]
async fn what_is_changed_or_added_on_the_way_shows() {
    let ed = Arc::new(key("ed.example", &ed25519_pem()));
    let reader = Reader::knows(&[&ed]);
    let signing = Signing {
        dkim: vec![Arc::clone(&ed)],
        arc: sealing(&ed),
    };
    let sent = sent(MESSAGES[0], None, &signing);
    for (changed, why) in [
        (sent.replace("hello", "hullo"), "body"),
        (sent.replace("Subject: x", "Subject: y"), "subject"),
        (format!("From: other@x.example\r\n{sent}"), "a second author"),
        (sent.replace("hello\r\n", "hello\r\nmore\r\n"), "more body"),
    ] {
        let (dkim, arc) = reader.read(&changed).await;
        assert!(
            dkim[0] != DkimResult::Pass && arc != DkimResult::Pass,
            "{why}: {dkim:?} {arc:?}"
        );
    }
    let (dkim, arc) = reader.read(&format!("Received: by another\r\n{sent}")).await;
    assert_eq!(
        (&dkim[0], &arc),
        (&DkimResult::Pass, &DkimResult::Pass),
        "trace fields break nothing"
    );
}

#[tokio::test]
async fn a_chain_grows_breaks_and_ends() {
    let (ed, rsa) = (
        Arc::new(key("ed.example", &ed25519_pem())),
        Arc::new(key("rsa.example", &rsa_pem())),
    );
    let reader = Reader::knows(&[&ed, &rsa]);
    let by = |key| Signing {
        dkim: Vec::new(),
        arc: sealing(key),
    };
    let mut message = MESSAGES[0].to_owned();
    for hop in 1..=6 {
        let results = (hop > 1).then_some(Verdict::Pass);
        message = sent(&message, results, &by(if hop % 2 == 0 { &rsa } else { &ed }));
        assert!(message.starts_with(&format!("ARC-Seal: i={hop};")), "{message}");
        assert_eq!(reader.read(&message).await.1, DkimResult::Pass, "hop {hop}");
    }
    // Somebody changes the body: we say so, and the chain stays broken.
    let broken = message.replace("hello", "hullo");
    let marked = sent(&broken, Some(Verdict::Fail), &by(&ed));
    assert!(
        marked.starts_with("ARC-Seal: i=7;") && marked.contains("cv=fail"),
        "{marked}"
    );
    assert!(matches!(reader.read(&marked).await.1, DkimResult::Fail(_)));
    let further = sent(&marked, Some(Verdict::Fail), &by(&rsa));
    assert!(
        !further.contains("i=8"),
        "nothing is added to a chain that has ended: {further}"
    );
}
