//! Octets of a stored roll: refused, or read and written back the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use muster::rolls::codec::{decode, encode};

fuzz_target!(|body: &[u8]| {
    // The checksum would keep everything but itself from being tried.
    let mut octets = body.to_vec();
    octets.extend_from_slice(&crc32fast::hash(body).to_le_bytes());
    if let Ok((entries, subscribers)) = decode(&octets) {
        let again = encode(&entries, subscribers.as_ref());
        assert_eq!(decode(&again), Ok((entries, subscribers)));
    }
    let _ = decode(body);
});
