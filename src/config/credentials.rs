//! `[[certificates]]`, `[tls]` and `[accounts]`: their keys; what holds without them, and what cannot work.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_spanned::Spanned;

use super::check::{or, stated};
use super::cross::{Checks, numbered, value};
use super::file::SettingsFile;
use super::finding::{Findings, Severity};
use super::listen::Listener;
use super::settings::Settings;
use super::word::{ListenerAuth, ListenerTls, Role};
use crate::accounts::file::PasswordFile;
use crate::connectors::document::Fault;
use crate::connectors::document::read::{Faults, Read as _, keys, readable};
use crate::limits;
use crate::listener::tls::{CertificateFault, CertificateFiles, Certificates, ClientAuthorities};

keys! {
    /// `[[certificates]]`
    Certificate {
        /// The certificate in PEM form, behind it those between it and its authority. A relative path starts at the
        /// settings file. Required. Read again when the file changes; sessions that stand go on.
        /// Trap: without the certificates in between, most servers believe it and some do not.
        required certificate_file: PathBuf,
        /// Its private key in PEM form. A relative path starts at the settings file. Required.
        required key_file: PathBuf,
    }

    /// `[tls]`
    Tls {
        /// Authorities whose word on client certificates counts, in PEM form. A relative path starts at the settings
        /// file. Default: those of the system.
        optional client_authorities_file: PathBuf,
    }

    /// `[accounts]`
    Accounts {
        /// File of accounts with their passwords; `muster password` makes its lines. A relative path starts at the
        /// settings file. Read again when it changes. Default: none.
        /// Trap: nobody but the service may read it.
        optional password_file: PathBuf,
        /// Accounts of an LDAP server: whoever can bind with the password is the account.
        optional ldap: AccountsLdap,
        /// Accounts of an OIDC issuer: whoever has a token of it is the account (OAUTHBEARER, XOAUTH2).
        optional oidc: AccountsOidc,
        /// Failures of one client (IPv4 address or IPv6 /64) within `failures_window` after which it may not try.
        /// Default: 10. Trap: all clients behind one address translation share it.
        optional failures_max: u32,
        /// See `failures_max`. Default: 10m.
        optional failures_window: Duration,
        /// Time for the answer to one authentication; then the client is told to try later (454). Default: 10s.
        optional time_limit: Duration,
    }

    /// `[accounts.ldap]`
    AccountsLdap {
        /// `ldaps://ldap.contoso.example` or `ldap://…`, which is asked for STARTTLS. Required.
        required url: String,
        /// Authorities in PEM form that vouch for the server. A relative path starts at the settings file. Default:
        /// those of the system.
        optional authorities_file: PathBuf,
        /// Whether an `ldap://` server is spoken to without TLS. Default: false. Trap: passwords can be read on the way.
        optional plaintext: bool,
        /// DN that accounts bind as, `{name}` standing for the account: `uid={name},ou=people,dc=contoso,dc=example`.
        /// Default: none, accounts are searched for.
        optional user_dn: String,
        /// Where accounts are searched. Default: none; needed without `user_dn`.
        optional search_base: String,
        /// Filter of the search, `{name}` standing for the account. Default: `(mail={name})`.
        optional search_filter: String,
        /// DN that searches bind as. Default: anonymous.
        optional bind_dn: String,
        /// File with the password of `bind_dn`. A relative path starts at the settings file. Default: none.
        optional bind_password_file: PathBuf,
        /// Attribute with the addresses that an account may send as. Default: `mail`.
        optional address_attribute: String,
    }

    /// `[accounts.oidc]`
    AccountsOidc {
        /// The issuer (`iss`): `https://login.microsoftonline.com/TENANT/v2.0`. Required.
        required issuer: String,
        /// Who tokens must be for (`aud`). Required.
        /// Trap: without the right one, a token that a user gave another service would do here.
        required audience: String,
        /// Where the issuer's keys are (JWKS). Default: where its `/.well-known/openid-configuration` says.
        optional keys_url: String,
        /// Claim that names the account. Default: `email`. In Entra `preferred_username` or `upn`.
        /// Trap: a claim that users can change themselves lets them be anybody.
        optional name_claim: String,
        /// Authorities in PEM form that vouch for the issuer. A relative path starts at the settings file. Default:
        /// those of the system.
        optional authorities_file: PathBuf,
    }
}

