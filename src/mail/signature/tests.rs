//! Chains, keys and what a field looks like; that others can verify it is told in `authenticity/sealed_tests.rs`.

use super::testing::{ed25519_pem, key, rsa_pem};
use super::*;
use crate::mail::Domain;

fn chain(head: &str, results: Option<&str>) -> Option<(u32, &'static str)> {
    let section = HeaderSection::parse(head.as_bytes()).expect("small");
    Chain::of(&section, results).next()
}

fn set(instance: u32, cv: &str) -> String {
    format!(
        "ARC-Seal: i={instance}; a=rsa-sha256; cv={cv}; d=x.example;\r\n s=s; b=AA\r\n\
         ARC-Message-Signature: i={instance}; b=BB\r\nARC-Authentication-Results: i={instance}; x.example; none\r\n"
    )
}

#[test]
fn the_next_set_says_what_the_check_found() {
    let (one, two) = (set(1, "none"), set(2, "pass"));
    let both = format!("{two}{one}Subject: x\r\n\r\n");
    for (head, results, expected) in [
        ("Subject: x\r\n\r\n", None, Some((1, "none"))),
        ("Subject: x\r\n\r\n", Some("mx.example; arc=none"), Some((1, "none"))),
        (&one, Some("mx.example; spf=pass; arc=pass"), Some((2, "pass"))),
        (&both, Some("mx.example; arc=pass"), Some((3, "pass"))),
        (&both, Some("mx.example; arc=fail"), Some((3, "fail"))),
        (&both, Some("mx.example; arc=neutral"), Some((3, "fail"))),
        (&both, Some("mx.example; arc=permerror"), Some((3, "fail"))),
        // Nothing is said that is not known.
        (&both, Some("mx.example; arc=temperror"), None),
        (&both, Some("mx.example; arc=policy"), None),
        (&both, Some("mx.example; spf=pass"), None),
        (&both, None, None),
        // A checker that counts only whole sets finds none.
        (
            "ARC-Seal: i=1; cv=none\r\n\r\n",
            Some("mx.example; arc=none"),
            Some((2, "fail")),
        ),
        // A chain that was found broken stays so, and is left alone.
        (&set(3, "fail"), Some("mx.example; arc=fail"), None),
        (&set(50, "pass"), Some("mx.example; arc=fail"), None),
        // What passes must be whole to be sealed as such.
        (&two, Some("mx.example; arc=pass"), Some((3, "fail"))),
        (&format!("{one}{one}"), Some("mx.example; arc=pass"), Some((2, "fail"))),
        (
            "ARC-Seal: i=999999999999; cv=none\r\n\r\n",
            Some("mx.example; arc=fail"),
            Some((1, "fail")),
        ),
    ] {
        assert_eq!(chain(head, results), expected, "{head} {results:?}");
    }
}

#[test]
fn our_own_results_are_read_as_they_are_written() {
    use crate::mail::authentication::{Findings, Verdict};
    for (verdict, expected) in [
        (Verdict::Pass, Some((2, "pass"))),
        (Verdict::Fail, Some((2, "fail"))),
        (Verdict::TempError, None),
    ] {
        let findings = Findings {
            arc: Some(verdict),
            ..Findings::default()
        };
        let field = findings.field("mx.contoso.example");
        let section = HeaderSection::parse(field.as_bytes()).expect("small");
        let results = section.fields()[0].unfolded();
        assert_eq!(chain(&set(1, "none"), Some(&results)), expected);
    }
}

