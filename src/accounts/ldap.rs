//! Accounts of an LDAP server: whoever can bind with the password is the account (RFC 4513 §5.1.3).
//!
//! Never: a bind without a password, which servers answer with success (RFC 4513 §5.1.2); a password without TLS,
//! unless the settings say so.

use std::path::PathBuf;
use std::sync::Arc;

use ldap3::{Ldap, LdapConnAsync, LdapConnSettings, LdapError, LdapResult, Scope, SearchEntry, dn_escape, ldap_escape};

use super::{refused, trust, unavailable};
use crate::listener::accounts::Told;
use crate::resolver::{AddressPattern, Login};
use crate::smtp::sasl::{Answer, Secret};

/// invalidCredentials (RFC 4511 §A.1).
const INVALID_CREDENTIALS: u32 = 49;
const NO_SUCH_OBJECT: u32 = 32;

/// An LDAP server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServerSettings {
    /// `ldaps://…`, or `ldap://…` with STARTTLS.
    pub url: String,
    /// Who vouches for it; none: the system's authorities.
    pub authorities_file: Option<PathBuf>,
    /// `ldap://` without STARTTLS.
    pub plaintext: bool,
    /// How an account is found.
    pub find: Find,
    /// Attribute with the addresses that an account may send as.
    pub address_attribute: String,
}

/// From the name of an account to its DN.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Find {
    /// A DN with `{name}`.
    Dn(String),
    /// A search.
    Search {
        /// Where.
        base: String,
        /// Filter with `{name}`.
        filter: String,
        /// DN and password file of who searches; none: anonymous.
        bind: Option<(String, Option<PathBuf>)>,
    },
}

/// The server, to be asked.
pub(super) struct Server {
    settings: ServerSettings,
    connection: LdapConnSettings,
}

/// Why there is no yes.
enum No {
    /// No such account, or another password.
    Refused,
    /// The server did not say.
    Unavailable(String),
}

impl From<LdapError> for No {
    fn from(error: LdapError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl Server {
    pub(super) fn new(settings: &ServerSettings) -> Result<Self, String> {
        let tls = trust::config(settings.authorities_file.as_deref())?;
        let starttls = settings.url.starts_with("ldap://") && !settings.plaintext;
        Ok(Self {
            settings: settings.clone(),
            connection: LdapConnSettings::new().set_config(Arc::new(tls)).set_starttls(starttls),
        })
    }

    pub(super) async fn ask(&self, name: &str, password: &Secret) -> Told {
        match self.login(name, password).await {
            Ok(login) => Told {
                answer: Answer::Vouched,
                login: Some(login),
            },
            Err(No::Refused) => refused(),
            Err(No::Unavailable(why)) => {
                tracing::warn!(server = self.settings.url, why, "accounts cannot be asked for");
                unavailable()
            }
        }
    }

    async fn login(&self, name: &str, password: &Secret) -> Result<Login, No> {
        if password.reveal().is_empty() {
            return Err(No::Refused);
        }
        let (connection, mut ldap) = LdapConnAsync::with_settings(self.connection.clone(), &self.settings.url).await?;
        tokio::spawn(async move {
            if let Err(error) = connection.drive().await {
                tracing::debug!(%error, "connection to the LDAP server ended");
            }
        });
        let (dn, found) = self.find(&mut ldap, name).await?;
        success(ldap.simple_bind(&dn, password.reveal()).await?)?;
        let addresses = match found {
            Some(addresses) => addresses,
            // Only now may the account be read.
            None => self
                .addresses(&mut ldap, &dn, Scope::Base, "(objectClass=*)")
                .await?
                .map_or_else(Vec::new, |(_, list)| list),
        };
        let _ = ldap.unbind().await;
        let patterns = addresses.iter().filter_map(|text| text.parse::<AddressPattern>().ok());
        // A server's word gives addresses, not all there are.
        let patterns = patterns.filter(|pattern| matches!(pattern, AddressPattern::One(_)));
        Login::new(name, patterns.collect()).ok_or(No::Refused)
    }

    async fn find(&self, ldap: &mut Ldap, name: &str) -> Result<(String, Option<Vec<String>>), No> {
        let (base, filter, bind) = match &self.settings.find {
            Find::Dn(pattern) => return Ok((pattern.replace("{name}", &dn_escape(name)), None)),
            Find::Search { base, filter, bind } => (base, filter, bind),
        };
        if let Some((dn, file)) = bind {
            let password = match file {
                Some(path) => std::fs::read_to_string(path)
                    .map_err(|fault| No::Unavailable(format!("{}: {fault}", path.display())))?,
                None => String::new(),
            };
            let bound = ldap.simple_bind(dn, password.trim_end_matches(['\r', '\n'])).await?;
            bound
                .success()
                .map_err(|fault| No::Unavailable(format!("searching as {dn}: {fault}")))?;
        }
        let filter = filter.replace("{name}", &ldap_escape(name));
        let found = self.addresses(ldap, base, Scope::Subtree, &filter).await?;
        found.map(|(dn, list)| (dn, Some(list))).ok_or(No::Refused)
    }

    /// The only entry of a search with its addresses; none if there is none, or more than one.
    async fn addresses(
        &self,
        ldap: &mut Ldap,
        base: &str,
        scope: Scope,
        filter: &str,
    ) -> Result<Option<(String, Vec<String>)>, No> {
        let attribute = self.settings.address_attribute.as_str();
        let searched = ldap.search(base, scope, filter, vec![attribute]).await?;
        if searched.1.rc == NO_SUCH_OBJECT {
            return Ok(None);
        }
        let (entries, _) = searched.success()?;
        let mut entries = entries
            .into_iter()
            .filter(|entry| !entry.is_ref())
            .map(SearchEntry::construct);
        let (Some(mut only), None) = (entries.next(), entries.next()) else {
            return Ok(None);
        };
        let known = only
            .attrs
            .keys()
            .find(|key| key.eq_ignore_ascii_case(attribute))
            .cloned();
        let list = known.and_then(|key| only.attrs.remove(&key)).unwrap_or_default();
        Ok(Some((only.dn, list)))
    }
}

fn success(result: LdapResult) -> Result<(), No> {
    match result.rc {
        0 => Ok(()),
        INVALID_CREDENTIALS | NO_SUCH_OBJECT => Err(No::Refused),
        _ => Err(No::Unavailable(result.to_string())),
    }
}