readable! { Certificate Tls Accounts AccountsLdap AccountsOidc }

/// Who knows the accounts; all paths are whole.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AccountSettings {
    /// File of passwords.
    pub password_file: Option<PathBuf>,
    /// LDAP server.
    pub ldap: Option<LdapSettings>,
    /// OIDC issuer.
    pub oidc: Option<OidcSettings>,
    /// Failures of one client.
    pub failures_max: u32,
    /// Time in which they are counted.
    pub failures_window: Duration,
    /// Time for one answer.
    pub time_limit: Duration,
}

/// `[accounts.ldap]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LdapSettings {
    /// Server.
    pub url: String,
    /// Who vouches for it; none: the system's authorities.
    pub authorities_file: Option<PathBuf>,
    /// Whether `ldap://` stays without TLS.
    pub plaintext: bool,
    /// How an account becomes a DN.
    pub account: LdapAccount,
    /// Attribute with addresses.
    pub address_attribute: String,
}

/// From an account to its DN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LdapAccount {
    /// By a pattern with `{name}`.
    Dn(String),
    /// By a search.
    Search {
        /// Where.
        base: String,
        /// With `{name}`.
        filter: String,
        /// DN and password file of who searches.
        bind: Option<(String, Option<PathBuf>)>,
    },
}

/// `[accounts.oidc]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OidcSettings {
    /// `iss`.
    pub issuer: String,
    /// `aud`.
    pub audience: String,
    /// JWKS; none: where the issuer's discovery says.
    pub keys_url: Option<String>,
    /// Claim with the account.
    pub name_claim: String,
    /// Who vouches for it; none: the system's authorities.
    pub authorities_file: Option<PathBuf>,
}

/// Certificates in the order of the settings.
pub(super) fn certificates(
    stated_here: &Option<Spanned<Vec<Spanned<Certificate>>>>,
    folder: &Path,
) -> Option<Vec<CertificateFiles>> {
    let each = numbered(stated_here).map(|(_, each)| {
        Some(CertificateFiles {
            chain: folder.join(value(&each.certificate_file)?),
            key: folder.join(value(&each.key_file)?),
        })
    });
    each.collect()
}

/// What `[accounts]` says, with defaults. `None` only if a required key is missing.
pub(super) fn accounts(table: &Accounts, folder: &Path) -> Option<AccountSettings> {
    let ldap = match value(&table.ldap) {
        Some(ldap) => Some(ldap_settings(ldap, folder)?),
        None => None,
    };
    let oidc = match value(&table.oidc) {
        Some(oidc) => Some(OidcSettings {
            issuer: stated(&oidc.issuer)?,
            audience: stated(&oidc.audience)?,
            keys_url: stated(&oidc.keys_url),
            name_claim: or(&oidc.name_claim, "email".to_owned()),
            authorities_file: value(&oidc.authorities_file).map(|path| folder.join(path)),
        }),
        None => None,
    };
    Some(AccountSettings {
        password_file: value(&table.password_file).map(|path| folder.join(path)),
        ldap,
        oidc,
        failures_max: or(&table.failures_max, limits::AUTH_FAILURES_MAX),
        failures_window: or(&table.failures_window, limits::AUTH_FAILURES_WINDOW),
        time_limit: or(&table.time_limit, limits::AUTH_TIME_MAX),
    })
}

