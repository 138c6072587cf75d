//! DANE: certificates that DNSSEC vouches for (RFC 6698, RFC 7671, RFC 7672).
//!
//! In: TLSA records from secure answers, the chain that a host showed. Out: whether a record fits.

use std::sync::Arc;

use rustls::RootCertStore;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use sha2::{Digest as _, Sha256, Sha512};

use super::verify::{Mistrust, MistrustKind, by_name, key_of};

/// A TLSA record (RFC 6698 §2.1).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tlsa {
    /// 2: an authority of the domain's own (DANE-TA). 3: the host's own certificate (DANE-EE).
    pub usage: u8,
    /// 0: the certificate. 1: its public key.
    pub selector: u8,
    /// 0: as it is. 1: its SHA-256. 2: its SHA-512.
    pub matching: u8,
    /// What it is held against.
    pub data: Vec<u8>,
}

impl Tlsa {
    /// RFC 7672 §3.1.3: usages 0 and 1 have no place in SMTP; RFC 7671 §4: what we do not know, we cannot use.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        let fits = match self.matching {
            0 => !self.data.is_empty(),
            1 => self.data.len() == 32,
            2 => self.data.len() == 64,
            _ => false,
        };
        matches!(self.usage, 2 | 3) && matches!(self.selector, 0 | 1) && fits
    }

    /// As reports show it (RFC 8460 §4.4): `3 1 1 1F850A33…`.
    #[must_use]
    pub fn shown(&self) -> String {
        let data: String = self.data.iter().map(|octet| format!("{octet:02X}")).collect();
        format!("{} {} {} {data}", self.usage, self.selector, self.matching)
    }

    fn fits(&self, certificate: &CertificateDer<'_>) -> bool {
        let key;
        let selected: &[u8] = match self.selector {
            0 => certificate.as_ref(),
            _ => match key_of(certificate) {
                Ok(found) => {
                    key = found;
                    &key
                }
                Err(_) => return false,
            },
        };
        match self.matching {
            0 => selected == self.data,
            1 => Sha256::digest(selected).as_slice() == self.data,
            _ => Sha512::digest(selected).as_slice() == self.data,
        }
    }
}

/// What a host's certificate is held against.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dane {
    /// Usable records; not empty.
    pub records: Arc<[Tlsa]>,
    /// Names of which a certificate below DANE-TA must have one: the host's, and the recipients' domain (RFC 7672
    /// §3.2.2).
    pub names: Vec<ServerName<'static>>,
}

impl Dane {
    /// Judges a chain, the host's own certificate first.
    pub fn judge(
        &self,
        own: &CertificateDer<'_>,
        above: &[CertificateDer<'_>],
        algorithms: &WebPkiSupportedAlgorithms,
        now: UnixTime,
    ) -> Result<(), Mistrust> {
        // RFC 7672 §3.1.1: with DANE-EE neither names nor dates count.
        if self.records.iter().any(|record| record.usage == 3 && record.fits(own)) {
            return Ok(());
        }
        let mut fault = Mistrust::new(MistrustKind::Untrusted, "no TLSA record fits the certificate");
        let authorities = self.records.iter().filter(|record| record.usage == 2);
        for record in authorities {
            // RFC 7672 §3.1.2: a host shows the authority with its chain; as a whole it may also stand in the record.
            let whole =
                (record.selector == 0 && record.matching == 0).then(|| CertificateDer::from(record.data.clone()));
            let anchor = above
                .iter()
                .find(|certificate| record.fits(certificate))
                .or(whole.as_ref());
            let Some(anchor) = anchor else { continue };
            let mut roots = RootCertStore::empty();
            if let Err(unread) = roots.add(anchor.clone().into_owned()) {
                let why = format!("the authority of a TLSA record cannot be read: {unread}");
                fault = Mistrust::new(MistrustKind::Untrusted, why);
                continue;
            }
            match by_name(own, above, &roots, &self.names, algorithms, now) {
                Ok(()) => return Ok(()),
                Err(mistrust) => fault = mistrust,
            }
        }
        Err(Mistrust::new(fault.kind, format!("DANE: {}", fault.why)))
    }
}

#[cfg(test)]
mod tests {
    use rustls::crypto::aws_lc_rs;

