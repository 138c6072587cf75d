//! HTTPS to others: policies, tokens, reports. One way to make clients, so that none follows redirects or waits for ever.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use rustls_pki_types::CertificateDer;

/// Whom HTTPS trusts and where it finds hosts, beside what the system knows.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Web {
    /// Authorities that count instead of the system's; empty: those of the system.
    pub authorities: Vec<CertificateDer<'static>>,
    /// Hosts that are not looked up in DNS, with their addresses.
    pub hosts: Vec<(String, SocketAddr)>,
    /// No answer is waited for longer than this, whatever it is.
    pub patience_max: Option<Duration>,
}

impl Web {
    /// A client that waits `timeout` for a whole answer and follows no redirect.
    pub fn client(&self, timeout: Duration) -> Result<reqwest::Client, String> {
        self.builder(timeout)?.build().map_err(|fault| fault.to_string())
    }

    /// The same for a URL that a stranger gave us: it is not to lead to what stands beside us.
    pub fn client_of_strangers(&self, timeout: Duration) -> Result<reqwest::Client, String> {
        let builder = self.builder(timeout)?.dns_resolver(OutsideOnly);
        builder.build().map_err(|fault| fault.to_string())
    }

    fn builder(&self, timeout: Duration) -> Result<reqwest::ClientBuilder, String> {
        let mut builder = reqwest::Client::builder()
            .https_only(true)
            .timeout(self.patience_max.map_or(timeout, |longest| longest.min(timeout)))
            .redirect(reqwest::redirect::Policy::none());
        if !self.authorities.is_empty() {
            let authorities = self.authorities.iter();
            let authorities = authorities.map(|certificate| reqwest::Certificate::from_der(certificate));
            let authorities = authorities.collect::<Result<Vec<_>, _>>();
            builder = builder.tls_certs_only(authorities.map_err(|fault| fault.to_string())?);
        }
        for (host, address) in &self.hosts {
            builder = builder.resolve(host, *address);
        }
        Ok(builder)
    }
}

/// Addresses that are not of the inside of a network.
struct OutsideOnly;

impl Resolve for OutsideOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let outside: Vec<SocketAddr> = found.filter(|address| is_outside(address.ip())).collect();
            if outside.is_empty() {
                return Err("it has no address outside".into());
            }
            Ok(Box::new(outside.into_iter()) as Addrs)
        })
    }
}

/// True of an address that anybody may be sent to: neither of this host nor of a network that is not routed.
fn is_outside(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(ip) => {
            let shared = ip.octets()[0] == 100 && (64..128).contains(&ip.octets()[1]);
            !(ip.is_loopback()
                || ip.is_private()
                || ip.is_link_local()
                || ip.is_unspecified()
                || ip.is_broadcast()
                || ip.is_multicast()
                || ip.is_documentation()
                || shared)
        }
        IpAddr::V6(ip) => {
            !(ip.is_loopback()
                || ip.is_unspecified()
                || ip.is_multicast()
                || ip.is_unique_local()
                || ip.is_unicast_link_local())
        }
    }
}

/// Reads an answer of at most `octets_max` octets.
pub async fn body(mut response: reqwest::Response, octets_max: usize) -> Result<Vec<u8>, Unread> {
    let mut octets = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(Unread::Broken)? {
        if octets.len() + chunk.len() > octets_max {
            return Err(Unread::TooLong);
        }
        octets.extend_from_slice(&chunk);
    }
    Ok(octets)
}

/// Why an answer was not read.
#[derive(Debug)]
pub enum Unread {
    /// The connection broke, or took too long.
    Broken(reqwest::Error),
    /// It is longer than anybody needs.
    TooLong,
}

/// What went wrong, in full and without the URL: the last word is mostly the cause.
#[must_use]
pub fn shown(fault: reqwest::Error) -> String {
    let fault = fault.without_url();
    let mut text = fault.to_string();
    let mut cause = std::error::Error::source(&fault);
    while let Some(deeper) = cause {
        let said = deeper.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = deeper.source();
    }
    text
}

/// True if the other side showed a certificate that is not the right one.
#[must_use]
pub fn is_mistrust(fault: &(dyn std::error::Error + 'static)) -> bool {
    if let Some(rustls) = fault.downcast_ref::<rustls::Error>() {
        return matches!(rustls, rustls::Error::InvalidCertificate(_));
    }
    // An error within `std::io::Error` is left out of the chain of sources; it has to be asked for.
    let within = fault.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    within.is_some_and(|within| is_mistrust(within)) || fault.source().is_some_and(is_mistrust)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_lead_outside_only() {
        for (address, outside) in [
            ("8.8.8.8", true),
            ("2a00:1450::1", true),
            ("127.0.0.1", false),
            ("::ffff:127.0.0.1", false),
            ("10.1.2.3", false),
            ("100.64.0.1", false),
            ("169.254.169.254", false),
            ("0.0.0.0", false),
            ("::1", false),
            ("fd00::1", false),
            ("fe80::1", false),
        ] {
            assert_eq!(is_outside(address.parse().expect("an address")), outside, "{address}");
        }
    }
}
