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
    keys: Mutex<Option<Keys>>,
    clock: Arc<dyn Clock>,
}

#[derive(Clone)]
struct Keys {
    set: Arc<JwkSet>,
    /// By the clock that only runs on.
    seen: Duration,
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
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|fault| fault.to_string())?;
        Ok(Self {
            settings: settings.clone(),
            http,
            keys: Mutex::new(None),
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
        let found = kept.as_ref().and_then(|keys| pick(&keys.set, id));
        let age = kept.as_ref().map(|keys| now.saturating_sub(keys.seen));
        let asks = match (age, &found) {
            (None, _) => true,
            (Some(age), Some(_)) => age > KEYS_KEPT,
            (Some(age), None) => age > KEYS_ASKED_EVERY,
        };
        if !asks {
            return Ok(found);
        }
        match self.read_keys().await {
            Ok(set) => {
                let set = Arc::new(set);
                *kept = Some(Keys {
                    set: Arc::clone(&set),
                    seen: now,
                });
                Ok(pick(&set, id))
            }
            // Keys that were good an hour ago are better than nobody logging in.
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
