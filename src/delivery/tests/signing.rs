//! Signed copies: made once, never left out.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::mail::signature::testing::{ed25519_pem, key};
use crate::mail::signature::{Sealing, Signing};
use crate::spool::content::{Octets, StoredBody};

fn signing() -> Arc<Signing> {
    let key = Arc::new(key("contoso.example", &ed25519_pem()));
    Arc::new(Signing {
        dkim: vec![Arc::clone(&key)],
        arc: Some(Sealing {
            key,
            authserv_id: "mx.contoso.example".into(),
        }),
    })
}

fn signing_hop(hop: &Hop) -> NextHop {
    NextHop {
        signing: signing(),
        connections_max: 4,
        recipients_max: 10,
        ..hop_at("cloud", &[hop.address])
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_batches_over_several_sessions_bear_one_signature() {
    let hop = Hop::start(Behaviour::default()).await;
    let world = World::start(vec![signing_hop(&hop)]);
    world.send(vec![Letter::numbered("cloud", 1_000)]).await;
    world.idle().await;
    hop.seen(|seen| {
        assert_eq!(seen.copies.len(), 100);
        let first = String::from_utf8_lossy(&seen.copies[0].content).into_owned();
        assert!(
            first.starts_with("ARC-Seal: i=1;") && first.contains("\r\nDKIM-Signature: v=1;"),
            "{first}"
        );
        assert!(
            first.ends_with("Received: by relay.example\r\nSubject: x\r\n\r\nhello\r\n.dot\r\n"),
            "{first}"
        );
        assert!(seen.copies.iter().all(|copy| copy.content == seen.copies[0].content));
        let size = format!("SIZE={}", first.len());
        assert!(seen.copies[0].mail.contains(&size), "{} {size}", seen.copies[0].mail);
    });
    let counts = world.delivery.signing_counts();
    assert_eq!((counts.signed, counts.hashed, counts.failed), (1, 1, 0));
}

/// A body that cannot be read the first few times.
#[derive(Debug)]
struct Flaky {
    octets: Vec<u8>,
    faults: AtomicUsize,
}

impl StoredBody for Flaky {
    fn len(&self) -> u64 {
        self.octets.len() as u64
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> std::io::Result<usize> {
        let left = self.faults.load(Ordering::SeqCst);
        if left > 0 {
            self.faults.store(left - 1, Ordering::SeqCst);
            return Err(std::io::Error::other("a disk that has trouble"));
        }
        Content::in_memory(self.octets.clone()).read_at(offset, into)
    }

    fn name(&self) -> String {
        "flaky".to_owned()
    }

    fn keep(&self) {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_that_cannot_be_signed_waits_and_is_never_sent_without() {
    let hop = Hop::start(Behaviour::default()).await;
    let world = World::start(vec![signing_hop(&hop)]);
    let (sets, message, content) = world.commit(vec![Letter::to("cloud", &["a@contoso.example"])]).await;
    let octets = b"Subject: x\r\n\r\nhello\r\n.dot\r\n".to_vec();
    let flaky = Content {
        head: content.head.clone(),
        octets: Octets::Stored(Arc::new(Flaky {
            octets,
            faults: AtomicUsize::new(2),
        })),
    };
    world.delivery.enqueue(sets, &Arc::new(message), &flaky);
    let why = |kind: &EventKind| {
        matches!(
            kind,
            EventKind::Defer {
                reason: Reason::SigningFailed,
                ..
            }
        )
    };
    world.event(why).await;
    world.idle().await;
    hop.seen(|seen| {
        assert_eq!(seen.copies.len(), 1, "sent when it could be signed");
        assert!(seen.copies[0].content.starts_with(b"ARC-Seal: i=1;"));
    });
    assert!(world.delivery.signing_counts().failed >= 1);
    assert!(world.reports().is_empty());
}
