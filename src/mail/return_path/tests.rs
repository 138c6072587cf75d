//! Return paths: what reads back, and what is nobody's.

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::mail::MessageId;

fn paths() -> ReturnPaths {
    ReturnPaths {
        key: ReturnKey([7; 32]),
        bounces: mailbox("bounces@contoso.example"),
        srs_domain: Domain::parse("contoso.example").expect("valid"),
        own: vec![OwnDomain {
            domain: Domain::parse("contoso.example").expect("valid"),
            subdomains: true,
        }],
        valid_for: Duration::from_secs(10 * DAY_SECONDS),
    }
}

fn mailbox(text: &str) -> Mailbox {
    Mailbox::parse(text).expect("a test address")
}

fn at(day: i64) -> Timestamp {
    Timestamp::from_second(20_000 * 86_400 + day * 86_400).expect("in range")
}

fn copy() -> ReturnedCopy {
    ReturnedCopy {
        proved: true,
        ..copy_of(SetId(4_711), MessageId(Uuid::from_u128(0x1122_3344_5566)), (500, 999))
    }
}

#[test]
fn a_bounce_address_reads_back_until_it_expires() {
    let paths = paths();
    let address = paths.bounce_address(&copy(), at(0));
    assert!(address.local_part().len() <= 64, "{address}");
    let upper = mailbox(&format!("{}@CONTOSO.example", address.local_part().to_uppercase()));
    for (address, day, expected) in [
        (&address, 0, Ok(Returned::Copy(copy(), 0))),
        (&upper, 0, Ok(Returned::Copy(copy(), 0))),
        (&address, 10, Ok(Returned::Copy(copy(), 10))),
        (&address, -3, Ok(Returned::Copy(copy(), 0))),
        (&address, 11, Err(ReturnFault::Expired)),
    ] {
        assert_eq!(paths.read(address, at(day)), Some(expected), "{address} on day {day}");
    }
    for other in [
        "bounces@contoso.example",
        "lena+x@contoso.example",
        "bounces+x@elsewhere.example",
    ] {
        assert_eq!(paths.read(&mailbox(other), at(0)), None, "{other}");
    }
}

#[test]
fn another_letter_another_key_or_another_domain_is_forged() {
    let paths = paths();
    let address = paths.bounce_address(&copy(), at(0));
    let local = address.local_part();
    for place in "bounces+".len()..local.len() {
        for letter in ['a', 'q', '7'] {
            let mut guess: Vec<char> = local.chars().collect();
            if guess[place] == letter {
                continue;
            }
            guess[place] = letter;
            let guess = mailbox(&format!("{}@contoso.example", guess.into_iter().collect::<String>()));
            assert_eq!(paths.read(&guess, at(0)), Some(Err(ReturnFault::Forged)), "{guess}");
        }
    }
    let mut other = paths.clone();
    other.key = ReturnKey([8; 32]);
    assert_eq!(other.read(&address, at(0)), Some(Err(ReturnFault::Forged)));
    let mut moved = paths.clone();
    moved.bounces = mailbox("bounces@fabrikam.example");
    let there = mailbox(&format!("{local}@fabrikam.example"));
    assert_eq!(moved.read(&there, at(0)), Some(Err(ReturnFault::Forged)));
    for guess in [
        "bounces+@contoso.example",
        "bounces+aaaa@contoso.example",
        "bounces+1@contoso.example",
    ] {
        assert_eq!(
            paths.read(&mailbox(guess), at(0)),
            Some(Err(ReturnFault::Forged)),
            "{guess}"
        );
    }
}

