//! Who may log in (SASL AUTH): passwords in a file, an LDAP server, tokens of an OIDC issuer.
//!
//! In: questions of an exchange. Out: yes, no, "not now", and the account with the addresses it was given.
//! Never: yes because nobody could be asked; an answer that takes longer for accounts that do not exist.

pub mod file;
mod issuer;
mod ldap;
mod throttle;
mod trust;

use std::future::Future;
use std::net::IpAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use tokio::sync::Semaphore;

use self::file::PasswordFile;
use self::issuer::Issuer;
use self::ldap::Server;
use self::throttle::Throttle;
use crate::env::Env;
use crate::limits::PASSWORDS_AT_ONCE_MAX;
use crate::listener::accounts::{Accounts, Told};
use crate::resolver::Login;
use crate::smtp::sasl::scram::ScramKeys;
use crate::smtp::sasl::{Answer, Mechanism, Mechanisms, Question, Secret};

pub use issuer::IssuerSettings;
pub use ldap::{Find, ServerSettings};

/// Who knows the accounts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AccountsSettings {
    /// File of passwords.
    pub password_file: Option<PathBuf>,
    /// LDAP server, asked for accounts that the file does not have.
    pub ldap: Option<ServerSettings>,
    /// OIDC issuer.
    pub issuer: Option<IssuerSettings>,
    /// Failures of one client after which it may not try.
    pub failures_max: u32,
    /// How long they count.
    pub failures_window: Duration,
    /// Time for one answer.
    pub time_limit: Duration,
}

/// Everybody who knows accounts, asked in turn.
pub struct KnownAccounts {
    file: Option<(PathBuf, ArcSwap<PasswordFile>)>,
    ldap: Option<Server>,
    issuer: Option<Issuer>,
    throttle: Throttle,
    time_limit: Duration,
    /// A hash takes its memory and a core: more at once would only take them from mail.
    hashing: Arc<Semaphore>,
    /// Key of the decoys; new with each start.
    decoy_key: [u8; 32],
    env: Env,
}

impl KnownAccounts {
    /// Reads the file and prepares the others; nobody is asked yet.
    pub fn new(settings: &AccountsSettings, env: Env) -> Result<Arc<Self>, String> {
        let file = match &settings.password_file {
            Some(path) => {
                let read = PasswordFile::read(path).map_err(|fault| fault.to_string())?;
                Some((path.clone(), ArcSwap::from_pointee(read)))
            }
            None => None,
        };
        let mut decoy_key = [0; 32];
        env.chance.fill(&mut decoy_key);
        Ok(Arc::new(Self {
            file,
            ldap: settings.ldap.as_ref().map(Server::new).transpose()?,
            issuer: settings
                .issuer
                .as_ref()
                .map(|issuer| Issuer::new(issuer, Arc::clone(&env.clock)))
                .transpose()?,
            throttle: Throttle::new(settings.failures_max, settings.failures_window),
            time_limit: settings.time_limit,
            hashing: Arc::new(Semaphore::new(PASSWORDS_AT_ONCE_MAX)),
            decoy_key,
            env,
        }))
    }

    /// Reads the file of passwords again; after a fault the accounts stay as they were.
    pub fn reread(&self) -> Result<(), String> {
        if let Some((path, kept)) = &self.file {
            let read = PasswordFile::read(path).map_err(|fault| fault.to_string())?;
            kept.store(Arc::new(read));
        }
        Ok(())
    }

    /// The account of a name as the file knows it; an LDAP server or issuer is not asked.
    #[must_use]
    pub fn login(&self, name: &str) -> Option<Login> {
        let stated = self.file.as_ref().and_then(|(_, file)| file.load().login(name));
        stated.or_else(|| Login::new(name, Vec::new()))
    }

    async fn password(&self, name: String, password: Secret) -> Told {
        let file = self.file.as_ref().map(|(_, file)| file.load_full());
        let is_known = file.as_ref().is_some_and(|file| file.login(&name).is_some());
        if let Some(file) = file.filter(|_| is_known || self.ldap.is_none()) {
            return self.hashed(file, name, password).await;
        }
        match &self.ldap {
            Some(server) => server.ask(&name, &password).await,
            None => refused(),
        }
    }

    async fn hashed(&self, file: Arc<PasswordFile>, name: String, password: Secret) -> Told {
        let Ok(permit) = Arc::clone(&self.hashing).acquire_owned().await else {
            return unavailable();
        };
        let login = file.login(&name);
        let check = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            file.verify(&name, &password)
        });
        match check.await {
            Ok(true) => Told {
                answer: Answer::Vouched,
                login,
            },
            Ok(false) => Told {
                answer: Answer::Refused,
                login,
            },
            Err(_) => unavailable(),
        }
    }

    fn keys(&self, name: &str) -> Told {
        let file = self.file.as_ref().map(|(_, file)| file.load_full());
        let known = file.as_ref().and_then(|file| file.keys(name));
        let mut nonce = [0; 18];
        self.env.chance.fill(&mut nonce);
        Told {
            answer: Answer::Keys {
                exists: known.is_some(),
                keys: known.unwrap_or_else(|| ScramKeys::decoy(name, &self.decoy_key)),
                nonce: BASE64.encode(nonce),
            },
            login: file.and_then(|file| file.login(name)),
        }
    }

    async fn told(&self, question: Question) -> Told {
        match question {
            Question::Password { name, password } => self.password(name, password).await,
            Question::Keys { name } => self.keys(&name),
            Question::Token { name, token } => match &self.issuer {
                Some(issuer) => issuer.ask(&name, &token).await,
                None => refused(),
            },
        }
    }
}

impl Accounts for Arc<KnownAccounts> {
    fn mechanisms(&self) -> Mechanisms {
        let mut found = Mechanisms::default();
        if self.file.is_some() || self.ldap.is_some() {
            found = found.with([Mechanism::Plain, Mechanism::Login]);
        }
        // Where an LDAP server knows accounts too, a client that chose SCRAM for one of them could not log in.
        if self.file.is_some() && self.ldap.is_none() {
            found = found.with([Mechanism::ScramSha256, Mechanism::ScramSha256Plus]);
        }
        if self.issuer.is_some() {
            found = found.with([Mechanism::OauthBearer, Mechanism::Xoauth2]);
        }
        found
    }

    fn may_try(&self, client: IpAddr) -> bool {
        self.throttle.may_try(client)
    }

    fn failed(&self, client: IpAddr) {
        self.throttle.failed(client);
    }

    fn answer(&self, question: Question) -> Pin<Box<dyn Future<Output = Told> + Send>> {
        let known = Arc::clone(self);
        Box::pin(async move {
            let told = tokio::time::timeout(known.time_limit, known.told(question)).await;
            told.unwrap_or_else(|_| unavailable())
        })
    }
}

fn refused() -> Told {
    Told {
        answer: Answer::Refused,
        login: None,
    }
}

fn unavailable() -> Told {
    Told {
        answer: Answer::Unavailable,
        login: None,
    }
}

#[cfg(test)]
mod tests;
