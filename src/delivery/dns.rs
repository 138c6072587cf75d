//! DNS as mail uses it: mail exchangers and addresses (RFC 5321 §5.1).
//!
//! Never: a permanent answer out of a temporary fault. Only a name server's own word that a domain or record
//! does not exist is permanent; timeouts, SERVFAIL, loops, truncation and everything else wait.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig, ResolverOpts};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData, Record};
use hickory_resolver::{Resolver, TokioResolver};

use crate::routing::MailExchanger;

/// Why a look-up gave nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DnsFault {
    /// The name does not exist.
    NoSuchName,
    /// The name exists and has no such record, on the authority of its zone (RFC 2308 §2.2).
    NoSuchRecord,
    /// The answer was empty and nobody's word: also what a CNAME loop looks like.
    Empty,
    /// No usable answer for now.
    Temporary(String),
}

/// The resolver.
#[derive(Clone)]
pub struct Dns {
    resolver: Option<TokioResolver>,
}

impl Dns {
    /// The system's name servers, or the given ones. If the system has no usable settings every look-up is a
    /// temporary fault.
    #[must_use]
    pub fn new(name_servers: &[SocketAddr], timeout: Duration) -> Self {
        Self {
            resolver: resolver(name_servers, timeout),
        }
    }

    fn resolver(&self) -> Result<&TokioResolver, DnsFault> {
        let none = || DnsFault::Temporary("the system has no usable name server settings".to_owned());
        self.resolver.as_ref().ok_or_else(none)
    }

    /// MX records of a domain. A null MX is one with an empty host.
    pub async fn exchangers(&self, domain: &str) -> Result<Vec<MailExchanger>, DnsFault> {
        let found = self.resolver()?.mx_lookup(absolute(domain)).await.map_err(fault)?;
        let records = found.answers().iter().filter_map(|record| match &record.data {
            RData::MX(mx) => Some(MailExchanger {
                preference: mx.preference,
                host: mx.exchange.to_ascii().trim_end_matches('.').to_owned(),
            }),
            _ => None,
        });
        let records: Vec<MailExchanger> = records.collect();
        if records.is_empty() {
            Err(DnsFault::Empty)
        } else {
            Ok(records)
        }
    }

    /// IPv4 addresses of a name: what lists of addresses answer with.
    pub async fn ipv4(&self, name: &str) -> Result<Vec<IpAddr>, DnsFault> {
        let found = self.resolver()?.ipv4_lookup(absolute(name)).await.map_err(fault)?;
        let addresses = found.answers().iter().filter_map(|record| match &record.data {
            RData::A(a) => Some(IpAddr::V4(a.0)),
            _ => None,
        });
        some(addresses.collect())
    }

    /// TXT records of a name, each as one text.
    pub async fn texts(&self, name: &str) -> Result<Vec<String>, DnsFault> {
        let found = self.resolver()?.txt_lookup(absolute(name)).await.map_err(fault)?;
        let texts = found.answers().iter().filter_map(|record| match &record.data {
            RData::TXT(txt) => Some(String::from_utf8_lossy(&txt.txt_data.concat()).into_owned()),
            _ => None,
        });
        some(texts.collect())
    }

    /// Names of an address (PTR).
    pub async fn names(&self, address: IpAddr) -> Result<Vec<String>, DnsFault> {
        let name = Name::from(address.to_canonical());
        let found = self.resolver()?.reverse_lookup(name).await.map_err(fault)?;
        let names = found.answers().iter().filter_map(|record| match &record.data {
            RData::PTR(ptr) => Some(ptr.0.to_ascii()),
            _ => None,
        });
        some(names.collect())
    }

    /// Addresses of a host in DNS; IPv6 and IPv4. Permanent only if both look-ups say so.
    pub async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, DnsFault> {
        let resolver = self.resolver()?;
        let (v6, v4) = tokio::join!(
            resolver.ipv6_lookup(absolute(host)),
            resolver.ipv4_lookup(absolute(host))
        );
        let mut addresses = Vec::new();
        let mut faults = Vec::new();
        for found in [v6, v4] {
            match found {
                Ok(found) if found.answers().iter().all(is_alias) => faults.push(DnsFault::Empty),
                Ok(found) => addresses.extend(found.answers().iter().filter_map(|record| match &record.data {
                    RData::A(a) => Some(IpAddr::V4(a.0)),
                    RData::AAAA(aaaa) => Some(IpAddr::V6(aaaa.0)),
                    _ => None,
                })),
                Err(error) => faults.push(fault(error)),
            }
        }
        if !addresses.is_empty() {
            return Ok(addresses);
        }
        // The least sure of the two answers counts.
        faults.sort_by_key(|fault| match fault {
            DnsFault::Temporary(_) => 0,
            DnsFault::Empty => 1,
            DnsFault::NoSuchRecord => 2,
            DnsFault::NoSuchName => 3,
        });
        Err(faults.into_iter().next().unwrap_or(DnsFault::Empty))
    }
}

/// A resolver that asks the given name servers, or the system's; none if the system has no usable settings.
#[must_use]
pub fn resolver(name_servers: &[SocketAddr], timeout: Duration) -> Option<TokioResolver> {
    let mut builder = if name_servers.is_empty() {
        Resolver::builder_tokio().ok()?
    } else {
        let config = ResolverConfig::from_name_servers(name_servers.iter().map(|at| server(*at)).collect());
        Resolver::builder_with_config(config, TokioRuntimeProvider::default())
    };
    let options: &mut ResolverOpts = builder.options_mut();
    options.timeout = timeout;
    options.attempts = 2;
    options.edns0 = true;
    builder.build().ok()
}

/// Addresses of a host of the settings, as the system resolves names: the hosts file and search domains count.
pub async fn configured(host: &str) -> std::io::Result<Vec<IpAddr>> {
    if let Ok(address) = host.parse() {
        return Ok(vec![address]);
    }
    let found = tokio::net::lookup_host((host, 0)).await?;
    Ok(found.map(|address| address.ip()).collect())
}

/// A trailing dot: the name is whole, search domains are not for mail.
fn absolute(name: &str) -> String {
    format!("{}.", name.trim_end_matches('.'))
}

fn server(at: SocketAddr) -> NameServerConfig {
    let mut server = NameServerConfig::udp_and_tcp(at.ip());
    for connection in &mut server.connections {
        let connection: &mut ConnectionConfig = connection;
        connection.port = at.port();
    }
    server
}

fn some<T>(found: Vec<T>) -> Result<Vec<T>, DnsFault> {
    if found.is_empty() {
        Err(DnsFault::Empty)
    } else {
        Ok(found)
    }
}

fn is_alias(record: &Record) -> bool {
    matches!(record.data, RData::CNAME(_))
}

fn fault(error: NetError) -> DnsFault {
    match &error {
        NetError::Dns(DnsError::NoRecordsFound(none)) => match none.response_code {
            ResponseCode::NXDomain => DnsFault::NoSuchName,
            // A referral is not an answer: its name servers were not asked.
            ResponseCode::NoError if none.soa.is_some() => DnsFault::NoSuchRecord,
            ResponseCode::NoError if none.ns.is_none() => DnsFault::Empty,
            _ => DnsFault::Temporary(error.to_string()),
        },
        _ => DnsFault::Temporary(error.to_string()),
    }
}