fn ldap_settings(ldap: &AccountsLdap, folder: &Path) -> Option<LdapSettings> {
    let account = match value(&ldap.user_dn) {
        Some(pattern) => LdapAccount::Dn(pattern.clone()),
        None => LdapAccount::Search {
            base: or(&ldap.search_base, String::new()),
            filter: or(&ldap.search_filter, "(mail={name})".to_owned()),
            bind: stated(&ldap.bind_dn).map(|dn| (dn, value(&ldap.bind_password_file).map(|path| folder.join(path)))),
        },
    };
    Some(LdapSettings {
        url: stated(&ldap.url)?,
        authorities_file: value(&ldap.authorities_file).map(|path| folder.join(path)),
        plaintext: or(&ldap.plaintext, false),
        account,
        address_attribute: or(&ldap.address_attribute, "mail".to_owned()),
    })
}

/// TLS of a listener that does not say: offered where there is a certificate, and for mail clients required.
pub(super) fn tls_mode(listener: &Listener, has_certificates: bool) -> ListenerTls {
    let default = match value(&listener.role) {
        _ if !has_certificates => ListenerTls::Off,
        Some(Role::Submission) => ListenerTls::Required,
        Some(Role::Inbound | Role::Relay) | None => ListenerTls::Offered,
    };
    or(&listener.tls, default)
}

/// AUTH of a listener that does not say: never at an MX, where only guessers use it.
pub(super) fn auth_mode(listener: &Listener, has_accounts: bool) -> ListenerAuth {
    let default = match value(&listener.role) {
        Some(Role::Submission) => ListenerAuth::Required,
        Some(Role::Relay) if has_accounts => ListenerAuth::Offered,
        Some(Role::Relay | Role::Inbound) | None => ListenerAuth::Off,
    };
    or(&listener.auth, default)
}

impl Checks<'_> {
    pub(super) fn credentials(&mut self) {
        let file = self.file;
        let has_certificates = numbered(&file.certificates).next().is_some();
        let has_accounts = file.accounts.is_some();
        for (index, each) in numbered(&file.listeners) {
            let span = each.name.as_ref().map_or(0..0, Spanned::span);
            let tls = tls_mode(each, has_certificates);
            if tls != ListenerTls::Off && !has_certificates {
                let span = each.tls.as_ref().map_or(span.clone(), Spanned::span);
                self.error(
                    span,
                    format!("listeners[{index}].tls"),
                    "TLS needs a certificate: state [[certificates]]",
                );
            }
            let auth = auth_mode(each, has_accounts);
            if auth == ListenerAuth::Off {
                continue;
            }
            let span = each.auth.as_ref().map_or(span, Spanned::span);
            let key = format!("listeners[{index}].auth");
            if !has_accounts {
                self.error(
                    span,
                    key,
                    "AUTH needs somebody who knows the accounts: state [accounts]",
                );
            } else if tls == ListenerTls::Off && !or(&each.auth_in_plaintext, false) {
                let message = "AUTH is offered within TLS only, and this listener has none: state [[certificates]]";
                self.error(span, key, message);
            }
        }
        if let Some(accounts) = value(&file.accounts) {
            self.accounts(accounts);
        }
    }

    fn accounts(&mut self, accounts: &Accounts) {
        self.at_least_one(&accounts.failures_max, "accounts.failures_max".into());
        self.positive(&accounts.failures_window, "accounts.failures_window".into());
        self.positive(&accounts.time_limit, "accounts.time_limit".into());
        let span = self.file.accounts.as_ref().map_or(0..0, Spanned::span);
        if accounts.password_file.is_none() && accounts.ldap.is_none() && accounts.oidc.is_none() {
            let message = "nobody knows an account: state `password_file`, [accounts.ldap] or [accounts.oidc]";
            self.error(span, "accounts", message);
        }
        if let Some(stated) = &accounts.ldap {
            self.ldap(stated.get_ref());
        }
        let urls = value(&accounts.oidc)
            .into_iter()
            .flat_map(|oidc| [&oidc.issuer, &oidc.keys_url]);
        for url in urls.flatten() {
            if !url.get_ref().starts_with("https://") {
                let message = "keys that anybody on the way could change prove nothing: it must begin with https://";
                self.error(url.span(), "accounts.oidc", message);
            }
        }
    }

    fn ldap(&mut self, ldap: &AccountsLdap) {
        if let Some(url) = &ldap.url
            && !["ldap://", "ldaps://"]
                .iter()
                .any(|scheme| url.get_ref().starts_with(scheme))
        {
            self.error(
                url.span(),
                "accounts.ldap.url",
                "it must begin with ldaps:// or ldap://",
            );
        }
        let span = ldap.url.as_ref().map_or(0..0, Spanned::span);
        if ldap.user_dn.is_none() && ldap.search_base.is_none() {
            let message = "from a name to an account: state `user_dn` or `search_base`";
            self.error(span, "accounts.ldap", message);
        }
        for (pattern, key) in [(&ldap.user_dn, "user_dn"), (&ldap.search_filter, "search_filter")] {
            if let Some(pattern) = pattern.as_ref().filter(|pattern| !pattern.get_ref().contains("{name}")) {
                self.error(
                    pattern.span(),
                    format!("accounts.ldap.{key}"),
                    "`{name}` has to stand for the account",
                );
            }
        }
    }
}

