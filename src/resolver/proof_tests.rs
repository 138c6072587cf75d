//! Who is proven by what, row by row.

use super::*;
use crate::mail::authentication::{DkimFinding, DmarcFinding};
use crate::mail::header::HeaderFacts;
use crate::mail::header::sieve::Stamp;
use crate::policy::testing::rules as plain_rules;
use crate::resolver::{AcceptedDomain, AcceptedDomains, DomainKind, Tenancy};

const OURS: &str = "X-MS-Exchange-CrossTenant-Id: ours";

fn rules(stamp: bool, signature: bool, dmarc_proves: bool) -> Rules {
    let mut rules = plain_rules();
    let tenancy = Tenancy {
        stamp: stamp.then(|| Stamp {
            field: "X-MS-Exchange-CrossTenant-Id".into(),
            tenant: "ours".into(),
        }),
        signature,
    };
    rules.trusted = vec![TrustedNetwork {
        name: "cloud".into(),
        networks: vec!["40.92.0.0/15".parse().expect("a range")],
        listeners: vec!["inbound".into()],
        domains: AcceptedDomains::new([AcceptedDomain {
            domain: Domain::parse("contoso.example").expect("a domain"),
            kind: DomainKind::Authoritative,
            subdomains: true,
        }]),
        certificates: Vec::new(),
        tenancy: Some(tenancy),
    }];
    rules.authenticity.dmarc_proves = dmarc_proves;
    rules
}

fn path(text: &str) -> ReversePath {
    match text {
        "" => ReversePath::Null,
        text => ReversePath::Mailbox(Mailbox::parse(text).expect("an address")),
    }
}

fn signed(list: &[(&str, Verdict)]) -> Findings {
    let one = |(domain, verdict): &(&str, Verdict)| DkimFinding {
        verdict: *verdict,
        domain: (*domain).to_owned(),
        selector: "s".to_owned(),
        because: None,
    };
    Findings {
        dkim: Some(list.iter().map(one).collect()),
        ..Findings::default()
    }
}

fn dmarc(verdict: Verdict, domain: &str, by_spf: bool) -> Findings {
    Findings {
        dmarc: Some(DmarcFinding {
            verdict,
            domain: domain.to_owned(),
            policy: None,
            by_spf,
        }),
        ..Findings::default()
    }
}

/// The standing of a message that came through the provider's network, or from elsewhere.
fn standing(rules: &Rules, client: &str, from: &str, head: &str, findings: Option<&Findings>) -> String {
    let path = path(from);
    let client = client.parse().expect("an address");
    let sender = Sender::judged(&path, &Origin::plain("inbound", client), rules);
    let head = format!("{head}\r\n\r\n");
    let facts = HeaderFacts::read(head.as_bytes()).expect("small");
    let evidence = Evidence {
        head: head.as_bytes(),
        authors: &facts.authors,
        findings,
    };
    let weighed = match Prospect::of(&path, &Origin::plain("inbound", client), rules) {
        Some(prospect) => prospect.weigh(sender, &evidence),
        None => sender,
    };
    match weighed.standing {
        Standing::Internal { proof } => {
            assert_eq!(Proof::recorded(&proof.to_string()), proof, "recorded and read again");
            proof.to_string()
        }
        Standing::Undecided => "undecided".to_owned(),
        Standing::Spoofed => "spoofed".to_owned(),
        Standing::External => "external".to_owned(),
        Standing::Null => "null".to_owned(),
        Standing::System => "system".to_owned(),
    }
}