    use super::*;
    use crate::delivery::tests::tls::{Authority, Leaf};

    fn now() -> UnixTime {
        let now = jiff::Timestamp::now().as_second();
        UnixTime::since_unix_epoch(std::time::Duration::from_secs(now.unsigned_abs()))
    }

    fn record(usage: u8, selector: u8, matching: u8, certificate: &CertificateDer<'_>) -> Tlsa {
        let selected = match selector {
            0 => certificate.as_ref().to_vec(),
            _ => key_of(certificate).expect("a key"),
        };
        Tlsa {
            usage,
            selector,
            matching,
            data: match matching {
                0 => selected,
                1 => Sha256::digest(&selected).to_vec(),
                _ => Sha512::digest(&selected).to_vec(),
            },
        }
    }

    fn judged(records: Vec<Tlsa>, leaf: &Leaf, name: &str) -> Result<(), Mistrust> {
        let dane = Dane {
            records: records.into(),
            names: vec![ServerName::try_from(name.to_owned()).expect("a name")],
        };
        let algorithms = aws_lc_rs::default_provider().signature_verification_algorithms;
        dane.judge(&leaf.chain[0], &leaf.chain[1..], &algorithms, now())
    }

    #[test]
    fn every_form_of_a_record_fits_its_certificate_and_no_other() {
        let authority = Authority::new();
        let (own, other) = (authority.leaf(&["mx.example"]), Authority::new().leaf(&["mx.example"]));
        for usage in [2, 3] {
            for selector in [0, 1] {
                for matching in [0, 1, 2] {
                    let place = if usage == 2 { 1 } else { 0 };
                    let fits = record(usage, selector, matching, &own.chain[place]);
                    assert!(fits.is_usable());
                    assert_eq!(judged(vec![fits.clone()], &own, "mx.example"), Ok(()), "{fits:?}");
                    assert!(judged(vec![fits.clone()], &other, "mx.example").is_err(), "{fits:?}");
                    let stranger = record(usage, selector, matching, &other.chain[place]);
                    assert!(judged(vec![stranger.clone()], &own, "mx.example").is_err());
                    assert_eq!(
                        judged(vec![stranger, fits], &own, "mx.example"),
                        Ok(()),
                        "one of two is enough"
                    );
                }
            }
        }
    }

    #[test]
    fn names_count_below_an_authority_and_not_for_the_host_itself() {
        let leaf = Authority::new().leaf(&["elsewhere.example"]);
        assert_eq!(
            judged(vec![record(3, 1, 1, &leaf.chain[0])], &leaf, "mx.example"),
            Ok(())
        );
        assert!(judged(vec![record(2, 1, 1, &leaf.chain[1])], &leaf, "mx.example").is_err());
        assert_eq!(
            judged(vec![record(2, 1, 1, &leaf.chain[1])], &leaf, "elsewhere.example"),
            Ok(())
        );
    }

    #[test]
    fn an_authority_that_is_not_shown_may_stand_in_the_record_as_a_whole() {
        let mut leaf = Authority::new().leaf(&["mx.example"]);
        let authority = leaf.chain.pop().expect("two");
        assert_eq!(judged(vec![record(2, 0, 0, &authority)], &leaf, "mx.example"), Ok(()));
        assert!(judged(vec![record(2, 0, 1, &authority)], &leaf, "mx.example").is_err());
    }

    #[test]
    fn what_cannot_be_used() {
        let tlsa = |usage, selector, matching, octets| Tlsa {
            usage,
            selector,
            matching,
            data: vec![0; octets],
        };
        for (record, usable) in [
            (tlsa(3, 1, 1, 32), true),
            (tlsa(2, 0, 2, 64), true),
            (tlsa(0, 0, 1, 32), false),
            (tlsa(1, 1, 1, 32), false),
            (tlsa(4, 1, 1, 32), false),
            (tlsa(3, 2, 1, 32), false),
            (tlsa(3, 1, 3, 32), false),
            (tlsa(3, 1, 1, 31), false),
            (tlsa(3, 1, 2, 32), false),
            (tlsa(3, 0, 0, 0), false),
        ] {
            assert_eq!(record.is_usable(), usable, "{record:?}");
        }
    }
}