#[test]
fn outside_senders_are_rewritten_and_read_back() {
    let paths = paths();
    let first = paths.rewritten(&mailbox("Lena@partner.example"), at(0)).expect("fits");
    assert!(first.as_str().starts_with("SRS0=") && first.as_str().ends_with("=partner.example=Lena@contoso.example"));
    let folded = mailbox(&first.as_str().to_lowercase());
    for (address, day, expected) in [
        (&first, 0, Ok(Returned::Sender(mailbox("Lena@partner.example")))),
        (&folded, 0, Ok(Returned::Sender(mailbox("lena@partner.example")))),
        (&first, 10, Ok(Returned::Sender(mailbox("Lena@partner.example")))),
        (&first, 11, Err(ReturnFault::Expired)),
    ] {
        assert_eq!(paths.read(address, at(day)), Some(expected), "{address} on day {day}");
    }
    // Two forwarders before us: reports go to the first of them.
    for (sender, back) in [
        (
            "SRS0=abcd=xy=home.example=joe@fwd.example",
            "SRS0=abcd=xy=home.example=joe@fwd.example",
        ),
        (
            "srs0+abcd=xy=home.example=joe@fwd.example",
            "SRS0+abcd=xy=home.example=joe@fwd.example",
        ),
        (
            "SRS1=wxyz=fwd.example==abcd=xy=h.example=joe@two.example",
            "SRS0=abcd=xy=h.example=joe@fwd.example",
        ),
    ] {
        let wrapped = paths.rewritten(&mailbox(sender), at(0));
        let wrapped = wrapped.unwrap_or_else(|| panic!("{sender} fits"));
        assert!(wrapped.as_str().starts_with("SRS1="), "{wrapped}");
        let read = paths.read(&wrapped, at(1));
        assert_eq!(read, Some(Ok(Returned::Sender(mailbox(back)))), "{wrapped}");
        assert_eq!(
            paths.read(&wrapped, at(11)),
            Some(Err(ReturnFault::Expired)),
            "{wrapped}"
        );
    }
    for none in [
        "\"two words\"@partner.example",
        "j\u{fc}rgen@partner.example",
        &format!("{}@partner.example", "x".repeat(40)),
    ] {
        assert_eq!(paths.rewritten(&mailbox(none), at(0)), None, "{none}");
    }
    for guess in [
        "SRS0=aaaaaaaaaa=aa=victim.example=anybody@contoso.example",
        "SRS1=aaaaaaaaaaaa=victim.example==x@contoso.example",
        "SRS0=@contoso.example",
        "srs0-x@contoso.example",
    ] {
        assert_eq!(
            paths.read(&mailbox(guess), at(0)),
            Some(Err(ReturnFault::Forged)),
            "{guess}"
        );
    }
}

#[test]
fn a_rule_changes_what_it_must_and_leaves_reports_alone() {
    let paths = Arc::new(paths());
    let path = |text: &str| match text {
        "" => ReversePath::Null,
        text => ReversePath::Mailbox(mailbox(text)),
    };
    let (srs, verp) = (
        ReturnPathRule::Rewritten(Arc::clone(&paths)),
        ReturnPathRule::Bounces(Arc::clone(&paths)),
    );
    // rule, reverse-path of the set, of the message -> beginning of what is sent with
    for (rule, set, message, expected) in [
        (
            &ReturnPathRule::Original,
            "x@out.example",
            "x@out.example",
            "x@out.example",
        ),
        (&srs, "x@out.example", "x@out.example", "SRS0="),
        (&srs, "owner@contoso.example", "x@out.example", "owner@contoso.example"),
        (
            &srs,
            "o@berlin.contoso.example",
            "x@out.example",
            "o@berlin.contoso.example",
        ),
        (&srs, "o@notcontoso.example", "o@notcontoso.example", "SRS0="),
        (&srs, "", "x@out.example", ""),
        (&srs, "\"a b\"@out.example", "\"a b\"@out.example", "bounces+"),
        (&verp, "x@out.example", "x@out.example", "bounces+"),
        (&verp, "lena@contoso.example", "lena@contoso.example", "bounces+"),
        (&verp, "", "x@out.example", "bounces+"),
        (&verp, "", "", ""),
        (&srs, "", "", ""),
    ] {
        let (set, message) = (path(set), path(message));
        let copies = Copies {
            reverse_path: &set,
            message_reverse_path: &message,
            copy: copy(),
        };
        let sent = rule.apply(&copies, at(0));
        let fits = if expected.is_empty() {
            sent.is_null()
        } else {
            sent.as_str().starts_with(expected)
        };
        assert!(fits, "{rule:?} {set:?}: {sent:?}");
    }
}

proptest! {
    #[test]
    fn every_copy_reads_back(set in any::<u64>(), first in any::<u32>(), further in 0..100_000_u32, tag in any::<[u8; 4]>(), proved: bool, quiet: bool) {
        let paths = paths();
        let copy = ReturnedCopy { set: SetId(set), first, last: first.saturating_add(further), tag, proved, quiet };
        let address = paths.bounce_address(&copy, at(0));
        prop_assert_eq!(paths.read(&address, at(3)), Some(Ok(Returned::Copy(copy, 3))));
    }

    #[test]
    fn nothing_that_was_not_made_here_reads(token in "[a-z2-7=+.-]{0,60}") {
        for text in [format!("bounces+{token}@contoso.example"), format!("SRS0={token}@contoso.example"), format!("SRS1={token}@contoso.example")] {
            if let Ok(address) = Mailbox::parse(&text) {
                prop_assert!(matches!(paths().read(&address, at(0)), Some(Err(ReturnFault::Forged))), "{}", address);
            }
        }
    }
}