#[test]
fn a_shared_network_proves_only_with_the_stamp_of_our_tenant() {
    let rules = rules(true, false, false);
    let proven = "network cloud tenant ours";
    for (client, from, head, expected, why) in [
        ("40.92.1.1", "lena@contoso.example", OURS, proven, "our tenant"),
        (
            "40.92.1.1",
            "lena@eu.contoso.example",
            OURS,
            proven,
            "a subdomain it may speak for",
        ),
        ("40.92.1.1", "boss@contoso.example", "X: y", "spoofed", "no stamp"),
        (
            "40.92.1.1",
            "boss@contoso.example",
            "X-MS-Exchange-CrossTenant-Id: theirs",
            "spoofed",
            "another customer of the same provider",
        ),
        (
            "40.92.1.1",
            "boss@contoso.example",
            "X-MS-Exchange-CrossTenant-Id: ours\r\nX-MS-Exchange-CrossTenant-Id: theirs",
            "spoofed",
            "his own stamp above the provider's",
        ),
        (
            "203.0.113.1",
            "boss@contoso.example",
            OURS,
            "spoofed",
            "the stamp from elsewhere",
        ),
        (
            "40.92.1.1",
            "x@fabrikam.example",
            OURS,
            "external",
            "a domain it may not speak for",
        ),
        ("40.92.1.1", "", OURS, "null", "a report stays a report"),
    ] {
        assert_eq!(standing(&rules, client, from, head, None), expected, "{why}");
    }
}

#[test]
fn a_signature_proves_the_reverse_path_it_covers() {
    use Verdict::{Fail, Pass, TempError};
    let rules = rules(false, true, false);
    let lena = "From: lena@contoso.example";
    for (client, from, head, signatures, expected, why) in [
        (
            "40.92.1.1",
            "lena@contoso.example",
            lena,
            &[("contoso.example", Pass)][..],
            "network cloud signature contoso.example",
            "signed by the domain",
        ),
        (
            "40.92.1.1",
            "lena@eu.contoso.example",
            "From: lena@eu.contoso.example",
            &[("contoso.example", Pass)],
            "network cloud signature contoso.example",
            "signed by the domain above",
        ),
        (
            "40.92.1.1",
            "boss@contoso.example",
            lena,
            &[("contoso.example", Pass)],
            "spoofed",
            "a colleague's message sent again as somebody else's",
        ),
        (
            "40.92.1.1",
            "boss@contoso.example",
            "From: boss@contoso.example",
            &[("tenant.example", Pass)],
            "spoofed",
            "signed by another customer",
        ),
        (
            "40.92.1.1",
            "boss@contoso.example",
            "From: boss@contoso.example",
            &[("example", Pass)],
            "spoofed",
            "signed by a domain above that it may not speak for",
        ),
        (
            "40.92.1.1",
            "boss@contoso.example",
            "From: boss@contoso.example",
            &[("oso.example", Pass)],
            "spoofed",
            "a suffix is no domain above",
        ),
        (
            "40.92.1.1",
            "lena@contoso.example",
            lena,
            &[("contoso.example", Fail)],
            "spoofed",
            "broken",
        ),
        (
            "40.92.1.1",
            "lena@contoso.example",
            lena,
            &[("contoso.example", TempError)],
            "undecided",
            "no key now",
        ),
        (
            "40.92.1.1",
            "lena@contoso.example",
            lena,
            &[("other.example", TempError)],
            "spoofed",
            "of no use anyway",
        ),
        (
            "40.92.1.1",
            "lena@contoso.example",
            lena,
            &[("", TempError)],
            "undecided",
            "out of time",
        ),
        (
            "203.0.113.1",
            "lena@contoso.example",
            lena,
            &[("contoso.example", Pass)],
            "spoofed",
            "from elsewhere",
        ),
        (
            "40.92.1.1",
            "lena@contoso.example",
            "From: lena@contoso.example\r\nFrom: x@y.example",
            &[("contoso.example", Pass)],
            "spoofed",
            "two From fields",
        ),
    ] {
        let findings = signed(signatures);
        assert_eq!(standing(&rules, client, from, head, Some(&findings)), expected, "{why}");
    }
}

