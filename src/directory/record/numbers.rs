//! Numbers for kinds, places, states and attributes that stay the same in every version of the program.

use crate::directory::attribute::Attribute;
use crate::directory::kind::RecipientKind;
use crate::directory::recipient::{Location, ObjectState};

/// The exponent of the published number; no two kinds share one (held by a test).
pub(in crate::directory) fn kind_number(kind: RecipientKind) -> u8 {
    kind.recipient_type_details_value()
        .map_or(u8::MAX, |value| value.trailing_zeros() as u8)
}

pub(in crate::directory) fn kind_of(number: u8) -> Option<RecipientKind> {
    RecipientKind::ALL
        .iter()
        .copied()
        .find(|kind| kind_number(*kind) == number)
}

pub(super) fn location_number(location: Location) -> u8 {
    match location {
        Location::Cloud => 0,
        Location::OnPremises => 1,
        Location::External => 2,
    }
}

pub(super) fn location_of(number: u8) -> Option<Location> {
    match number & 3 {
        0 => Some(Location::Cloud),
        1 => Some(Location::OnPremises),
        2 => Some(Location::External),
        _ => None,
    }
}

pub(in crate::directory) fn state_number(state: ObjectState) -> u8 {
    match state {
        ObjectState::Enabled => 0,
        ObjectState::Disabled => 1,
        ObjectState::Deleted => 2,
    }
}

pub(in crate::directory) fn state_of(number: u8) -> Option<ObjectState> {
    match number & 3 {
        0 => Some(ObjectState::Enabled),
        1 => Some(ObjectState::Disabled),
        2 => Some(ObjectState::Deleted),
        _ => None,
    }
}

/// Numbers of all attributes, in their order.
const ATTRIBUTES: [u32; Attribute::NAMES.len()] = {
    let mut numbers = [0; Attribute::NAMES.len()];
    let mut index = 0;
    while index < numbers.len() {
        numbers[index] = number_of(Attribute::NAMES[index]);
        index += 1;
    }
    numbers
};

/// FNV-1a over the name, folded to 24 bits; a test holds that no two attributes share one.
const fn number_of(name: &str) -> u32 {
    let bytes = name.as_bytes();
    let mut hash = 0x811c_9dc5_u32;
    let mut index = 0;
    while index < bytes.len() {
        hash = (hash ^ bytes[index] as u32).wrapping_mul(0x0100_0193);
        index += 1;
    }
    (hash >> 24) ^ (hash & 0x00ff_ffff)
}

impl Attribute {
    /// The number of the attribute in stored records.
    pub(super) fn stored_number(self) -> u32 {
        ATTRIBUTES.get(self as usize).copied().unwrap_or_default()
    }

    /// The attribute with a number.
    pub(super) fn from_stored_number(number: u32) -> Option<Self> {
        let place = ATTRIBUTES.iter().position(|each| *each == number)?;
        Self::ALL.get(place).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_leads_back() {
        for attribute in Attribute::ALL.iter().copied() {
            assert_eq!(
                Attribute::from_stored_number(attribute.stored_number()),
                Some(attribute)
            );
        }
        for kind in RecipientKind::ALL.iter().copied() {
            assert_eq!(kind_of(kind_number(kind)), Some(kind));
        }
        // Records of the first version hold these.
        assert_eq!(Attribute::Department.stored_number(), number_of("Department"));
    }
}
