//! A public key as DNS has it, held against the private one.

use mail_auth::common::verify::DomainKey;
use mail_auth::hickory_resolver::TokioResolver;
use mail_auth::hickory_resolver::proto::op::ResponseCode;
use mail_auth::{DnsError, Error, MessageAuthenticator};

use super::cache::Caches;
use crate::mail::signature::SigningKey;

/// Octets that are signed and verified for the comparison.
const PROBE: &[u8] = b"muster holds a published key against its own";

/// What DNS has to say of a key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Published {
    /// What we sign verifies with it.
    Fits,
    /// Another key stands there.
    Differs,
    /// There is no record.
    Missing,
    /// There is a record that is no key, or a revoked one.
    Unreadable(String),
    /// No name server has answered.
    Unknown(String),
}

/// Looks a key up.
pub async fn look_up(resolver: Option<TokioResolver>, key: &SigningKey) -> Published {
    let Some(resolver) = resolver else {
        return Published::Unknown("the system has no usable name server settings".to_owned());
    };
    let caches = Caches::default();
    let name = key.record_name();
    let found = MessageAuthenticator(resolver)
        .txt_lookup::<DomainKey>(name, Some(&caches.txt))
        .await;
    match found {
        Ok(record) => match key.probe(PROBE) {
            Ok((signature, algorithm)) if record.p.verify_bytes(PROBE, &signature, algorithm).is_ok() => {
                Published::Fits
            }
            Ok(_) => Published::Differs,
            Err(fault) => Published::Unreadable(fault.to_string()),
        },
        Err(Error::Dns(DnsError::RecordNotFound(ResponseCode::NXDomain | ResponseCode::NoError))) => Published::Missing,
        Err(Error::Dns(DnsError::InvalidRecordType)) => Published::Unreadable("it is of another kind".to_owned()),
        Err(Error::Dns(fault)) => Published::Unknown(fault.to_string()),
        Err(fault) => Published::Unreadable(fault.to_string()),
    }
}
