//! Reports of other systems: any octets are read, a failure is permanent, and nobody is named by a control character.

#![no_main]

use libfuzzer_sys::fuzz_target;
use muster::mail::bounce::{Bounce, read};

fuzz_target!(|octets: &[u8]| {
    if let Bounce::Failed(failures) = read(octets) {
        assert!(!failures.is_empty());
        for failure in failures {
            assert!(failure.reply.is_permanent() && !failure.reply.text.contains(char::is_control));
        }
    }
});
