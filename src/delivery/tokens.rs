//! Who we are to next hops: passwords as they are, tokens fetched from their issuer (RFC 6749 §4.4).
//!
//! In: what settings say. Out: a [`SignIn`], or why there is none for now.
//! Never: more than one request for a token at once, or one source that waits for another; a token used after its end, or
//! within `MARGIN` of it if another can be had; a secret in a log.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::sync::Mutex;

use super::opening::answer;
use super::web::{self, Unread, Web};
use crate::env::Env;
use crate::queue::LastAnswer;
use crate::routing::{HopSignIn, SignInProof, TokenSource};
use crate::smtp::sign_in::{Secret, SignIn};
use crate::track::Reason;

/// Time before its end at which a token is replaced.
const MARGIN: Duration = Duration::from_secs(120);
/// Wait for the issuer's answer.
const ISSUER_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a token is kept whose issuer does not say how long it is good.
const TOKEN_AGE: Duration = Duration::from_secs(600);
/// Longest answer of an issuer, in octets.
const ANSWER_OCTETS_MAX: usize = 64 * 1024;
/// Most tokens kept; settings name a handful.
const TOKENS_MAX: usize = 64;

/// Tokens that are good for now.
pub struct Tokens {
    known: std::sync::Mutex<HashMap<Arc<TokenSource>, Place>>,
    web: Web,
}

/// A source's token; locked while it is fetched, since who comes meanwhile wants the same one.
type Place = Arc<Mutex<Option<Token>>>;

struct Token {
    secret: Secret,
    /// On the monotonic clock.
    good_until: Duration,
}

impl Tokens {
    /// None yet.
    #[must_use]
    pub fn new(web: Web) -> Self {
        Self {
            known: std::sync::Mutex::default(),
            web,
        }
    }

    /// What is said to a next hop.
    pub async fn sign_in(&self, hop: &HopSignIn, env: &Env) -> Result<SignIn, LastAnswer> {
        let secret = match &hop.proof {
            SignInProof::Password(password) => password.clone(),
            SignInProof::Token(source) => self
                .token(source, env)
                .await
                .map_err(|why| answer(Reason::TokenUnavailable, (4, 7, 0), format!("{}: {why}", source.url)))?,
        };
        let mut nonce = [0; 18];
        env.chance.fill(&mut nonce);
        Ok(SignIn {
            user: hop.user.clone(),
            secret,
            mechanisms: hop.mechanisms,
            in_clear: hop.in_clear,
            nonce: STANDARD.encode(nonce),
        })
    }

    /// The next hop did not take a token: another one is fetched.
    pub async fn forget(&self, hop: &HopSignIn) {
        if let SignInProof::Token(source) = &hop.proof {
            *self.place(source).lock().await = None;
        }
    }

    fn place(&self, source: &Arc<TokenSource>) -> Place {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= TOKENS_MAX && !known.contains_key(source) {
            known.clear();
        }
        Arc::clone(known.entry(Arc::clone(source)).or_default())
    }

    async fn token(&self, source: &Arc<TokenSource>, env: &Env) -> Result<Secret, String> {
        let place = self.place(source);
        let mut known = place.lock().await;
        let now = env.clock.monotonic();
        let old = known.as_ref().filter(|token| now < token.good_until);
        if let Some(token) = old.filter(|token| now + MARGIN < token.good_until) {
            return Ok(token.secret.clone());
        }
        let (secret, good_for) = match (fetch(source, &self.web).await, old) {
            (Ok(fetched), _) => fetched,
            // It is still good for a moment: better than mail that waits for the issuer.
            (Err(why), Some(token)) => {
                tracing::warn!(
                    url = source.url,
                    why,
                    "a token could not be renewed; the old one serves to its end"
                );
                return Ok(token.secret.clone());
            }
            (Err(why), None) => return Err(why),
        };
        *known = Some(Token {
            secret: secret.clone(),
            good_until: now + good_for,
        });
        Ok(secret)
    }
}

