//! Values that directories store as octets: GUIDs and security identifiers.
//!
//! A GUID stands in a filter as sixteen octets, the first three groups with their octets reversed; a security
//! identifier as revision, count, authority and sub-authorities, or in its text form, which Active Directory
//! takes as well.

use std::fmt::Write as _;

/// The text of a GUID: `45ad6645-57a8-4fef-ad2f-ac5bd3de7d7c`.
pub(super) fn guid_of_octets(octets: &[u8]) -> Option<String> {
    let octets: &[u8; 16] = octets.try_into().ok()?;
    let mut text = String::with_capacity(36);
    for (place, octet) in ORDER.iter().filter_map(|at| octets.get(*at)).enumerate() {
        if matches!(place, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        write!(text, "{octet:02x}").ok()?;
    }
    Some(text)
}

/// The octets of a GUID written as text, with braces or without.
pub(super) fn octets_of_guid(text: &str) -> Option<[u8; 16]> {
    let guid = uuid::Uuid::try_parse(text.trim().trim_matches(['{', '}'])).ok()?;
    let mut octets = [0; 16];
    for (place, octet) in ORDER.iter().zip(guid.as_bytes()) {
        *octets.get_mut(*place)? = *octet;
    }
    Some(octets)
}

/// Where each octet of the text form lies.
const ORDER: [usize; 16] = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];

/// The text of a security identifier: `S-1-5-21-…`.
pub(super) fn sid_of_octets(octets: &[u8]) -> Option<String> {
    let [1, count, authority @ ..] = octets else {
        return None;
    };
    let (authority, parts) = authority.split_at_checked(6)?;
    if parts.len() != usize::from(*count) * 4 {
        return None;
    }
    let authority = authority.iter().fold(0_u64, |sum, octet| sum << 8 | u64::from(*octet));
    let mut text = format!("S-1-{authority}");
    for part in parts.chunks_exact(4) {
        write!(text, "-{}", u32::from_le_bytes(part.try_into().ok()?)).ok()?;
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guids_both_ways() {
        let text = "45ad6645-57a8-4fef-ad2f-ac5bd3de7d7c";
        let octets = octets_of_guid("{45AD6645-57A8-4FEF-AD2F-AC5BD3DE7D7C}").expect("a GUID");
        assert_eq!(octets.first_chunk(), Some(&[0x45, 0x66, 0xad, 0x45, 0xa8, 0x57]));
        assert_eq!(guid_of_octets(&octets).as_deref(), Some(text));
        assert_eq!(guid_of_octets(octets.get(1..).unwrap_or(&[])), None);
        assert_eq!(octets_of_guid("45ad6645"), None);
    }

    #[test]
    fn security_identifiers() {
        let octets = [1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 32, 2, 0, 0];
        assert_eq!(sid_of_octets(&octets).as_deref(), Some("S-1-5-32-544"));
        for length in 0..octets.len() {
            assert_eq!(sid_of_octets(octets.get(..length).unwrap_or(&[])), None);
        }
    }
}
