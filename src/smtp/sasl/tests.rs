use super::*;

fn password(name: &str, password: &str) -> Turn {
    Turn::Ask(Question::Password {
        name: name.to_owned(),
        password: Secret::new(password),
    })
}

fn token(name: &str, token: &str) -> Turn {
    Turn::Ask(Question::Token {
        name: name.to_owned(),
        token: Secret::new(token),
    })
}

#[test]
fn first_responses_are_read_or_refused() {
    use Mechanism::{OauthBearer, Plain, Xoauth2};
    let malformed = || Turn::Failed(SaslFault::Malformed);
    for (mechanism, response, turn) in [
        (Plain, "\0lena\0tea pot", password("lena", "tea pot")),
        (Plain, "lena\0lena\0tea", password("lena", "tea")),
        (Plain, "admin\0lena\0tea", Turn::Failed(SaslFault::Authorization)),
        (Plain, "\0\0tea", malformed()),
        (Plain, "\0lena\0", malformed()),
        (Plain, "lena\0tea", malformed()),
        (Plain, "\0lena\0tea\0pot", malformed()),
        (Plain, "", malformed()),
        (
            Xoauth2,
            "user=lena\x01auth=Bearer abc.def\x01\x01",
            token("lena", "abc.def"),
        ),
        (Xoauth2, "user=lena\x01auth=bearer abc\x01\x01", token("lena", "abc")),
        (Xoauth2, "user=lena\x01auth=Bearer abc\x01", malformed()),
        (Xoauth2, "user=lena\x01auth=Basic abc\x01\x01", malformed()),
        (
            Xoauth2,
            "user=lena\x01auth=Bearer a\x01auth=Bearer b\x01\x01",
            malformed(),
        ),
        (Xoauth2, "user=\x01auth=Bearer abc\x01\x01", malformed()),
        (
            OauthBearer,
            "n,a=lena,\x01host=mx\x01port=587\x01auth=Bearer abc\x01\x01",
            token("lena", "abc"),
        ),
        (OauthBearer, "n,,\x01auth=Bearer abc\x01\x01", token("", "abc")),
        (OauthBearer, "p=x,,\x01auth=Bearer abc\x01\x01", malformed()),
        (OauthBearer, "n,,\x01auth=Bearer \x01\x01", malformed()),
        (OauthBearer, "n,,\x01host=mx\x01\x01", malformed()),
    ] {
        let mut exchange = Exchange::new(mechanism, Binding::default());
        assert_eq!(
            exchange.respond(response.as_bytes()),
            turn,
            "{mechanism:?} {response:?}"
        );
    }
}

#[test]
fn login_asks_twice() {
    let mut exchange = Exchange::new(Mechanism::Login, Binding::default());
    assert_eq!(exchange.prompt(), b"Username:");
    assert_eq!(exchange.respond(b"lena"), Turn::Challenge(b"Password:".to_vec()));
    assert_eq!(exchange.respond(b"tea"), password("lena", "tea"));
    assert_eq!(
        exchange.answer(Answer::Unavailable),
        Turn::Failed(SaslFault::Unavailable)
    );
}

