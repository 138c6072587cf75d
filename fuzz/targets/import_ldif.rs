//! Exports of the kind `Ldif`: any octets are read or refused, and imported without a panic.

#![no_main]

mod reader;

use libfuzzer_sys::fuzz_target;
use muster::connectors::exchange::raw::FileKind;

fuzz_target!(|octets: &[u8]| reader::read(FileKind::Ldif, octets));
