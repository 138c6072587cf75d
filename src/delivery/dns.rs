//! DNS as mail uses it: mail exchangers and addresses (RFC 5321 §5.1).
//!
//! With DNSSEC every answer is validated here, from a trust anchor down (RFC 4035): it is then known which answers are
//! secure, and a bogus one is no answer.
//! Never: a permanent answer out of a temporary fault. Only a name server's own word that a domain or record
//! does not exist is permanent; timeouts, SERVFAIL, loops, truncation and everything else wait.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig, ResolverOpts};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::dnssec::{DnssecSummary, TrustAnchors};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use hickory_resolver::{Resolver, TokioResolver};

use super::tls::dane::Tlsa;
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

/// What was found, and whether DNSSEC vouches for it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found<T> {
    /// It.
    pub value: T,
    /// Every record of the answer is signed, and the signatures are good.
    pub secure: bool,
}

/// Addresses of a host, and how they were reached.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reached {
    /// They.
    pub addresses: Found<Vec<IpAddr>>,
    /// If the host is an alias: the name at the end of the chain, and whether the first alias is secure.
    pub alias: Option<Found<String>>,
}

impl Reached {
    /// Names at which TLSA records may stand, the first that has any counts (RFC 7672 §2.2.2); none if nobody vouches for
    /// the way there. With a chain that is secure to its end it is that end, then the name we began with; a chain that
    /// leaves secure zones leaves the latter, if its own alias is secure (RFC 7672 §2.1.3).
    #[must_use]
    pub fn tlsa_bases<'a>(&'a self, host: &'a str) -> Vec<&'a str> {
        match (&self.alias, self.addresses.secure) {
            (None, true) => vec![host],
            (Some(alias), true) => vec![&alias.value, host],
            (Some(alias), false) if alias.secure => vec![host],
            (Some(_) | None, false) => Vec::new(),
        }
    }
}

/// How answers are validated.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Dnssec {
    /// Not at all: no answer is secure.
    #[default]
    Off,
    /// From the keys of the root.
    Root,
    /// From the DNSKEY records of this file.
    File(PathBuf),
}

/// The resolver.
#[derive(Clone)]
pub struct Dns {
    resolver: Option<TokioResolver>,
    /// There are none because of this.
    fault: Option<String>,
}

impl Dns {
    /// The system's name servers, or the given ones. If the system has no usable settings every look-up is a
    /// temporary fault.
    #[must_use]
    pub fn new(name_servers: &[SocketAddr], timeout: Duration, dnssec: &Dnssec) -> Self {
        let anchors = match dnssec {
            Dnssec::Off => Ok(None),
            Dnssec::Root => Ok(Some(TrustAnchors::default())),
            Dnssec::File(path) => TrustAnchors::from_file(path)
                .map(Some)
                .map_err(|fault| format!("the trust anchors of {} cannot be read: {fault}", path.display())),
        };
        match anchors {
            Ok(anchors) => Self {
                resolver: validating(name_servers, timeout, anchors),
                fault: None,
            },
            Err(fault) => Self {
                resolver: None,
                fault: Some(fault),
            },
        }
    }

    fn resolver(&self) -> Result<&TokioResolver, DnsFault> {
        let none = "the system has no usable name server settings";
        let none = || DnsFault::Temporary(self.fault.clone().unwrap_or_else(|| none.to_owned()));
        self.resolver.as_ref().ok_or_else(none)
    }

