//! Exports of the kind `CliXml`: any octets are read or refused, and imported without a panic.

#![no_main]

mod reader;

use libfuzzer_sys::fuzz_target;
use muster::connectors::exchange::raw::FileKind;

fuzz_target!(|octets: &[u8]| reader::read(FileKind::CliXml, octets));
