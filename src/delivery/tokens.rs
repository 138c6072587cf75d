//! Who we are to next hops: passwords as they are, tokens fetched from their issuer (RFC 6749 §4.4).
//!
//! In: what settings say. Out: a [`SignIn`], or why there is none for now.
//! Never: more than one request for a token at once; a token used within `MARGIN` of its end; a secret in a log.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::sync::Mutex;

use super::opening::answer;
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
#[derive(Default)]
pub struct Tokens {
    known: Mutex<HashMap<Arc<TokenSource>, Token>>,
}

struct Token {
    secret: Secret,
    /// On the monotonic clock.
    good_until: Duration,
}

impl Tokens {
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

    /// The next hop did not take a token: it is fetched anew.
    pub async fn forget(&self, hop: &HopSignIn) {
        if let SignInProof::Token(source) = &hop.proof {
            self.known.lock().await.remove(source);
        }
    }

    async fn token(&self, source: &Arc<TokenSource>, env: &Env) -> Result<Secret, String> {
        // Held while it is fetched: who comes meanwhile wants the same token.
        let mut known = self.known.lock().await;
        let now = env.clock.monotonic();
        if let Some(token) = known.get(source).filter(|token| now + MARGIN < token.good_until) {
            return Ok(token.secret.clone());
        }
        let (secret, good_for) = fetch(source).await?;
        if known.len() >= TOKENS_MAX {
            known.clear();
        }
        let token = Token {
            secret: secret.clone(),
            good_until: now + good_for,
        };
        known.insert(Arc::clone(source), token);
        Ok(secret)
    }
}

async fn fetch(source: &TokenSource) -> Result<(Secret, Duration), String> {
    let client = reqwest::Client::builder()
        .timeout(ISSUER_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(|fault| fault.to_string())?;
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", source.client.as_str()),
        ("client_secret", source.secret.reveal()),
        ("scope", source.scope.as_str()),
    ];
    let mut response = client
        .post(&source.url)
        .form(&form)
        .send()
        .await
        .map_err(|fault| fault.without_url().to_string())?;
    let status = response.status();
    let mut octets = Vec::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|fault| fault.without_url().to_string())?
    {
        if octets.len() + chunk.len() > ANSWER_OCTETS_MAX {
            return Err("the answer is too long".to_owned());
        }
        octets.extend_from_slice(&chunk);
    }
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
}
