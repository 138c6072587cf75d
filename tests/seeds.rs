//! The seeds of the fuzz targets, and what becomes of them when they are cut and mixed.

use std::path::Path;

use muster::directory::group::FilterLanguage;
use proptest::prelude::*;

#[path = "../fuzz/targets/judge.rs"]
mod judge;

#[path = "../fuzz/targets/proxied.rs"]
mod proxied;

#[path = "../fuzz/targets/sift.rs"]
mod sift;

use judge::judge;

fn seeds(language: FilterLanguage) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(language.word());
    let mut texts: Vec<String> = std::fs::read_dir(folder)
        .expect("seeds")
        .map(|entry| std::fs::read_to_string(entry.expect("an entry").path()).expect("a text"))
        .collect();
    texts.sort();
    assert!(texts.len() >= 17, "{language:?}");
    texts
}

#[test]
fn every_seed_holds_in_every_language() {
    for (_, own) in FilterLanguage::WORDS {
        for text in seeds(own) {
            for (_, language) in FilterLanguage::WORDS {
                judge(language, &text);
            }
        }
    }
}

#[test]
fn every_message_goes_through_the_sieve() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/sieve");
    let seeds: Vec<Vec<u8>> = std::fs::read_dir(folder)
        .expect("seeds")
        .map(|entry| std::fs::read(entry.expect("an entry").path()).expect("octets"))
        .collect();
    assert!(seeds.len() >= 12);
    for seed in &seeds {
        for size in [1, 2, 7, 255] {
            let mut octets = seed.clone();
            octets[0] = size;
            sift::sift(&octets);
        }
    }
}

#[test]
fn every_header_of_a_proxy_comes_to_an_end() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/proxy");
    let seeds: Vec<Vec<u8>> = std::fs::read_dir(folder)
        .expect("seeds")
        .map(|entry| std::fs::read(entry.expect("an entry").path()).expect("octets"))
        .collect();
    assert!(seeds.len() >= 9);
    for seed in &seeds {
        proxied::proxied(seed);
        // Each octet another, and each end cut off.
        for at in 0..seed.len() {
            proxied::proxied(&seed[..at]);
            for octet in [0, b'\r', b'\n', b' ', b'0', 0x21, 0xff] {
                let mut changed = seed.clone();
                changed[at] = octet;
                proxied::proxied(&changed);
            }
        }
    }
}

/// A piece of one seed before, in or after a piece of another; a few characters on top.
fn mutation(language: FilterLanguage) -> impl Strategy<Value = String> {
    let texts = seeds(language);
    let piece = (
        prop::sample::select(texts),
        any::<(prop::sample::Index, prop::sample::Index)>(),
    )
        .prop_map(|(text, (one, other))| {
            let characters: Vec<char> = text.chars().collect();
            let (one, other) = (one.index(characters.len() + 1), other.index(characters.len() + 1));
            characters[one.min(other)..one.max(other)].iter().collect::<String>()
        });
    let odd = prop::sample::select(vec![
        "", " ", "(", ")", "'", "\"", "`", "\\", "\\2a", "*", "-not ", "!", "&", "|", "=", ":", "[", "]", ",", "{",
        "}", "\n", "//", "\u{2013}", "ä", "$null", "null", "\0",
    ]);
    prop::collection::vec((piece, odd), 1..4)
        .prop_map(|pieces| pieces.into_iter().map(|(piece, odd)| piece + odd).collect())
}

proptest! {
    #[test]
    fn mutations_of_opath(text in mutation(FilterLanguage::Opath)) {
        judge(FilterLanguage::Opath, &text);
    }

    #[test]
    fn mutations_of_ldap(text in mutation(FilterLanguage::Ldap)) {
        judge(FilterLanguage::Ldap, &text);
    }

    #[test]
    fn mutations_of_entra(text in mutation(FilterLanguage::Entra)) {
        judge(FilterLanguage::Entra, &text);
    }
}
