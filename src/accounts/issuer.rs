//! Tokens of an OIDC issuer (OpenID Connect Core 1.0; RFC 7519): checked by the keys that the issuer publishes.
//!
//! Never: a token for somebody else's service; a signature by a shared secret; the issuer asked for each token.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::jwk::{AlgorithmParameters, Jwk, JwkSet};
use jsonwebtoken::{DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::sync::Mutex;

use super::{refused, trust, unavailable};
use crate::env::Clock;
use crate::listener::accounts::Told;
use crate::resolver::Login;
use crate::smtp::sasl::{Answer, Secret};

/// Keys are asked for again after this long.
const KEYS_KEPT: Duration = Duration::from_secs(3_600);
/// A token with a key that nobody knows has them asked for, at most this often.
const KEYS_ASKED_EVERY: Duration = Duration::from_secs(60);
/// Wait for the issuer: well below what a client is given, so that kept keys still serve it.
const ISSUER_TIMEOUT: Duration = Duration::from_secs(4);
/// Most octets of an answer of the issuer.
const ANSWER_OCTETS_MAX: usize = 1024 * 1024;

/// An OIDC issuer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IssuerSettings {
    /// `iss`.
    pub issuer: String,
    /// `aud`.
    pub audience: String,
    /// Where its keys are; none: as its discovery document says.
    pub keys_url: Option<String>,
    /// Claim that names the account.
    pub name_claim: String,
    /// Who vouches for it; none: the system's authorities.
    pub authorities_file: Option<PathBuf>,
}

/// The issuer, and its keys as last seen.
pub(super) struct Issuer {
    settings: IssuerSettings,
    http: reqwest::Client,
    keys: Mutex<Keys>,
    clock: Arc<dyn Clock>,
}

/// Times are by the clock that only runs on.
#[derive(Default)]
struct Keys {
    /// As last seen, and when.
    seen: Option<(JwkSet, Duration)>,
    /// When they were asked for last, answered or not.
    asked: Option<Duration>,
}

impl Keys {
    /// True if the issuer is to be asked now. While it does not answer, keys that were good an hour ago serve: they are
    /// better than nobody logging in.
    fn are_due(&self, now: Duration, knows: bool) -> bool {
        let lately = |at: Duration| now.saturating_sub(at) <= KEYS_ASKED_EVERY;
        match &self.seen {
            None => true,
            Some(_) if self.asked.is_some_and(lately) => false,
            Some((_, seen)) => !knows || now.saturating_sub(*seen) > KEYS_KEPT,
        }
    }
}

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

impl Issuer {
    pub(super) fn new(settings: &IssuerSettings, clock: Arc<dyn Clock>) -> Result<Self, String> {
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(trust::config(settings.authorities_file.as_deref())?)
            .https_only(true)
            .timeout(ISSUER_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|fault| fault.to_string())?;
        Ok(Self {
            settings: settings.clone(),
            http,
            keys: Mutex::default(),
            clock,
        })
    }

    pub(super) async fn ask(&self, name: &str, token: &Secret) -> Told {
        let Ok(header) = decode_header(token.reveal()) else {
            return refused();
        };
        let key = match self.key(header.kid.as_deref()).await {
            Ok(Some(key)) => key,
            Ok(None) => return refused(),
            Err(why) => {
                tracing::warn!(issuer = self.settings.issuer, why, "keys of the issuer cannot be had");
                return unavailable();
            }
        };
        match self.account(token, &key, header.alg) {
            Some(account) if name.is_empty() || account.to_lowercase() == name.to_lowercase() => {
                Login::new(&account, Vec::new()).map_or_else(refused, |login| Told {
                    answer: Answer::Vouched,
                    login: Some(login),
                })
            }
            Some(_) | None => refused(),
        }
    }

