//! Trusted networks: what they trust too widely, and whose mail comes from those that many share.

use serde_spanned::Spanned;

use super::credentials::tls_mode;
use super::cross::{Checks, numbered, value};
use super::defaults;
use super::listen::TrustedNetwork;
use super::settings::{Name, TenancySettings, Token};
use super::word::ListenerTls;
use crate::connectors::document::Node;
use crate::connectors::document::read::{Faults, Read, text_by};
use crate::connectors::document::units::Network;
use crate::resolver::CertificateName;
use crate::resolver::network::{is_exchange_online, is_exchange_online_name};

impl Checks<'_> {
    pub(super) fn trusted_networks(&mut self) {
        let known: Vec<&str> = numbered(&self.file.listeners)
            .filter_map(|(_, each)| value(&each.name).map(Name::as_str))
            .collect();
        for (index, each) in numbered(&self.file.trusted_networks) {
            let key = format!("trusted_networks[{index}]");
            for network in each.networks.iter().flat_map(|list| list.get_ref()) {
                if is_wide(network.get_ref()) {
                    let message = format!(
                        "{} trusts a large part of the Internet: whoever connects from there counts as internal",
                        network.get_ref()
                    );
                    self.warn(network.span(), format!("{key}.networks"), message);
                }
            }
            for (list, span, name) in [
                (
                    each.networks.as_ref().map(|list| list.get_ref().is_empty()),
                    each.networks.as_ref().map(Spanned::span),
                    "networks",
                ),
                (
                    each.certificate_names.as_ref().map(|list| list.get_ref().is_empty()),
                    each.certificate_names.as_ref().map(Spanned::span),
                    "certificate_names",
                ),
                (
                    each.listeners.as_ref().map(|list| list.get_ref().is_empty()),
                    each.listeners.as_ref().map(Spanned::span),
                    "listeners",
                ),
            ] {
                if let (Some(true), Some(span)) = (list, span)
                    && !self.findings.has_errors()
                {
                    self.error(span, format!("{key}.{name}"), "at least one is needed");
                }
            }
            let states_none = each.networks.is_none() && each.certificate_names.is_none();
            // One that cannot be read is a finding already.
            if states_none && !self.findings.has_errors() {
                let span = each.name.as_ref().map_or(0..0, Spanned::span);
                let message = "who is trusted? State `networks`, `certificate_names`, or both";
                self.error(span, format!("{key}.networks"), message);
            }
            self.certificates(each, &key);
            self.tenancy(each, &key);
            for name in each.listeners.iter().flat_map(|list| list.get_ref()) {
                self.known_name(name, &known, format!("{key}.listeners"), "listener");
            }
        }
    }

    /// Certificates are seen within TLS only.
    fn certificates(&mut self, network: &TrustedNetwork, key: &str) {
        let Some(stated) = &network.certificate_names else {
            return;
        };
        let has_certificates = numbered(&self.file.certificates).next().is_some();
        for name in network.listeners.iter().flat_map(|list| list.get_ref()) {
            let listener = numbered(&self.file.listeners).find(|(_, each)| value(&each.name) == Some(name.get_ref()));
            if let Some((_, listener)) = listener
                && tls_mode(listener, has_certificates) == ListenerTls::Off
            {
                let message = format!(
                    "listener \"{}\" has no TLS, so no client shows it a certificate",
                    name.get_ref()
                );
                self.error(stated.span(), format!("{key}.certificate_names"), message);
            }
        }
    }

    /// A shared network needs a word of whose mail it brings.
    fn tenancy(&mut self, network: &TrustedNetwork, key: &str) {
        let by_address = numbered(&network.networks)
            .find(|(_, each)| is_provider(each))
            .map(|(_, each)| each.to_string());
        let by_name = || {
            numbered(&network.certificate_names)
                .find(|(_, each)| is_exchange_online_name(each))
                .map(|(_, each)| each.to_string())
        };
        let provider = by_address.or_else(by_name);
        let span = network
            .networks
            .as_ref()
            .map(Spanned::span)
            .or_else(|| network.certificate_names.as_ref().map(Spanned::span))
            .unwrap_or(0..0);
        match (&network.shared, provider) {
            (Some(shared), Some(range)) if !*shared.get_ref() => {
                let message = format!("all customers of Exchange Online send from {range}, so it is shared");
                self.error(shared.span(), format!("{key}.shared"), message);
            }
            (None, Some(range)) if !names_tenant(network) => {
                let message = format!(
                    "all customers of Exchange Online send from {range}: state your `tenant`, or every one of them \
                     counts as internal"
                );
                self.error(span, format!("{key}.networks"), message);
            }
            (Some(shared), _) if *shared.get_ref() && !names_tenant(network) => {
                let message = "a shared network proves nothing without `tenant` or `tenant_signature`";
                self.error(shared.span(), format!("{key}.shared"), message);
            }
            (Some(shared), _) if !*shared.get_ref() && names_tenant(network) => {
                let message =
                    "a tenant says which mail of a shared network is yours; this one is stated not to be shared";
                self.error(shared.span(), format!("{key}.shared"), message);
            }
            (Some(_) | None, _) => {}
        }
        if let (Some(field), None) = (&network.tenant_field, &network.tenant) {
            let message = "the field is looked at only for a `tenant`";
            self.error(field.span(), format!("{key}.tenant_field"), message);
        }
    }
}

impl Read for CertificateName {
    fn read(node: &Node, path: &str, faults: &mut Faults) -> Option<Self> {
        let what = "the name of a certificate such as \"mail.contoso.example\" or \"*.contoso.example\"";
        text_by(node, path, faults, what, |text| {
            let meant = || Self::parse(text.trim().trim_end_matches('.')).map(|name| name.to_string());
            Self::parse(text).ok_or_else(meant)
        })
    }
}

/// A large part of the Internet, not a provider.
fn is_wide(network: &Network) -> bool {
    network.prefix < if network.first.is_ipv4() { 8 } else { 16 }
}

fn is_provider(network: &Network) -> bool {
    let range = network.to_string().parse();
    !is_wide(network) && range.is_ok_and(|range| is_exchange_online(&range))
}

fn names_tenant(network: &TrustedNetwork) -> bool {
    network.tenant.is_some() || value(&network.tenant_signature) == Some(&true)
}

/// What must come on top of the addresses of a network that was checked.
pub(super) fn tenancy(network: &TrustedNetwork) -> Option<TenancySettings> {
    if !names_tenant(network) {
        return None;
    }
    let field = || Token(defaults::TENANT_FIELD.into());
    let stamp = value(&network.tenant).map(|tenant| {
        (
            value(&network.tenant_field).cloned().unwrap_or_else(field),
            tenant.clone(),
        )
    });
    Some(TenancySettings {
        stamp,
        signature: value(&network.tenant_signature) == Some(&true),
    })
}