async fn fetch(source: &TokenSource, web: &Web) -> Result<(Secret, Duration), String> {
    let client = web.client(ISSUER_TIMEOUT)?;
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", source.client.as_str()),
        ("client_secret", source.secret.reveal()),
        ("scope", source.scope.as_str()),
    ];
    let response = client.post(&source.url).form(&form).send().await.map_err(web::shown)?;
    let status = response.status();
    let octets = web::body(response, ANSWER_OCTETS_MAX).await;
    let octets = octets.map_err(|fault| match fault {
        Unread::Broken(fault) => web::shown(fault),
        Unread::TooLong => "the answer is too long".to_owned(),
    })?;
    read(status.as_u16(), &octets)
}

/// Reads an issuer's answer (RFC 6749 §5).
fn read(status: u16, octets: &[u8]) -> Result<(Secret, Duration), String> {
    let answer: serde_json::Value =
        serde_json::from_slice(octets).map_err(|_| format!("status {status} and no JSON"))?;
    let text = |key: &str| answer[key].as_str();
    if status != 200 {
        let error = text("error").unwrap_or("no error code");
        let why: String = text("error_description")
            .unwrap_or_default()
            .chars()
            .take(200)
            .collect();
        return Err(format!("status {status}, {error} {why}").trim_end().to_owned());
    }
    let is_bearer = text("token_type").is_some_and(|kind| kind.eq_ignore_ascii_case("bearer"));
    let token = text("access_token").filter(|token| token.bytes().all(|octet| octet.is_ascii_graphic()));
    let token = token.filter(|token| is_bearer && !token.is_empty());
    let token = token.ok_or_else(|| "the answer holds no bearer token".to_owned())?;
    // Some issuers write the number as text.
    let seconds = answer["expires_in"]
        .as_u64()
        .or_else(|| text("expires_in")?.parse().ok());
    let good_for = seconds.map_or(TOKEN_AGE, Duration::from_secs);
    Ok((Secret::new(token), good_for))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::tests::tls::Authority;
    use crate::delivery::tests::web::{Answer, Host};

    #[test]
    fn answers_of_issuers() {
        let good = br#"{"token_type":"Bearer","expires_in":3599,"ext_expires_in":3599,"access_token":"eyJ0"}"#;
        assert_eq!(read(200, good), Ok((Secret::new("eyJ0"), Duration::from_secs(3599))));
        let text = br#"{"token_type":"bearer","expires_in":"60","access_token":"x"}"#;
        assert_eq!(read(200, text).expect("a token").1, Duration::from_secs(60));
        let silent = br#"{"token_type":"bearer","access_token":"x"}"#;
        assert_eq!(read(200, silent).expect("a token").1, TOKEN_AGE);
        let refused = br#"{"error":"invalid_client","error_description":"AADSTS7000222: the secret has expired"}"#;
        let why = read(401, refused).expect_err("no token");
        assert_eq!(why, "status 401, invalid_client AADSTS7000222: the secret has expired");
        for (status, octets) in [
            (200, &b"<html>"[..]),
            (200, br#"{"access_token":"x"}"#),
            (200, br#"{"token_type":"bearer","access_token":"x\u0001y"}"#),
            (200, br#"{"token_type":"bearer","access_token":""}"#),
            (500, b"oops"),
        ] {
            assert!(read(status, octets).is_err());
        }
    }

    fn source(host: &str) -> Arc<TokenSource> {
        Arc::new(TokenSource {
            url: format!("https://{host}/oauth2/v2.0/token"),
            client: "app".to_owned(),
            secret: Secret::new("s3cret&more"),
            scope: "https://outlook.office365.com/.default".to_owned(),
        })
    }

    fn token(text: &str, seconds: u64) -> Answer {
        let body = format!(r#"{{"token_type":"Bearer","expires_in":{seconds},"access_token":"{text}"}}"#);
        Answer::ok("application/json", body)
    }

    /// An issuer, and tokens of it.
    async fn issuing(answers: impl IntoIterator<Item = Answer>) -> (Host, Tokens) {
        let authority = Authority::new();
        let host = Host::start(&authority.leaf(&["login.example"]), answers).await;
        let tokens = Tokens::new(Web {
            authorities: vec![authority.certificate.clone()],
            hosts: vec![("login.example".to_owned(), host.address)],
            patience_max: Some(Duration::from_millis(300)),
        });
        (host, tokens)
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_token_is_fetched_once_and_anew_near_its_end() {
        let env = Env::system();
        let (host, tokens) = issuing([token("one", 3_600), token("two", 60), token("three", 3_600)]).await;
        let source = source("login.example");
        for _ in 0..3 {
            assert_eq!(tokens.token(&source, &env).await, Ok(Secret::new("one")));
        }
        let asked = host.asked();
        assert_eq!(asked.len(), 1);
        assert!(
            asked[0].head.starts_with("POST /oauth2/v2.0/token HTTP/1.1\r\n"),
            "{}",
            asked[0].head
        );
        assert_eq!(
            String::from_utf8_lossy(&asked[0].body),
            "grant_type=client_credentials&client_id=app&client_secret=s3cret%26more&scope=https%3A%2F%2Foutlook.office365.com%2F.default"
        );
        let hop = HopSignIn {
            user: "lena".to_owned(),
            proof: SignInProof::Token(Arc::clone(&source)),
            mechanisms: crate::smtp::extension::Mechanisms::default(),
            in_clear: false,
        };
        // The next hop did not take it.
        tokens.forget(&hop).await;
        assert_eq!(tokens.token(&source, &env).await, Ok(Secret::new("two")));
        // Its end is near.
        assert_eq!(tokens.token(&source, &env).await, Ok(Secret::new("three")));
        assert_eq!(host.asked().len(), 3);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn an_issuer_that_fails_costs_time_and_no_token_that_is_still_good() {
        let env = Env::system();
        let refused = r#"{"error":"invalid_client","error_description":"the secret has expired"}"#;
        let refusal = Answer::Says(
            "HTTP/1.1 401 x\r\nContent-Type: application/json\r\n".to_owned(),
            refused.into(),
        );
        let source = source("login.example");
        for (answer, why) in [
            (refusal, "status 401, invalid_client the secret has expired"),
            (Answer::ok("text/html", "<html>"), "status 200 and no JSON"),
            (
                Answer::status(302, "Location: https://login.example/elsewhere\r\n"),
                "status 302 and no JSON",
            ),
            (
                Answer::ok("application/json", "x".repeat(65 * 1024)),
                "the answer is too long",
            ),
            (Answer::Silence, "timed out"),
        ] {
            let (host, tokens) = issuing([answer.clone()]).await;
            let said = tokens.token(&source, &env).await.expect_err("no token");
            assert!(said.contains(why), "{said}");
            // One with less than two minutes to go serves while the issuer fails.
            host.answer([token("short", 60), answer]);
            assert_eq!(tokens.token(&source, &env).await, Ok(Secret::new("short")));
            assert_eq!(tokens.token(&source, &env).await, Ok(Secret::new("short")), "{why}");
            assert_eq!(host.asked().len(), 3, "{why}");
            // One that is over does not.
            host.answer([token("over", 0)]);
            tokens.place(&source).lock().await.take();
            assert_eq!(tokens.token(&source, &env).await, Ok(Secret::new("over")));
            host.answer([Answer::status(500, "")]);
            assert!(tokens.token(&source, &env).await.is_err(), "{why}");
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_silent_issuer_holds_up_nobody_else() {
        let env = Env::system();
        let (host, mut tokens) = issuing([Answer::Silence]).await;
        let authority = Authority::new();
        let other = Host::start(&authority.leaf(&["other.example"]), [token("quick", 3_600)]).await;
        tokens.web.patience_max = None;
        tokens.web.authorities.push(authority.certificate.clone());
        tokens.web.hosts.push(("other.example".to_owned(), other.address));
        let tokens = Arc::new(tokens);
        let (slow, quick) = (source("login.example"), source("other.example"));
        let waiting = tokio::spawn({
            let (tokens, env) = (Arc::clone(&tokens), env.clone());
            async move { tokens.token(&slow, &env).await }
        });
        while host.asked().is_empty() {
            tokio::task::yield_now().await;
        }
        assert_eq!(tokens.token(&quick, &env).await, Ok(Secret::new("quick")));
        assert!(!waiting.is_finished());
        waiting.abort();
    }
}
