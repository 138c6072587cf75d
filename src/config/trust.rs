//! Trusted networks: what they trust too widely, and whose mail comes from those that many share.

use serde_spanned::Spanned;

use super::cross::{Checks, numbered, value};
use super::defaults;
use super::listen::TrustedNetwork;
use super::settings::{Name, TenancySettings, Token};
use crate::connectors::document::units::Network;
use crate::resolver::network::is_exchange_online;

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
            self.tenancy(each, &key);
            for name in each.listeners.iter().flat_map(|list| list.get_ref()) {
                self.known_name(name, &known, format!("{key}.listeners"), "listener");
            }
        }
    }

    /// A shared network needs a word of whose mail it brings.
    fn tenancy(&mut self, network: &TrustedNetwork, key: &str) {
        let provider = numbered(&network.networks).find(|(_, each)| is_provider(each));
        let span = network.networks.as_ref().map_or(0..0, Spanned::span);
        match (&network.shared, provider) {
            (Some(shared), Some((_, range))) if !*shared.get_ref() => {
                let message = format!("all customers of Exchange Online send from {range}, so it is shared");
                self.error(shared.span(), format!("{key}.shared"), message);
            }
            (None, Some((_, range))) if !names_tenant(network) => {
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
