//! From a next hop to an open connection.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpSocket, TcpStream};

use super::dns::{Dns, DnsFault, Found, configured};
use super::tls::dane::Tlsa;
use crate::env::Chance;
use crate::limits;
use crate::mail::Reply;
use crate::queue::LastAnswer;
use crate::routing::{ExchangeFault, HostPort, NextHop, Target, by_weight, exchangers, interleaved};
use crate::track::Reason;

const EMPTY: &str = "an empty answer without the authority for it";

/// An address of a next hop to be tried.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Candidate {
    /// Host name as configured or in the MX record.
    pub host: String,
    /// Where.
    pub address: SocketAddr,
    /// Domain whose mail exchanger it is.
    pub domain: Option<String>,
    /// Its TLSA records, if DNSSEC vouches for them (RFC 7672); never empty.
    pub tlsa: Option<Arc<[Tlsa]>>,
    /// The name that they stand at: the host's, or what it is an alias of (RFC 7672 §2.2.2).
    pub tlsa_base: Option<String>,
}

impl Candidate {
    /// How logs and reports name it.
    #[must_use]
    pub fn shown(&self) -> String {
        if self.address.ip().to_string() == self.host {
            self.address.to_string()
        } else {
            format!("{} [{}]:{}", self.host, self.address.ip(), self.address.port())
        }
    }
}

/// Why there is no connection.
#[derive(Clone, PartialEq, Debug)]
pub enum NoConnection {
    /// Wait.
    ForNow(LastAnswer),
    /// It never will be: the domain takes no mail.
    ForGood(Reason, Reply),
}

/// Mail exchangers that are left out because their TLSA records could not be had, and why.
pub type Unvouched = Vec<(String, String)>;

/// Addresses of a next hop in the order to be tried; `domain` is the one whose mail exchangers are meant for
/// [`Target::Mx`].
pub async fn candidates(
    hop: &NextHop,
    domain: Option<&str>,
    own_names: &[String],
    dns: &Dns,
    chance: &dyn Chance,
    unvouched: &mut Unvouched,
) -> Result<Vec<Candidate>, NoConnection> {
    match (&hop.target, domain) {
        (Target::Hosts(hosts), _) => of_hosts(hosts, chance).await,
        (Target::Mx, Some(domain)) => of_domain(hop, domain, own_names, dns, chance, unvouched).await,
        (Target::Mx, None) | (Target::DropDirectory(_), _) => Ok(Vec::new()),
    }
}

async fn of_hosts(hosts: &[HostPort], chance: &dyn Chance) -> Result<Vec<Candidate>, NoConnection> {
    let mut hosts: Vec<&HostPort> = hosts.iter().collect();
    by_weight(
        &mut hosts,
        |host| (host.preference, host.weight),
        |bound| chance.below(bound),
    );
    let mut found = Vec::new();
    let mut fault = None;
    for host in hosts {
        // A configured host that does not exist is a mistake to be put right, not a reason to bounce.
        match configured(&host.host).await {
            Ok(addresses) => found.extend(at_port(&host.host, interleaved(addresses), host.port)),
            Err(error) => fault = Some(format!("{}: {error}", host.host)),
        }
    }
    some_or(found, || dns_trouble(fault.unwrap_or_default()))
}

async fn of_domain(
    hop: &NextHop,
    domain: &str,
    own_names: &[String],
    dns: &Dns,
    chance: &dyn Chance,
    unvouched: &mut Unvouched,
) -> Result<Vec<Candidate>, NoConnection> {
    if let Some(address) = literal(domain) {
        return Ok(at_port(domain, vec![address], hop.mx_port).collect());
    }
    let Found { value: records, secure } = match dns.exchangers(domain).await {
        Ok(found) => found,
        // RFC 5321 §5.1: without MX records the domain is its own exchanger.
        Err(DnsFault::NoSuchRecord) => return implicit(hop, domain, dns, unvouched).await,
        // Some resolvers leave the authority out. It may be so, but nothing final follows.
        Err(DnsFault::Empty) => {
            let found = implicit(hop, domain, dns, unvouched).await;
            return found.map_err(|_| dns_trouble(EMPTY.to_owned()));
        }
        Err(DnsFault::NoSuchName) => return Err(no_domain()),
        Err(DnsFault::Temporary(why)) => return Err(dns_trouble(why)),
    };
    let mut own = own_names.to_vec();
    own.push(hop.helo.clone());
    let records = exchangers(records, &own, |bound| chance.below(bound)).map_err(|fault| match fault {
        // RFC 7505 §4.1.
        ExchangeFault::NullMx => for_good(Reason::DomainTakesNoMail, 556, (5, 1, 10), "the domain takes no mail"),
        ExchangeFault::OwnName => for_good(
            Reason::NoRoute,
            554,
            (5, 4, 6),
            "the mail exchanger of the domain is this relay: the message would loop",
        ),
    })?;
    let mut found = Vec::new();
    let mut trouble = None;
    for record in records {
        if found.len() >= limits::HOST_ADDRESSES_MAX {
            break;
        }
        match host(hop, &record.host, secure, domain, dns, unvouched).await {
            Ok(candidates) => found.extend(candidates),
            Err(DnsFault::NoSuchName | DnsFault::NoSuchRecord) => {}
            Err(DnsFault::Empty) => trouble = Some(EMPTY.to_owned()),
            Err(DnsFault::Temporary(why)) => trouble = Some(why),
        }
    }
    some_or(found, || trouble.map_or_else(unroutable, dns_trouble))
}

