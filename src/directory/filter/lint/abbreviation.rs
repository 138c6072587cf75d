//! Names that people write in full and directories keep short, or the other way round.
//!
//! In: two texts. Out: whether one is the other's abbreviation: states of the USA, countries by ISO 3166 code.

use crate::directory::filter::country;

/// True if the two name the same state or country, one of them by its code.
pub(super) fn same_place(one: &str, other: &str) -> bool {
    let (one, other) = (one.trim(), other.trim());
    if one.eq_ignore_ascii_case(other) {
        return false;
    }
    let state = |text: &str| {
        STATES
            .iter()
            .position(|(code, name)| code.eq_ignore_ascii_case(text) || name.eq_ignore_ascii_case(text))
    };
    let same_state = state(one).is_some() && state(one) == state(other);
    let (first, second) = (country::by_text(one), country::by_text(other));
    let same_country = first.is_some() && first.map(|found| found.code) == second.map(|found| found.code);
    same_state || same_country
}

/// States and the federal district, by their postal codes (USPS).
#[rustfmt::skip]
static STATES: &[(&str, &str)] = &[
    ("AL", "Alabama"), ("AK", "Alaska"), ("AZ", "Arizona"), ("AR", "Arkansas"), ("CA", "California"),
    ("CO", "Colorado"), ("CT", "Connecticut"), ("DE", "Delaware"), ("DC", "District of Columbia"),
    ("FL", "Florida"), ("GA", "Georgia"), ("HI", "Hawaii"), ("ID", "Idaho"), ("IL", "Illinois"),
    ("IN", "Indiana"), ("IA", "Iowa"), ("KS", "Kansas"), ("KY", "Kentucky"), ("LA", "Louisiana"),
    ("ME", "Maine"), ("MD", "Maryland"), ("MA", "Massachusetts"), ("MI", "Michigan"), ("MN", "Minnesota"),
    ("MS", "Mississippi"), ("MO", "Missouri"), ("MT", "Montana"), ("NE", "Nebraska"), ("NV", "Nevada"),
    ("NH", "New Hampshire"), ("NJ", "New Jersey"), ("NM", "New Mexico"), ("NY", "New York"),
    ("NC", "North Carolina"), ("ND", "North Dakota"), ("OH", "Ohio"), ("OK", "Oklahoma"), ("OR", "Oregon"),
    ("PA", "Pennsylvania"), ("RI", "Rhode Island"), ("SC", "South Carolina"), ("SD", "South Dakota"),
    ("TN", "Tennessee"), ("TX", "Texas"), ("UT", "Utah"), ("VT", "Vermont"), ("VA", "Virginia"),
    ("WA", "Washington"), ("WV", "West Virginia"), ("WI", "Wisconsin"), ("WY", "Wyoming"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_and_countries() {
        assert!(same_place("Washington", "WA"));
        assert!(same_place("wa", "washington"));
        assert!(same_place("Germany", "DE"));
        assert!(same_place("United States", "US"));
        assert!(!same_place("Washington", "washington"));
        assert!(!same_place("WA", "OR"));
        assert!(!same_place("Berlin", "Bern"));
        assert_eq!(STATES.len(), 51);
    }
}
