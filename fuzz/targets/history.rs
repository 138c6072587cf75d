//! Octets of a stored difference: refused, or read and written back the same; applied without a panic.

#![no_main]

use libfuzzer_sys::fuzz_target;
use muster::rolls::history::{decode, encode};

fuzz_target!(|body: &[u8]| {
    // The checksum would keep everything but itself from being tried.
    let mut octets = body.to_vec();
    octets.extend_from_slice(&crc32fast::hash(body).to_le_bytes());
    if let Ok(difference) = decode(&octets) {
        assert_eq!(decode(&encode(&difference)).as_ref(), Ok(&difference));
        if let Ok(roll) = difference.apply(None) {
            assert!(difference.apply(Some(&roll)).is_err());
        }
    }
    let _ = decode(body);
});
