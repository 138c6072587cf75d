//! Which addresses are taken, what is refused and why, how they compare.

use super::*;

#[test]
fn accepts_what_rfc_5321_allows() {
    for text in [
        "a@b",
        "first.last@contoso.example",
        "\"two words\"@contoso.example",
        "\"a@b\"@contoso.example",
        "postmaster@[192.0.2.1]",
        "x@[IPv6:2001:db8::1]",
        "grüße@bücher.example",
        "IMCEAEX-_o=Contoso_ou=x@contoso.example",
    ] {
        assert!(Mailbox::parse(text).is_ok(), "{text}");
    }
}

#[test]
fn refuses_the_rest_with_a_reason() {
    for (text, fault) in [
        ("", AddressFault::Empty),
        ("lena", AddressFault::NoDomain),
        ("@relay:lena@contoso.example", AddressFault::SourceRoute),
        ("lena@contoso.example.", AddressFault::Domain),
        ("lena@-contoso.example", AddressFault::Domain),
        ("lena@b@contoso.example", AddressFault::Domain),
        ("lena @contoso.example", AddressFault::Control),
        ("lena\u{0}@contoso.example", AddressFault::Control),
        (".lena@contoso.example", AddressFault::LocalPart),
        ("le..na@contoso.example", AddressFault::LocalPart),
        ("le(comment)na@contoso.example", AddressFault::LocalPart),
        ("\"lena@contoso.example", AddressFault::NoDomain),
        ("lena@[300.1.1.1]", AddressFault::Domain),
        ("lena@con toso.example", AddressFault::Domain),
    ] {
        assert_eq!(Mailbox::parse(text), Err(fault), "{text}");
    }
}

#[test]
fn keys_fold_ascii_only() {
    let key = |text: &str| Mailbox::parse(text).expect("a valid test address").key();
    assert_eq!(key("Lena@Contoso.EXAMPLE"), key("lena@contoso.example"));
    assert_eq!(key("\"lena\"@contoso.example"), key("lena@contoso.example"));
    assert_eq!(key("x@bücher.example"), key("x@xn--bcher-kva.example"));
    assert_ne!(key("ſtaff@contoso.example"), key("staff@contoso.example"));
    assert_ne!(key("STRAẞE@contoso.example"), key("strasse@contoso.example"));
}

#[test]
fn local_parts_that_route_again_are_known() {
    for (text, again) in [
        ("a%b@contoso.example", true),
        ("host!a@contoso.example", true),
        ("\"a@b\"@contoso.example", true),
        ("a+b@contoso.example", false),
    ] {
        assert_eq!(Mailbox::parse(text).expect("valid").routes_again(), again, "{text}");
    }
}

#[test]
fn a_text_that_was_a_mailbox_is_one_again() {
    for text in [
        "Lena@Contoso.EXAMPLE",
        "\"a@b\"@contoso.example",
        "grüße@bücher.example",
        "x@[192.0.2.1]",
    ] {
        let mailbox = Mailbox::parse(text).expect("a valid test address");
        assert_eq!(Mailbox::of_valid(text), mailbox);
        assert_eq!(Mailbox::key_of_valid(text), mailbox.key().as_str());
        assert_eq!(Mailbox::local_part_of_valid(text), mailbox.local_part());
    }
    assert_eq!(
        Mailbox::of_valid("none").domain(),
        "",
        "no address of ours has this domain"
    );
}