#[test]
fn dmarc_proves_where_settings_say_so() {
    use Verdict::{Fail, Pass, TempError};
    let lena = "From: Lena <lena@contoso.example>";
    for (proves, from, head, findings, expected, why) in [
        (
            true,
            "lena@contoso.example",
            lena,
            dmarc(Pass, "contoso.example", false),
            "dmarc contoso.example",
            "author",
        ),
        (
            true,
            "b-1@mailer.example",
            lena,
            dmarc(Pass, "contoso.example", false),
            "dmarc contoso.example",
            "a mailer",
        ),
        (
            true,
            "news@contoso.example",
            lena,
            dmarc(Pass, "contoso.example", true),
            "dmarc contoso.example",
            "SPF",
        ),
        (
            true,
            "boss@contoso.example",
            lena,
            dmarc(Pass, "contoso.example", false),
            "spoofed",
            "a colleague's message sent again as somebody else's",
        ),
        (
            true,
            "lena@contoso.example",
            lena,
            dmarc(Fail, "contoso.example", false),
            "spoofed",
            "fails",
        ),
        (
            true,
            "lena@contoso.example",
            lena,
            dmarc(TempError, "contoso.example", false),
            "undecided",
            "no answer",
        ),
        (
            true,
            "lena@contoso.example",
            lena,
            dmarc(Pass, "other.example", true),
            "spoofed",
            "about another domain",
        ),
        (
            true,
            "x@mail.example",
            "From: x@mail.example",
            dmarc(Pass, "mail.example", true),
            "external",
            "not ours",
        ),
        (
            true,
            "lena@contoso.example",
            "From: lena@contoso.example, x@mail.example",
            dmarc(Pass, "contoso.example", true),
            "spoofed",
            "two authors",
        ),
        (true, "", lena, dmarc(Pass, "contoso.example", true), "null", "a report"),
        (
            false,
            "lena@contoso.example",
            lena,
            dmarc(Pass, "contoso.example", true),
            "spoofed",
            "not by default",
        ),
    ] {
        let rules = rules(true, true, proves);
        let found = standing(&rules, "203.0.113.1", from, head, Some(&findings));
        assert_eq!(found, expected, "{why}");
    }
}

#[test]
fn only_what_could_prove_is_checked() {
    let head = |text: &str| format!("{text}\r\n\r\n").into_bytes();
    let checks = |rules: &Rules, client: &str, from: &str, text: &str| {
        let path = path(from);
        let head = head(text);
        let facts = HeaderFacts::read(&head).expect("small");
        let prospect = Prospect::of(&path, &Origin::plain("inbound", client.parse().expect("valid")), rules);
        prospect.map_or_else(Checks::default, |prospect| prospect.checks(&head, &facts.authors))
    };
    let lena = "From: lena@contoso.example";
    let with_stamp = format!("{lena}\r\n{OURS}");
    let all = rules(true, true, true);
    assert!(
        checks(&all, "40.92.1.1", "lena@contoso.example", &with_stamp).is_empty(),
        "the stamp is enough"
    );
    let both = checks(&all, "40.92.1.1", "lena@contoso.example", lena);
    assert!(both.spf && both.dkim && both.dmarc && !both.arc);
    assert!(
        checks(&all, "40.92.1.1", "x@mail.example", "From: x@mail.example").is_empty(),
        "not ours"
    );
    let signature = rules(false, true, false);
    let one = checks(&signature, "40.92.1.1", "lena@contoso.example", lena);
    assert!(one.dkim && !one.spf && !one.dmarc);
    assert!(
        checks(&signature, "203.0.113.1", "lena@contoso.example", lena).is_empty(),
        "from elsewhere"
    );
    assert!(checks(&rules(true, false, false), "40.92.1.1", "lena@contoso.example", lena).is_empty());
}

#[test]
fn what_earlier_releases_recorded_is_a_network() {
    assert_eq!(Proof::recorded("loopback"), Proof::Network("loopback".into()));
    assert_eq!(Proof::recorded("network loopback"), Proof::Network("loopback".into()));
}