#[test]
fn a_refused_token_is_told_why_and_then_fails() {
    let mut exchange = Exchange::new(Mechanism::OauthBearer, Binding::default());
    exchange.respond(b"n,,\x01auth=Bearer abc\x01\x01");
    let challenge = exchange.answer(Answer::Refused);
    assert_eq!(challenge, Turn::Challenge(br#"{"status":"invalid_token"}"#.to_vec()));
    assert_eq!(exchange.respond(b"\x01"), Turn::Failed(SaslFault::Refused));
}

/// RFC 7677 §3.
fn example_keys() -> ScramKeys {
    use base64::Engine as _;
    let salt = base64::engine::general_purpose::STANDARD
        .decode("W22ZaJ0SNY7soEsUEjb6gQ==")
        .expect("base64");
    let mut salted = [0; 32];
    aws_lc_rs::pbkdf2::derive(
        aws_lc_rs::pbkdf2::PBKDF2_HMAC_SHA256,
        std::num::NonZeroU32::new(4_096).expect("not zero"),
        &salt,
        b"pencil",
        &mut salted,
    );
    ScramKeys::of_salted(&salted, &salt, 4_096)
}

const CLIENT_FIRST: &[u8] = b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
const CLIENT_FINAL: &str = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                            p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";

fn example(exists: bool) -> Exchange {
    let mut exchange = Exchange::new(Mechanism::ScramSha256, Binding::default());
    let asked = exchange.respond(CLIENT_FIRST);
    assert_eq!(
        asked,
        Turn::Ask(Question::Keys {
            name: "user".to_owned()
        })
    );
    let turn = exchange.answer(Answer::Keys {
        keys: example_keys(),
        nonce: "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0".to_owned(),
        exists,
    });
    let server_first = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
    assert_eq!(turn, Turn::Challenge(server_first.as_bytes().to_vec()));
    exchange
}

#[test]
fn scram_speaks_as_the_rfc_shows() {
    let mut exchange = example(true);
    let server_final = b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";
    assert_eq!(
        exchange.respond(CLIENT_FINAL.as_bytes()),
        Turn::Challenge(server_final.to_vec())
    );
    assert_eq!(exchange.respond(b""), Turn::Succeeded);
    assert_eq!(exchange.respond(b""), Turn::Failed(SaslFault::Malformed));
}

#[test]
fn scram_refuses_what_is_not_so() {
    assert_eq!(
        example(false).respond(CLIENT_FINAL.as_bytes()),
        Turn::Failed(SaslFault::Refused),
        "a decoy"
    );
    for (change, to, fault) in [
        ("p=dHzb", "p=dHza", SaslFault::Refused),
        ("c=biws", "c=eSws", SaslFault::Binding),
        ("r=rOpr", "r=rOps", SaslFault::Malformed),
        (",p=", ",q=", SaslFault::Malformed),
    ] {
        let message = CLIENT_FINAL.replace(change, to);
        assert_eq!(
            example(true).respond(message.as_bytes()),
            Turn::Failed(fault),
            "{message}"
        );
    }
    let bound = || Binding {
        exporter: Some(vec![7; 32]),
    };
    for (mechanism, binding, first, fault) in [
        (Mechanism::ScramSha256, bound(), "y,,n=user,r=x", SaslFault::Binding),
        (
            Mechanism::ScramSha256,
            bound(),
            "p=tls-exporter,,n=user,r=x",
            SaslFault::Malformed,
        ),
        (
            Mechanism::ScramSha256Plus,
            bound(),
            "n,,n=user,r=x",
            SaslFault::Malformed,
        ),
        (
            Mechanism::ScramSha256Plus,
            bound(),
            "p=tls-unique,,n=user,r=x",
            SaslFault::Malformed,
        ),
        (
            Mechanism::ScramSha256,
            bound(),
            "n,a=admin,n=user,r=x",
            SaslFault::Authorization,
        ),
        (
            Mechanism::ScramSha256,
            bound(),
            "n,,m=x,n=user,r=x",
            SaslFault::Malformed,
        ),
        (Mechanism::ScramSha256, bound(), "n,,n=us=2Dr,r=x", SaslFault::Malformed),
    ] {
        let mut exchange = Exchange::new(mechanism, binding);
        assert_eq!(exchange.respond(first.as_bytes()), Turn::Failed(fault), "{first}");
    }
}

#[test]
fn a_bound_exchange_holds_on_its_connection_only() {
    use base64::Engine as _;
    let base64 = base64::engine::general_purpose::STANDARD;
    let run = |ours: u8, theirs: u8| {
        let binding = Binding {
            exporter: Some(vec![ours; 32]),
        };
        let mut exchange = Exchange::new(Mechanism::ScramSha256Plus, binding);
        exchange.respond(b"p=tls-exporter,,n=user,r=abc");
        exchange.answer(Answer::Keys {
            keys: example_keys(),
            nonce: "def".to_owned(),
            exists: true,
        });
        let mut bound = b"p=tls-exporter,,".to_vec();
        bound.extend_from_slice(&[theirs; 32]);
        let message = format!("c={},r=abcdef,p={}", base64.encode(bound), base64.encode([0; 32]));
        exchange.respond(message.as_bytes())
    };
    // The proof is wrong in both; the binding is looked at first.
    assert_eq!(run(7, 7), Turn::Failed(SaslFault::Refused));
    assert_eq!(run(7, 8), Turn::Failed(SaslFault::Binding));
}

#[test]
fn decoys_are_the_same_each_time_and_differ_by_name() {
    assert_eq!(ScramKeys::decoy("lena", b"key"), ScramKeys::decoy("lena", b"key"));
    assert_ne!(ScramKeys::decoy("lena", b"key"), ScramKeys::decoy("jana", b"key"));
    assert_eq!(format!("{:?}", Secret::new("tea")), "(secret)");
}