    /// MX records of a domain. A null MX is one with an empty host.
    pub async fn exchangers(&self, domain: &str) -> Result<Found<Vec<MailExchanger>>, DnsFault> {
        let found = self.resolver()?.mx_lookup(absolute(domain)).await.map_err(fault)?;
        let secure = is_secure(&found);
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
            Ok(Found { value: records, secure })
        }
    }

    /// TLSA records of a host's port, if they are secure (RFC 7672 §2.2); none if there are none, or nobody vouches for
    /// them.
    pub async fn certificates(&self, host: &str, port: u16) -> Result<Vec<Tlsa>, DnsFault> {
        let name = absolute(&format!("_{port}._tcp.{host}"));
        match self.resolver()?.lookup(name, RecordType::TLSA).await.map_err(fault) {
            Ok(found) if is_secure(&found) => Ok(found
                .answers()
                .iter()
                .filter_map(|record| match &record.data {
                    RData::TLSA(tlsa) => Some(Tlsa {
                        usage: tlsa.cert_usage.into(),
                        selector: tlsa.selector.into(),
                        matching: tlsa.matching.into(),
                        data: tlsa.cert_data.clone(),
                    }),
                    _ => None,
                })
                .collect()),
            Ok(_) | Err(DnsFault::NoSuchName | DnsFault::NoSuchRecord) => Ok(Vec::new()),
            Err(fault) => Err(fault),
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
    pub async fn addresses(&self, host: &str) -> Result<Found<Vec<IpAddr>>, DnsFault> {
        Ok(self.reach(host).await?.addresses)
    }

    /// The same, with what an alias led to.
    pub async fn reach(&self, host: &str) -> Result<Reached, DnsFault> {
        let resolver = self.resolver()?;
        let (v6, v4) = tokio::join!(
            resolver.ipv6_lookup(absolute(host)),
            resolver.ipv4_lookup(absolute(host))
        );
        let mut addresses = Vec::new();
        let mut secure = true;
        let mut alias = None;
        let mut faults = Vec::new();
        for found in [v6, v4] {
            match found {
                Ok(found) if found.answers().iter().all(is_alias) => faults.push(DnsFault::Empty),
                Ok(found) => {
                    secure &= is_secure(&found);
                    alias = alias.or_else(|| alias_of(host, found.answers()));
                    addresses.extend(found.answers().iter().filter_map(|record| match &record.data {
                        RData::A(a) => Some(IpAddr::V4(a.0)),
                        RData::AAAA(aaaa) => Some(IpAddr::V6(aaaa.0)),
                        _ => None,
                    }));
                }
                Err(error) => faults.push(fault(error)),
            }
        }
        if !addresses.is_empty() {
            let value = addresses;
            return Ok(Reached {
                addresses: Found { value, secure },
                alias,
            });
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
    validating(name_servers, timeout, None)
}

fn validating(name_servers: &[SocketAddr], timeout: Duration, anchors: Option<TrustAnchors>) -> Option<TokioResolver> {
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
    if let Some(anchors) = anchors {
        builder = builder.with_trust_anchor(Arc::new(anchors));
    }
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

/// RFC 7672 §2.1.1: all of the answer, aliases on the way to it included.
fn is_secure(found: &Lookup) -> bool {
    matches!(
        DnssecSummary::from_records(found.answers().iter()),
        DnssecSummary::Secure
    )
}

fn is_alias(record: &Record) -> bool {
    matches!(record.data, RData::CNAME(_))
}

/// What an alias led to in the end. An answer that leads round in circles ends where it began to.
fn alias_of(host: &str, answers: &[Record]) -> Option<Found<String>> {
    let fold = |name: &Name| name.to_ascii().trim_end_matches('.').to_ascii_lowercase();
    let mut name = host.trim_end_matches('.').to_ascii_lowercase();
    let mut first = None;
    for _ in 0..answers.len() {
        let next = answers.iter().find_map(|record| match &record.data {
            RData::CNAME(target) if fold(&record.name) == name => Some((fold(&target.0), record)),
            _ => None,
        });
        let Some((target, record)) = next else { break };
        let secure = matches!(DnssecSummary::from_records([record].into_iter()), DnssecSummary::Secure);
        first.get_or_insert(secure);
        name = target;
    }
    first.map(|secure| Found { value: name, secure })
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
        // A proved denial; an unproved one is bogus (RFC 4035 §5.4).
        NetError::Dns(DnsError::Nsec { response, proof, .. }) if !proof.is_bogus() => match response.response_code {
            ResponseCode::NXDomain => DnsFault::NoSuchName,
            ResponseCode::NoError => DnsFault::NoSuchRecord,
            _ => DnsFault::Temporary(error.to_string()),
        },
        _ => DnsFault::Temporary(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use hickory_resolver::proto::rr::rdata::{A, CNAME};

    use super::*;

    fn name(text: &str) -> Name {
        Name::from_ascii(format!("{text}.")).expect("a name")
    }

    fn alias(from: &str, to: &str) -> Record {
        Record::from_rdata(name(from), 60, RData::CNAME(CNAME(name(to))))
    }

    #[test]
    fn aliases_are_followed_to_their_end_whatever_their_order() {
        let address = Record::from_rdata(name("c.example"), 60, RData::A(A([192, 0, 2, 1].into())));
        let chain = [
            alias("b.example", "C.example"),
            address.clone(),
            alias("A.example", "b.example"),
        ];
        let end = |host: &str, answers: &[Record]| alias_of(host, answers).map(|found| found.value);
        assert_eq!(end("a.example", &chain).as_deref(), Some("c.example"));
        assert_eq!(end("b.EXAMPLE.", &chain).as_deref(), Some("c.example"));
        assert_eq!(end("c.example", &chain), None);
        let circle = [alias("a.example", "b.example"), alias("b.example", "a.example")];
        assert!(end("a.example", &circle).is_some(), "and it ends");
    }

    #[test]
    fn tlsa_records_stand_where_the_way_is_secure() {
        let reached = |secure: bool, alias: Option<bool>| Reached {
            addresses: Found {
                value: Vec::new(),
                secure,
            },
            alias: alias.map(|secure| Found {
                value: "end.example".to_owned(),
                secure,
            }),
        };
        for (secure, alias, bases) in [
            (true, None, &["mx.example"][..]),
            (false, None, &[]),
            (true, Some(true), &["end.example", "mx.example"]),
            (false, Some(true), &["mx.example"]),
            (false, Some(false), &[]),
        ] {
            assert_eq!(
                reached(secure, alias).tlsa_bases("mx.example"),
                bases,
                "{secure} {alias:?}"
            );
        }
    }
}