#[test]
fn fields_are_folded_and_tell_names_and_times() {
    let signing = Signing {
        dkim: vec![Arc::new(key("contoso.example", &ed25519_pem()))],
        arc: Some(Sealing {
            key: Arc::new(key("relay.example", &rsa_pem())),
            authserv_id: "mx.contoso.example".into(),
        }),
    };
    let signed = Signed {
        head: b"From: lena@contoso.example\r\nSubject: x\r\nSubject: y\r\nReceived: z\r\n\r\nbody\r\n",
        prefix: b"Received: from a\r\n by b\r\n",
        body: BodyHash::of(b"body\r\n"),
        at: "2026-11-21T07:00:00Z".parse().expect("a time"),
    };
    let made = fields(&signed, &signing).expect("signed");
    assert!(made.lines().all(|line| line.len() <= 78), "{made}");
    assert!(made.ends_with("\r\n") && !made.contains("\r\n\r\n"), "{made}");
    let flat = made.replace("\r\n ", " ");
    let starts: Vec<&str> = flat.lines().filter_map(|line| line.split("; ").next()).collect();
    assert_eq!(
        starts,
        [
            "ARC-Seal: i=1",
            "ARC-Message-Signature: i=1",
            "ARC-Authentication-Results: i=1",
            "DKIM-Signature: v=1",
        ]
    );
    assert!(
        flat.contains("ARC-Authentication-Results: i=1; mx.contoso.example; none\r\n"),
        "{flat}"
    );
    assert!(
        flat.contains(
            "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed; d=contoso.example; s=s1; t=1795244400; \
             h=From: From: Subject: Subject: Subject: Date: To: Cc: Content-Type; bh="
        ),
        "{flat}"
    );
    assert!(
        flat.contains("Content-Type: DKIM-Signature; bh="),
        "the seal covers our signature: {flat}"
    );
    let nothing = Signing::default();
    assert!(nothing.is_nothing() && fields(&signed, &nothing).expect("nothing to do").is_empty());
    assert_ne!(signing.fingerprint(), nothing.fingerprint());
}

#[test]
fn unusable_keys_say_why() {
    let made =
        |pem: &str| SigningKey::from_pem("a", Domain::parse("a.example").expect("a domain"), "s", pem.as_bytes());
    assert_eq!(made("").err(), Some(KeyFault::NotAKey));
    assert_eq!(made("nothing of the kind").err(), Some(KeyFault::NotAKey));
    let damaged = ed25519_pem().replace("MFECAQEw", "MFECAQEx");
    assert!(made(&damaged).is_err());
    assert_eq!(made(WEAK).err(), Some(KeyFault::Weak));
    let good = rsa_pem();
    let key = made(&good).expect("a key");
    assert_eq!(key.record_name(), "s._domainkey.a.example");
    assert!(
        key.record()
            .starts_with("v=DKIM1; k=rsa; p=MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A"),
        "{}",
        key.record()
    );
    assert_eq!(format!("{key:?}"), "SigningKey(a at s._domainkey.a.example)");
}

/// RSA of 1024 bits, used nowhere else.
const WEAK: &str = "\
-----BEGIN RSA PRIVATE KEY-----
MIICXQIBAAKBgQCWGSVD/RhunsRXIFjkOMOOzeyFExEZFC6P/5KdI5K0JuAPsbFG
s4jeeQxFtj62FkrWZFQFzvLP+Nj6ZCwPrxANOIrGAEmYtWQwGxzNED2SfizxXSdY
RKIugZTiWtrwFbb5SuDwit1pIIRbWLUVbJZ+CHma/PFbojLheizQmSYqBQIDAQAB
AoGAHcYPJlVmK0tDFyVLfLnl0MX4TM1jbt4Z/mZr5s/Pofy0JWjSCXxDgh3w2UM1
XVk+rxhnsl9Cuw5ZvBFyzAml3Su9KkP+1rU3STUX/pwBRaBr/Pug7jLJlNGtJx7j
LfITB5CM+pHfqekhPGn8cwf+CCcqPlVSGpLZCCshoGmZpgECQQDFJFw5YPDwhkBJ
K+CbBOrdAGYTbujLwYQPyqI5URziHRsIEZTRVCjH5YFvmgjEx+LwbQqg74+nAeSu
RV2MVwFVAkEAwuk1m+EKTuj+24b8IgsYFCUw3lH/3JqRpZTUS45MZxjP2r7BXBJk
kHwVZYtGisyOEs2ZCFhx7eMapZY/UFpF8QJAEFuqA2DV3T9miivH4VURH/FuhuJH
EtEl4iGQQG1IlkKQAaVj0dLH535VtSr0208yt3x0y1HVe6gej49V6dU2WQJBAKKS
8uw6IOcA4NMrHFMo/cSP4NsPemL/aky6fvkmkAPOZlEGmzG5BbieRxqTuRs806RL
aUHUw/KwYyGK2PSk14ECQQC6r+jn0Rbb6skO/dw4H0iCob35OuQEqR1dNas1F0WU
tPmRepesUY/TfsmnMPh7re1dhRCwNNnjSgSlLK4KMdUo
-----END RSA PRIVATE KEY-----
";
