//! Words: the values of every column of the organisation, made from syllables.
//!
//! In: a column and a number. Out: the same text every time, so that values share beginnings, ends and parts as
//! real names do. Never: a blank at an end, a doubled blank, a quote or an asterisk: the two servers that a run
//! compares read those differently.

use std::sync::Arc;

use muster::directory::attribute::Attribute;

const SYLLABLES: [&str; 40] = [
    "ber", "lin", "ma", "ri", "an", "sto", "ne", "hau", "gen", "wes", "ter", "fal", "ken", "dor", "mi", "ra", "sel",
    "tho", "mas", "jo", "hen", "ka", "li", "vos", "brun", "el", "sa", "do", "win", "gar", "ten", "os", "fre", "di",
    "lau", "ro", "bin", "cla", "ves", "ul",
];
const DEPARTMENTS: [&str; 20] = [
    "Sales",
    "Finance",
    "Human Resources",
    "Engineering",
    "Support",
    "Legal",
    "Marketing",
    "Purchasing",
    "Logistics",
    "Research",
    "Quality",
    "Production",
    "Facilities",
    "Security",
    "Training",
    "Audit",
    "Treasury",
    "Payroll",
    "Design",
    "Operations",
];
const LEVELS: [&str; 8] = [
    "Assistant",
    "Specialist",
    "Senior Specialist",
    "Engineer",
    "Senior Engineer",
    "Manager",
    "Senior Manager",
    "Director",
];
const COUNTRIES: [&str; 25] = [
    "DE", "US", "GB", "FR", "IT", "ES", "PL", "NL", "BE", "AT", "CH", "SE", "NO", "DK", "FI", "CZ", "PT", "IE", "HU",
    "RO", "BR", "JP", "IN", "CA", "AU",
];

/// A text column with a pool of values that people share.
#[derive(Clone, Debug)]
pub struct Pool {
    pub attribute: Attribute,
    values: Vec<Arc<str>>,
    /// The same in the order filters compare them in.
    sorted: Vec<Arc<str>>,
}

impl Pool {
    fn new(attribute: Attribute, count: usize, make: impl Fn(usize) -> String) -> Self {
        let values: Vec<Arc<str>> = (0..count).map(|number| Arc::from(make(number))).collect();
        let mut sorted = values.clone();
        sorted.sort_by_cached_key(|value| value.to_lowercase());
        Self {
            attribute,
            values,
            sorted,
        }
    }

    /// The value that `percent` of the column's values come before.
    pub fn edge(&self, percent: usize) -> &str {
        let at = (self.sorted.len() * percent / 100).min(self.sorted.len() - 1);
        &self.sorted[at]
    }

    /// How many distinct values there are.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// One of them.
    pub fn value(&self, number: usize) -> &Arc<str> {
        &self.values[number % self.values.len()]
    }
}

/// Columns of up to 10,000 distinct values that filters of the first kind test by part and order.
pub fn wide() -> Vec<Pool> {
    vec![
        Pool::new(Attribute::FirstName, 4_000, |number| name(number * 7 + 3, 2)),
        Pool::new(Attribute::LastName, 9_900, |number| name(number * 11 + 5, 3)),
        Pool::new(Attribute::Department, 2_000, |number| {
            let area = DEPARTMENTS[number % DEPARTMENTS.len()];
            format!("{area} {}", name(number / DEPARTMENTS.len() * 13 + 1, 2))
        }),
        Pool::new(Attribute::Title, 5_000, |number| {
            let level = LEVELS[number % LEVELS.len()];
            format!("{level} {}", name(number / LEVELS.len() * 17 + 2, 2))
        }),
        Pool::new(Attribute::Office, 3_000, |number| {
            format!("{} {}", name(number / 12 * 19 + 4, 3), (number % 12) + 1)
        }),
        Pool::new(Attribute::City, 2_500, |number| name(number * 23 + 6, 3)),
        Pool::new(Attribute::PostalCode, 9_900, |number| {
            format!("{:05}", 1_001 + number * 9)
        }),
        Pool::new(Attribute::StreetAddress, 9_900, |number| {
            format!("{} Street {}", name(number / 30 * 29 + 8, 3), (number % 30) + 1)
        }),
        Pool::new(Attribute::CustomAttribute2, 9_000, |number| {
            format!("CC-{:02}-{:05}", number % 40, number * 11)
        }),
    ]
}

/// Columns of a few values.
pub fn few() -> Vec<Pool> {
    vec![
        Pool::new(Attribute::Company, 40, |number| {
            format!("{} Group", name(number * 31 + 9, 2))
        }),
        Pool::new(Attribute::StateOrProvince, 60, |number| name(number * 37 + 10, 3)),
        Pool::new(Attribute::CountryOrRegion, COUNTRIES.len(), |number| {
            COUNTRIES[number].to_owned()
        }),
        Pool::new(Attribute::CustomAttribute3, 100, |number| {
            format!("Project {}", name(number * 41 + 11, 2))
        }),
        Pool::new(Attribute::CustomAttribute4, 5, |number| {
            ["Employee", "Contractor", "Student", "Guest", "Partner"][number].to_owned()
        }),
        Pool::new(Attribute::CustomAttribute5, 200, |number| format!("Site {:03}", number)),
        Pool::new(Attribute::CustomAttribute6, 12, |number| format!("Band {}", number + 1)),
    ]
}

/// Values of the column that holds several: skills.
pub fn skills() -> Pool {
    Pool::new(Attribute::ExtensionCustomAttribute1, 30, |number| {
        name(number * 43 + 12, 2)
    })
}

/// A word of at least `syllables_min` syllables; other numbers give other words.
pub fn name(number: usize, syllables_min: usize) -> String {
    let mut text = String::new();
    let (mut rest, mut count) = (number, 0);
    while rest > 0 || count < syllables_min {
        // Mixing the place in keeps small numbers from all beginning alike.
        text.push_str(SYLLABLES[(rest + count * 7) % SYLLABLES.len()]);
        rest /= SYLLABLES.len();
        count += 1;
    }
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    text
}
