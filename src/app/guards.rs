//! Certificates and accounts of the running service: read at the start, and again when their files change.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::watch;

use crate::accounts::{AccountsSettings, Find, IssuerSettings, KnownAccounts, ServerSettings};
use crate::config::credentials::{LdapAccount, asks_for_certificates};
use crate::config::settings::{AccountSettings, Settings};
use crate::env::Env;
use crate::listener::Guards;
use crate::listener::accounts::Accounts;
use crate::listener::tls::{Acceptance, Certificates, ClientAuthorities};

/// How often the files are looked at. A certificate is replaced days before it expires.
const LOOKED_AT_EVERY: Duration = Duration::from_secs(20);

/// What guards the listeners.
#[derive(Clone, Default)]
pub struct ServiceGuards {
    certificates: Option<Arc<Certificates>>,
    acceptance: Option<Acceptance>,
    /// Who may log in.
    pub accounts: Option<Arc<KnownAccounts>>,
    files: Vec<PathBuf>,
}

impl ServiceGuards {
    /// Reads what the settings name.
    pub fn open(settings: &Settings, env: &Env) -> Result<Self, String> {
        let mut guards = Self::default();
        if !settings.certificates.is_empty() {
            let certificates = Certificates::read(settings.certificates.clone()).map_err(|fault| fault.to_string())?;
            let authorities = match &settings.client_authorities_file {
                _ if !asks_for_certificates(settings) => ClientAuthorities::none(),
                Some(path) => ClientAuthorities::read(path)?,
                None => ClientAuthorities::of_the_system(),
            };
            let acceptance = Acceptance::new(Arc::clone(&certificates), authorities);
            guards.acceptance = Some(acceptance.map_err(|fault| format!("TLS: {fault}"))?);
            for files in certificates.files() {
                guards.files.extend([files.chain.clone(), files.key.clone()]);
            }
            guards.certificates = Some(certificates);
        }
        if let Some(accounts) = &settings.accounts {
            guards.files.extend(accounts.password_file.clone());
            guards.accounts = Some(KnownAccounts::new(&accounts_settings(accounts), env.clone())?);
        }
        Ok(guards)
    }

    /// As listeners take them.
    #[must_use]
    pub fn of_listeners(&self) -> Guards {
        let accounts = self.accounts.clone();
        Guards {
            tls: self.acceptance.clone(),
            accounts: accounts.map(|accounts| Arc::new(accounts) as Arc<dyn Accounts>),
        }
    }

    /// Reads the files again; what cannot be read stays as it was, and is told.
    #[must_use]
    pub fn reread(&self) -> Vec<String> {
        let certificates = self
            .certificates
            .as_ref()
            .map(|each| each.reread().map_err(|fault| fault.to_string()));
        let accounts = self.accounts.as_ref().map(|each| each.reread());
        [certificates, accounts]
            .into_iter()
            .flatten()
            .filter_map(Result::err)
            .collect()
    }

    /// Watches the files until the service stops.
    pub async fn watch(self, mut stop: watch::Receiver<bool>) {
        if self.files.is_empty() {
            return;
        }
        let mut seen = self.stamps();
        let mut every = tokio::time::interval(LOOKED_AT_EVERY);
        loop {
            tokio::select! {
                _ = every.tick() => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
            let now = self.stamps();
            if now == seen {
                continue;
            }
            // A file of a pair that is being replaced may not fit the other yet: it is looked at again.
            let faults = self.reread();
            if faults.is_empty() {
                tracing::info!("certificates and accounts were read again");
                seen = now;
            }
            for fault in faults {
                tracing::warn!(fault, "certificates and accounts stay as they were");
            }
        }
    }

    fn stamps(&self) -> Vec<Option<(SystemTime, u64)>> {
        let stamp = |path: &PathBuf| {
            let metadata = std::fs::metadata(path).ok()?;
            Some((metadata.modified().ok()?, metadata.len()))
        };
        self.files.iter().map(stamp).collect()
    }
}

fn accounts_settings(settings: &AccountSettings) -> AccountsSettings {
    AccountsSettings {
        password_file: settings.password_file.clone(),
        ldap: settings.ldap.as_ref().map(|ldap| ServerSettings {
            url: ldap.url.clone(),
            authorities_file: ldap.authorities_file.clone(),
            plaintext: ldap.plaintext,
            find: match &ldap.account {
                LdapAccount::Dn(pattern) => Find::Dn(pattern.clone()),
                LdapAccount::Search { base, filter, bind } => Find::Search {
                    base: base.clone(),
                    filter: filter.clone(),
                    bind: bind.clone(),
                },
            },
            address_attribute: ldap.address_attribute.clone(),
        }),
        issuer: settings.oidc.as_ref().map(|oidc| IssuerSettings {
            issuer: oidc.issuer.clone(),
            audience: oidc.audience.clone(),
            keys_url: oidc.keys_url.clone(),
            name_claim: oidc.name_claim.clone(),
            authorities_file: oidc.authorities_file.clone(),
        }),
        failures_max: settings.failures_max,
        failures_window: settings.failures_window,
        time_limit: settings.time_limit,
    }
}
