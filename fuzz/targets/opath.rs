//! OPATH: any text is read or refused, judged and explained alike, and prints back as the same tree.

#![no_main]

mod judge;

use libfuzzer_sys::fuzz_target;
use muster::directory::group::FilterLanguage;

fuzz_target!(|text: &str| judge::judge(FilterLanguage::Opath, text));