    /// The account that a token names, if it is good.
    fn account(&self, token: &Secret, key: &Jwk, algorithm: jsonwebtoken::Algorithm) -> Option<String> {
        // A key that both sides know proves nobody.
        if matches!(key.algorithm, AlgorithmParameters::OctetKey(_)) {
            return None;
        }
        let decoding = DecodingKey::from_jwk(key).ok()?;
        let mut validation = Validation::new(algorithm);
        validation.validate_nbf = true;
        validation.set_issuer(&[&self.settings.issuer]);
        validation.set_audience(&[&self.settings.audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        let decoded = decode::<Map<String, Value>>(token.reveal(), &decoding, &validation)
            .inspect_err(|fault| tracing::info!(issuer = self.settings.issuer, %fault, "a token is not good"))
            .ok()?;
        // OpenID Connect Core §5.1: an address that nobody verified is what its user says it is.
        let unverified = decoded.claims.get("email_verified") == Some(&Value::Bool(false));
        if self.settings.name_claim == "email" && unverified {
            return None;
        }
        decoded
            .claims
            .get(&self.settings.name_claim)?
            .as_str()
            .map(str::to_owned)
    }

    /// The key that a token was signed with; none if the issuer has no such key.
    async fn key(&self, id: Option<&str>) -> Result<Option<Jwk>, String> {
        let mut kept = self.keys.lock().await;
        let now = self.clock.monotonic();
        let found = kept.seen.as_ref().and_then(|(set, _)| pick(set, id));
        if !kept.are_due(now, found.is_some()) {
            return Ok(found);
        }
        kept.asked = Some(now);
        match self.read_keys().await {
            Ok(set) => {
                let found = pick(&set, id);
                kept.seen = Some((set, now));
                Ok(found)
            }
            Err(why) => found.map_or(Err(why), |key| Ok(Some(key))),
        }
    }

    async fn read_keys(&self) -> Result<JwkSet, String> {
        let url = match &self.settings.keys_url {
            Some(url) => url.clone(),
            None => {
                let base = self.settings.issuer.trim_end_matches('/');
                let document: Discovery = self.read(&format!("{base}/.well-known/openid-configuration")).await?;
                // OpenID Connect Discovery §4.3.
                if document.issuer != self.settings.issuer {
                    return Err(format!("the discovery document is of `{}`", document.issuer));
                }
                document.jwks_uri
            }
        };
        self.read(&url).await
    }

    async fn read<T: serde::de::DeserializeOwned>(&self, url: &str) -> Result<T, String> {
        let of = |fault: String| format!("{url}: {fault}");
        let answer = self.http.get(url).send().await;
        let mut answer = answer
            .and_then(reqwest::Response::error_for_status)
            .map_err(|fault| of(fault.to_string()))?;
        let mut octets = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|fault| of(fault.to_string()))? {
            octets.extend_from_slice(&chunk);
            if octets.len() > ANSWER_OCTETS_MAX {
                return Err(of("the answer is too large".to_owned()));
            }
        }
        serde_json::from_slice(&octets).map_err(|fault| of(fault.to_string()))
    }
}

/// RFC 7517 §4.5: by its id; without one only if there is no choice.
fn pick(set: &JwkSet, id: Option<&str>) -> Option<Jwk> {
    match (id, set.keys.as_slice()) {
        (Some(id), _) => set.find(id).cloned(),
        (None, [only]) => Some(only.clone()),
        (None, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
    use serde_json::json;

    use super::*;
    use crate::delivery::tests::tls::Authority;
    use crate::delivery::tests::web::{Answer as Said, Host as Https};
    use crate::env::Env;

    const ISSUER: &str = "https://login.contoso.example";
    const FAR: u64 = 32_503_680_000;

    /// An issuer that is known by one key, and the key's private half.
    async fn issuer() -> (Issuer, EncodingKey) {
        let settings = IssuerSettings {
            issuer: ISSUER.to_owned(),
            audience: "muster".to_owned(),
            // Nobody listens there.
            keys_url: Some("https://127.0.0.1:1/keys".to_owned()),
            name_claim: "email".to_owned(),
            authorities_file: None,
        };
        let issuer = Issuer::new(&settings, Env::system().clock).expect("good settings");
        let pair = rcgen::KeyPair::generate().expect("a key");
        let key = EncodingKey::from_ec_der(&pair.serialize_der());
        let mut public = Jwk::from_encoding_key(&key, Algorithm::ES256).expect("a public key");
        public.common.key_id = Some("one".to_owned());
        let now = issuer.clock.monotonic();
        issuer.keys.lock().await.seen = Some((JwkSet { keys: vec![public] }, now));
        (issuer, key)
    }

    fn token(key: &EncodingKey, algorithm: Algorithm, id: &str, claims: &Value) -> Secret {
        let mut header = Header::new(algorithm);
        header.kid = Some(id.to_owned());
        Secret::new(&encode(&header, claims, key).expect("a token"))
    }

    fn claims() -> Value {
        json!({"iss": ISSUER, "aud": "muster", "exp": FAR, "email": "lena@contoso.example"})
    }

    #[tokio::test]
    async fn a_token_speaks_for_its_account_if_everything_about_it_is_right() {
        let (issuer, key) = issuer().await;
        let with = |name: &str, value: Value| {
            let mut changed = claims();
            changed[name] = value;
            changed
        };
        for (name, claims, vouched, why) in [
            ("lena@contoso.example", claims(), true, "as it should be"),
            ("LENA@contoso.example", claims(), true, "case does not matter"),
            ("", claims(), true, "the client names nobody"),
            ("boss@contoso.example", claims(), false, "another's name"),
            ("", with("aud", json!("another service")), false, "another's token"),
            ("", with("iss", json!("https://evil.example")), false, "another issuer"),
            ("", with("exp", json!(1)), false, "too late"),
            ("", with("nbf", json!(FAR)), false, "too early"),
            (
                "",
                with("email_verified", json!(false)),
                false,
                "an address that nobody verified",
            ),
            ("", with("email", json!(7)), false, "no name"),
        ] {
            let told = issuer.ask(name, &token(&key, Algorithm::ES256, "one", &claims)).await;
            assert_eq!(told.answer == Answer::Vouched, vouched, "{why}");
            let login = told.login.map(|login| login.name.to_string());
            assert_eq!(login.as_deref(), vouched.then_some("lena@contoso.example"), "{why}");
        }
        let stranger = EncodingKey::from_ec_der(&rcgen::KeyPair::generate().expect("a key").serialize_der());
        let shared = EncodingKey::from_secret(b"known to both");
        for forged in [
            token(&stranger, Algorithm::ES256, "one", &claims()),
            token(&shared, Algorithm::HS256, "one", &claims()),
            Secret::new("no.token.at.all"),
        ] {
            assert_eq!(issuer.ask("", &forged).await.answer, Answer::Refused);
        }
    }

    #[tokio::test]
    async fn while_the_issuer_is_away_kept_keys_serve_and_new_ones_wait() {
        let (issuer, key) = issuer().await;
        let unknown = token(&key, Algorithm::ES256, "two", &claims());
        assert_eq!(
            issuer.ask("", &unknown).await.answer,
            Answer::Unavailable,
            "it was asked"
        );
        assert_eq!(
            issuer.ask("", &unknown).await.answer,
            Answer::Refused,
            "and not again at once"
        );
        let known = token(&key, Algorithm::ES256, "one", &claims());
        assert_eq!(issuer.ask("", &known).await.answer, Answer::Vouched);
    }

    #[test]
    fn keys_are_asked_for_when_old_or_unknown_and_not_too_often() {
        let seconds = Duration::from_secs;
        let keys = |asked: Option<u64>| Keys {
            seen: Some((JwkSet { keys: Vec::new() }, seconds(0))),
            asked: asked.map(seconds),
        };
        assert!(Keys::default().are_due(seconds(1), false));
        for (asked, now, knows, due) in [
            (None, 10, true, false),
            (None, 10, false, true),
            (Some(5), 10, false, false),
            (Some(5), 70, false, true),
            (None, 3_601, true, true),
            // It did not answer a moment ago.
            (Some(3_600), 3_601, true, false),
            (Some(3_600), 3_700, true, true),
        ] {
            assert_eq!(keys(asked).are_due(seconds(now), knows), due, "{asked:?} {now} {knows}");
        }
    }

    /// A clock that is set by hand.
    #[derive(Default)]
    struct ByHand(std::sync::atomic::AtomicU64);

    impl Clock for ByHand {
        fn now(&self) -> jiff::Timestamp {
            jiff::Timestamp::UNIX_EPOCH
        }

        fn monotonic(&self) -> Duration {
            Duration::from_secs(self.0.load(std::sync::atomic::Ordering::SeqCst))
        }
    }

    impl ByHand {
        fn forward(&self, seconds: u64) {
            self.0.fetch_add(seconds, std::sync::atomic::Ordering::SeqCst);
        }
    }

    /// A key with this id, and its public half as an answer of the issuer.
    fn published(id: &str) -> (EncodingKey, Said) {
        let key = EncodingKey::from_ec_der(&rcgen::KeyPair::generate().expect("a key").serialize_der());
        let mut public = Jwk::from_encoding_key(&key, Algorithm::ES256).expect("a public key");
        public.common.key_id = Some(id.to_owned());
        let set = serde_json::to_vec(&JwkSet { keys: vec![public] }).expect("JSON");
        (key, Said::ok("application/json", set))
    }

    /// An issuer over HTTPS whose certificate an authority of a file vouches for.
    async fn over_https(answers: Vec<Said>, keys: Option<&str>, clock: &Arc<ByHand>) -> (Https, Issuer) {
        let authority = Authority::new();
        let host = Https::start(&authority.leaf(&["127.0.0.1"]), answers).await;
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), authority.pem()).expect("writable");
        let base = format!("https://{}", host.address);
        let settings = IssuerSettings {
            issuer: base.clone(),
            audience: "muster".to_owned(),
            keys_url: keys.map(|path| format!("{base}{path}")),
            name_claim: "email".to_owned(),
            authorities_file: Some(file.path().to_owned()),
        };
        let clock = Arc::clone(clock) as Arc<dyn Clock>;
        (host, Issuer::new(&settings, clock).expect("good settings"))
    }

    fn of(issuer: &Issuer, key: &EncodingKey, id: &str) -> Secret {
        let mut claims = claims();
        claims["iss"] = json!(issuer.settings.issuer);
        token(key, Algorithm::ES256, id, &claims)
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn keys_come_over_https_and_new_ones_take_the_place_of_old_ones() {
        let clock = Arc::new(ByHand::default());
        let ((one, first), (two, second)) = (published("one"), published("two"));
        let (host, issuer) = over_https(vec![first, second], Some("/keys"), &clock).await;
        let (old, new) = (of(&issuer, &one, "one"), of(&issuer, &two, "two"));
        assert_eq!(issuer.ask("", &old).await.answer, Answer::Vouched);
        assert_eq!(issuer.ask("", &old).await.answer, Answer::Vouched);
        assert_eq!(host.asked().len(), 1, "keys are kept");
        assert_eq!(
            issuer.ask("", &new).await.answer,
            Answer::Refused,
            "not asked again at once"
        );
        clock.forward(61);
        assert_eq!(issuer.ask("", &new).await.answer, Answer::Vouched);
        clock.forward(61);
        assert_eq!(
            issuer.ask("", &old).await.answer,
            Answer::Refused,
            "the issuer has it no more"
        );
        assert_eq!(host.asked().len(), 3);
        assert!(host.asked()[0].head.starts_with("GET /keys HTTP/1.1\r\n"));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn the_discovery_document_leads_to_the_keys_of_this_issuer_only() {
        for (claimed, answer) in [
            (None, Answer::Vouched),
            (Some("https://evil.example"), Answer::Unavailable),
        ] {
            let clock = Arc::new(ByHand::default());
            let (key, keys) = published("one");
            let (host, issuer) = over_https(Vec::new(), None, &clock).await;
            let base = &issuer.settings.issuer;
            let document = json!({"issuer": claimed.unwrap_or(base), "jwks_uri": format!("{base}/keys")});
            host.answer([Said::ok("application/json", document.to_string()), keys]);
            assert_eq!(issuer.ask("", &of(&issuer, &key, "one")).await.answer, answer);
            let asked: Vec<String> = host.asked().into_iter().map(|request| request.head).collect();
            assert!(
                asked[0].starts_with("GET /.well-known/openid-configuration "),
                "{asked:?}"
            );
            assert_eq!(asked.len(), 2 - usize::from(claimed.is_some()));
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn an_issuer_that_answers_anything_else_is_away_and_nobody_is_refused_for_it() {
        let (key, keys) = published("one");
        for answer in [
            Said::status(500, ""),
            Said::status(302, "Location: https://127.0.0.1:1/keys\r\n"),
            Said::ok("text/html", "<html>"),
            Said::ok("application/json", vec![b' '; ANSWER_OCTETS_MAX + 1]),
            Said::Silence,
        ] {
            let clock = Arc::new(ByHand::default());
            let (host, issuer) = over_https(vec![answer.clone()], Some("/keys"), &clock).await;
            let token = of(&issuer, &key, "one");
            assert_eq!(issuer.ask("", &token).await.answer, Answer::Unavailable, "{answer:?}");
            // It comes back.
            host.answer([keys.clone()]);
            assert_eq!(issuer.ask("", &token).await.answer, Answer::Vouched);
            // And while it is away again, what is known serves.
            host.answer([answer]);
            clock.forward(4_000);
            assert_eq!(issuer.ask("", &token).await.answer, Answer::Vouched);
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn an_issuer_that_nobody_vouches_for_is_not_believed() {
        let clock = Arc::new(ByHand::default());
        let (key, keys) = published("one");
        let (host, mut issuer) = over_https(vec![keys], Some("/keys"), &clock).await;
        issuer.settings.authorities_file = None;
        issuer = Issuer::new(&issuer.settings, Arc::clone(&clock) as Arc<dyn Clock>).expect("good settings");
        let token = of(&issuer, &key, "one");
        assert_eq!(issuer.ask("", &token).await.answer, Answer::Unavailable);
        assert!(host.asked().is_empty());
    }
}
