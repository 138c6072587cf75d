//! `[tls_reports]`: its keys, what holds without them, and what cannot work.

use serde_spanned::Spanned;

use super::check::stated;
use super::cross::{Checks, numbered, value};
use super::file::SettingsFile;
use super::settings::{Name, TlsReportSettings};
use super::signing::named_in;
use super::word::Names;
use crate::connectors::document::read::{keys, readable};
use crate::mail::Mailbox;

/// Longest name of an organisation, in octets.
const ORGANIZATION_OCTETS_MAX: usize = 200;

keys! {
    /// `[tls_reports]`
    TlsReports {
        /// Name of our organisation in reports to domains about TLS with their mail exchangers, where they ask for such
        /// reports: one a day for each (RFC 8460). Default: none, nothing is counted and nothing is sent.
        optional organization: String,
        /// Who answers for reports; they are sent in this name. Default: `postmaster`.
        optional contact: Mailbox,
        /// Signing keys whose DKIM signatures reports by mail bear: one name or a list. Default: none.
        /// Trap: receivers ignore reports without a signature of the contact's domain (RFC 8460 §3).
        optional dkim_sign: Names,
    }
}

readable! { TlsReports }

/// What the table says; none without an organisation.
pub(super) fn tls_reports(file: &SettingsFile) -> Option<TlsReportSettings> {
    let table = value(&file.tls_reports)?;
    Some(TlsReportSettings {
        organization: stated(&table.organization)?,
        contact: stated(&table.contact).or_else(|| stated(&file.postmaster))?,
        dkim_sign: super::signing::names(&table.dkim_sign),
    })
}

impl Checks<'_> {
    pub(super) fn tls_reports(&mut self) {
        let file = self.file;
        let Some(table) = value(&file.tls_reports) else { return };
        let known: Vec<&str> = numbered(&file.signing_keys)
            .filter_map(|(_, each)| value(&each.name).map(Name::as_str))
            .collect();
        let key = "tls_reports.dkim_sign";
        let signs = named_in(&table.dkim_sign);
        for name in signs {
            self.known_name(name, &known, key.to_owned(), "signing key");
        }
        let Some(organization) = &table.organization else {
            let beside = table.contact.as_ref().map(Spanned::span);
            if let Some(span) = beside.or(table.dkim_sign.as_ref().map(Spanned::span)) {
                let message = "without `organization` no reports are made";
                self.error(span, "tls_reports.organization", message);
            }
            return;
        };
        let name = organization.get_ref();
        if name.trim().is_empty() || name.len() > ORGANIZATION_OCTETS_MAX || name.chars().any(char::is_control) {
            let message = format!("expected a name of at most {ORGANIZATION_OCTETS_MAX} octets in one line");
            self.error(organization.span(), "tls_reports.organization", message);
        }
        let contact = value(&table.contact).or(value(&file.postmaster));
        let Some(domain) = contact.map(Mailbox::domain_key) else {
            return;
        };
        let fits = |name: &Spanned<Name>| {
            numbered(&file.signing_keys)
                .filter(|(_, each)| value(&each.name) == Some(name.get_ref()))
                .any(|(_, each)| value(&each.domain) == Some(&domain))
        };
        if !signs.iter().any(fits) {
            let span = table.dkim_sign.as_ref().map_or(organization.span(), Spanned::span);
            let message =
                format!("receivers ignore reports by mail without a DKIM signature of {domain} (RFC 8460 §3)");
            self.warn(span, key, message);
        }
    }
}