async fn implicit(
    hop: &NextHop,
    domain: &str,
    dns: &Dns,
    unvouched: &mut Unvouched,
) -> Result<Vec<Candidate>, NoConnection> {
    // If its addresses are secure, so is the word of the same zone that it has no exchangers.
    match host(hop, domain, true, domain, dns, unvouched).await {
        Ok(candidates) => Ok(candidates),
        Err(DnsFault::NoSuchName) => Err(no_domain()),
        Err(DnsFault::NoSuchRecord) => Err(unroutable()),
        Err(DnsFault::Empty) => Err(dns_trouble(EMPTY.to_owned())),
        Err(DnsFault::Temporary(why)) => Err(dns_trouble(why)),
    }
}

/// A mail exchanger's addresses, with its TLSA records if all that led there is secure (RFC 7672 §2.2).
async fn host(
    hop: &NextHop,
    name: &str,
    secure: bool,
    domain: &str,
    dns: &Dns,
    unvouched: &mut Unvouched,
) -> Result<Vec<Candidate>, DnsFault> {
    let reached = dns.reach(name).await?;
    let bases = if hop.dane && secure {
        reached.tlsa_bases(name)
    } else {
        Vec::new()
    };
    let mut dane = None;
    for base in bases {
        match dns.certificates(base, hop.mx_port).await {
            Ok(records) if records.is_empty() => {}
            Ok(records) => {
                dane = Some((records.into(), base.to_owned()));
                break;
            }
            // RFC 7672 §2.2: the host counts as one that cannot be reached; else whoever can disturb DNS could undo DANE.
            Err(fault) => {
                let why = match fault {
                    DnsFault::Temporary(why) => why,
                    DnsFault::Empty | DnsFault::NoSuchName | DnsFault::NoSuchRecord => EMPTY.to_owned(),
                };
                unvouched.push((name.to_owned(), why.clone()));
                return Err(DnsFault::Temporary(format!("the TLSA records of {name}: {why}")));
            }
        }
    }
    let (tlsa, base): (Option<Arc<[Tlsa]>>, Option<String>) = dane.unzip();
    let candidates = at_port(name, interleaved(reached.addresses.value), hop.mx_port).map(|candidate| Candidate {
        domain: Some(domain.to_owned()),
        tlsa: tlsa.clone(),
        tlsa_base: base.clone(),
        ..candidate
    });
    Ok(candidates.collect())
}

fn literal(domain: &str) -> Option<IpAddr> {
    let inner = domain.strip_prefix('[')?.strip_suffix(']')?;
    let bare = inner
        .get(..5)
        .filter(|tag| tag.eq_ignore_ascii_case("ipv6:"))
        .map_or(inner, |_| &inner[5..]);
    bare.parse().ok()
}

fn at_port(host: &str, addresses: Vec<IpAddr>, port: u16) -> impl Iterator<Item = Candidate> {
    addresses.into_iter().map(move |ip| Candidate {
        host: host.to_owned(),
        address: SocketAddr::new(ip, port),
        domain: None,
        tlsa: None,
        tlsa_base: None,
    })
}

fn some_or(found: Vec<Candidate>, none: impl FnOnce() -> NoConnection) -> Result<Vec<Candidate>, NoConnection> {
    if found.is_empty() { Err(none()) } else { Ok(found) }
}

fn dns_trouble(why: String) -> NoConnection {
    NoConnection::ForNow(LastAnswer {
        reason: Reason::DnsFailed,
        reply: Some(Reply::new(451, (4, 4, 3), why)),
    })
}

fn no_domain() -> NoConnection {
    for_good(Reason::DomainTakesNoMail, 550, (5, 1, 2), "the domain does not exist")
}

fn unroutable() -> NoConnection {
    for_good(
        Reason::DomainTakesNoMail,
        550,
        (5, 4, 4),
        "the domain has no mail exchanger with an address",
    )
}

fn for_good(reason: Reason, code: u16, status: (u8, u16, u16), text: &'static str) -> NoConnection {
    NoConnection::ForGood(reason, Reply::new(code, status, text))
}

/// Opens a TCP connection to one address, from the given source address of its family if there is one.
pub async fn connect(candidate: &Candidate, sources: &[IpAddr], timeout: Duration) -> std::io::Result<TcpStream> {
    let address = candidate.address;
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    if let Some(source) = sources.iter().find(|source| source.is_ipv4() == address.is_ipv4()) {
        socket.bind(SocketAddr::new(*source, 0))?;
    }
    let stream = tokio::time::timeout(timeout, socket.connect(address))
        .await
        .map_err(|_| std::io::Error::from(std::io::ErrorKind::TimedOut))??;
    // Groups of commands are written whole; waiting for more would only add a round trip.
    stream.set_nodelay(true)?;
    Ok(stream)
}