/// Certificates and accounts that cannot be read are found now rather than by the first client.
pub(super) fn look_at_files(settings: &Settings, source: &str, findings: &mut Findings) {
    let mut say = |path: &str, place: &dyn Fn(&SettingsFile) -> Option<Range<usize>>, message: String| {
        let fault = Fault {
            span: stated_at(source, place),
            path: path.to_owned(),
            message,
            suggestion: None,
        };
        findings.push(Severity::Error, fault);
    };
    for (index, files) in settings.certificates.iter().enumerate() {
        if let Err(fault) = Certificates::read(vec![files.clone()]) {
            let place = |file: &SettingsFile| {
                let stated = file.certificates.as_ref()?.get_ref().get(index)?.get_ref();
                let of_key = matches!(&fault, CertificateFault::File { path, .. } if *path == files.key);
                let stated = if of_key {
                    &stated.key_file
                } else {
                    &stated.certificate_file
                };
                stated.as_ref().map(Spanned::span)
            };
            say(&format!("certificates[{index}]"), &place, fault.to_string());
        }
    }
    if let Some(path) = &settings.client_authorities_file
        && let Err(fault) = ClientAuthorities::read(path)
    {
        let place = |file: &SettingsFile| {
            let stated = &file.tls.as_ref()?.get_ref().client_authorities_file;
            stated.as_ref().map(Spanned::span)
        };
        say("tls.client_authorities_file", &place, fault);
    }
    let file = settings
        .accounts
        .as_ref()
        .and_then(|accounts| accounts.password_file.as_ref());
    if let Some(path) = file
        && let Err(fault) = PasswordFile::read(path)
    {
        let place = |file: &SettingsFile| {
            let stated = &file.accounts.as_ref()?.get_ref().password_file;
            stated.as_ref().map(Spanned::span)
        };
        say("accounts.password_file", &place, fault.to_string());
    }
    findings.sort();
}

/// Where the settings name something.
fn stated_at(source: &str, place: &dyn Fn(&SettingsFile) -> Option<Range<usize>>) -> Range<usize> {
    let (root, syntax) = crate::connectors::document::parse_toml(source);
    let file = SettingsFile::read(&root, "", &mut Faults::of_syntax(syntax));
    file.and_then(|file| place(&file)).unwrap_or(0..0)
}

/// True if a trusted network of these settings is known by its certificate.
#[must_use]
pub fn asks_for_certificates(settings: &Settings) -> bool {
    settings
        .trusted_networks
        .iter()
        .any(|network| !network.certificates.is_empty())
}
