//! The header sieve: forged results and an organisation's marks go, nothing else is touched.

#![no_main]

use libfuzzer_sys::fuzz_target;

mod sift;

fuzz_target!(|octets: &[u8]| sift::sift(octets));
