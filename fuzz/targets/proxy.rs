//! PROXY headers, versions 1 and 2.

#![no_main]

use libfuzzer_sys::fuzz_target;

mod proxied;

fuzz_target!(|octets: &[u8]| proxied::proxied(octets));
