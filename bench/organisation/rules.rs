//! Rules: what the dynamic groups of the organisation ask, in OPATH or Entra's language and as an LDAP filter.
//!
//! Three kinds, in the shares of Exchange Online's ceiling: 30 % test a column of under 10,000 values by prefix,
//! suffix, substring or comparison; one in thirty tests a column of unique values by substring or `-match`; the rest
//! are equalities and small combinations of them.

use std::fmt::Write as _;

use muster::directory::attribute::Attribute;
use muster::directory::group::FilterLanguage;

use super::chance::Chance;
use super::ldif::{CLASS, column};
use super::words::{Pool, name};
use super::{Organisation, employee, phone};

/// How many people a typical group has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mix {
    /// Lists of departments, sites, companies: up to a few per cent of everybody.
    Broad,
    /// Lists of teams: dozens.
    Narrow,
}

/// What one group asks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Rule {
    Test(Attribute, Test),
    All(Vec<Rule>),
    Any(Vec<Rule>),
    Not(Box<Rule>),
}

/// One test of one column.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Test {
    Equal(String),
    NotEqual(String),
    Prefix(String),
    Suffix(String),
    Part(String),
    AtLeast(String),
    AtMost(String),
    /// `-match "head[ab]tail"`, which only Entra's language says; of users, as `user.…` does.
    Match {
        head: String,
        either: [char; 2],
        tail: String,
    },
}

/// Which of the three kinds a group belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Part or order of a column of under 10,000 values.
    Wide,
    /// Part of a unique column.
    Unique,
    /// Equality and combinations.
    Plain,
}

impl Kind {
    /// Of thirty groups nine are wide and one is unique: 900 and 100 of 3,000.
    pub fn of(number: usize) -> Self {
        match number % 30 {
            0..9 => Self::Wide,
            9 => Self::Unique,
            _ => Self::Plain,
        }
    }
}

/// Makes the rules.
#[derive(Clone, Debug)]
pub struct RuleMaker {
    seed: u64,
    mix: Mix,
}

impl RuleMaker {
    pub fn new(seed: u64, mix: Mix) -> Self {
        Self { seed, mix }
    }

    /// The rule of one group, the same every time.
    pub fn rule(&self, organisation: &Organisation, number: usize) -> Rule {
        let chance = &mut Chance::new(self.seed ^ 0xF1_17E2, number as u64);
        let rule = match Kind::of(number) {
            Kind::Wide => wide(organisation, chance),
            Kind::Unique => return unique(organisation, chance),
            Kind::Plain => plain(organisation, chance),
        };
        match self.mix {
            Mix::Broad => rule,
            // A team within what the rule says: one cost centre or street.
            Mix::Narrow => {
                let pool = organisation.pool(*chance.of(&[Attribute::CustomAttribute2, Attribute::StreetAddress]));
                Rule::All(vec![rule, equal(pool, chance)])
            }
        }
    }
}

fn wide(organisation: &Organisation, chance: &mut Chance) -> Rule {
    let pool = chance.of(organisation.wide());
    let value = pool.value(chance.skewed(pool.len())).to_string();
    let letters = value.len();
    let test = match chance.below(5) {
        0 => Test::Prefix(cut(&value, 0, 4.min(letters))),
        1 => Test::Suffix(cut(&value, letters.saturating_sub(4), letters)),
        2 => {
            let from = 1.min(letters - 1);
            Test::Part(cut(&value, from, (from + 4).min(letters)))
        }
        // The outermost tenth of the column, so that the list is not half of everybody.
        3 => Test::AtLeast(pool.edge(90 + chance.below(10)).to_owned()),
        _ => Test::AtMost(pool.edge(1 + chance.below(10)).to_owned()),
    };
    Rule::Test(pool.attribute, test)
}

fn unique(organisation: &Organisation, chance: &mut Chance) -> Rule {
    let number = chance.below(organisation.people());
    if chance.percent(50) {
        let digits = employee(number);
        let test = Test::Match {
            head: digits.get(4..6).unwrap_or("0").to_owned(),
            either: [char::from(b'0' + u8::try_from(number % 9).unwrap_or(0)), '9'],
            tail: digits.get(7..).unwrap_or("0").to_owned(),
        };
        return Rule::Test(Attribute::CustomAttribute1, test);
    }
    let (attribute, text) = match chance.below(4) {
        0 => (Attribute::DisplayName, format!(" {}", number % 10_000)),
        1 => (Attribute::UserPrincipalName, name(number % 9_973, 2).to_lowercase()),
        2 => (Attribute::Phone, cut(&phone(number), 7, 11)),
        _ => (Attribute::CustomAttribute1, cut(&employee(number), 4, 8)),
    };
    Rule::Test(attribute, Test::Part(text.trim().to_owned()))
}

fn plain(organisation: &Organisation, chance: &mut Chance) -> Rule {
    let few = chance.of(organisation.few());
    let other = chance.of(organisation.few());
    let wide = chance.of(organisation.wide());
    match chance.below(6) {
        0 => equal(wide, chance),
        1 => Rule::All(vec![equal(few, chance), equal(other, chance)]),
        2 => Rule::All(vec![equal(few, chance), different(other, chance)]),
        3 => Rule::Any((0..=1 + chance.below(4)).map(|_| equal(wide, chance)).collect()),
        4 => {
            let either = Rule::Any(vec![equal(other, chance), equal(other, chance)]);
            Rule::All(vec![equal(few, chance), either, different(wide, chance)])
        }
        _ => {
            let neither = Rule::Any(vec![equal(other, chance), equal(wide, chance)]);
            Rule::All(vec![equal(few, chance), Rule::Not(Box::new(neither))])
        }
    }
}

fn equal(pool: &Pool, chance: &mut Chance) -> Rule {
    let value = pool.value(chance.skewed(pool.len())).to_string();
    Rule::Test(pool.attribute, Test::Equal(value))
}

fn different(pool: &Pool, chance: &mut Chance) -> Rule {
    let value = pool.value(chance.skewed(pool.len())).to_string();
    Rule::Test(pool.attribute, Test::NotEqual(value))
}

/// Characters of a text; generated texts are ASCII. Blanks at an end would mean different things to two servers.
fn cut(text: &str, from: usize, to: usize) -> String {
    text.get(from..to).unwrap_or(text).trim().to_owned()
}

impl Rule {
    /// In the language that can say it.
    pub fn text(&self) -> (FilterLanguage, String) {
        match self {
            Self::Test(
                _,
                Test::Match {
                    head,
                    either: [one, other],
                    tail,
                },
            ) => {
                let text = format!("user.extensionAttribute1 -match \"{head}[{one}{other}]{tail}\"");
                (FilterLanguage::Entra, text)
            }
            Self::Test(..) | Self::All(_) | Self::Any(_) | Self::Not(_) => (FilterLanguage::Opath, self.opath()),
        }
    }

    /// As Exchange's `RecipientFilter`; a `-match` has no such form and stands alone.
    pub fn opath(&self) -> String {
        match self {
            Self::Test(attribute, test) => {
                let (operator, value) = match test {
                    Test::Equal(value) => ("eq", value.clone()),
                    Test::NotEqual(value) => ("ne", value.clone()),
                    Test::Prefix(value) => ("like", format!("{value}*")),
                    Test::Suffix(value) => ("like", format!("*{value}")),
                    Test::Part(value) => ("like", format!("*{value}*")),
                    Test::AtLeast(value) => ("ge", value.clone()),
                    Test::AtMost(value) => ("le", value.clone()),
                    Test::Match { head, .. } => ("like", format!("*{head}*")),
                };
                format!("{attribute} -{operator} '{value}'")
            }
            Self::All(parts) => joined(parts, " -and "),
            Self::Any(parts) => joined(parts, " -or "),
            Self::Not(inner) => format!("-not({})", inner.opath()),
        }
    }

    /// As an LDAP filter over the columns of [`super::ldif`].
    pub fn ldap(&self) -> String {
        match self {
            Self::Test(attribute, test) => {
                let column = column(*attribute);
                match test {
                    Test::Equal(value) => format!("({column}={value})"),
                    Test::NotEqual(value) => format!("(!({column}={value}))"),
                    Test::Prefix(value) => format!("({column}={value}*)"),
                    Test::Suffix(value) => format!("({column}=*{value})"),
                    Test::Part(value) => format!("({column}=*{value}*)"),
                    Test::AtLeast(value) => format!("({column}>={value})"),
                    Test::AtMost(value) => format!("({column}<={value})"),
                    Test::Match {
                        head,
                        either: [one, other],
                        tail,
                    } => format!("(&({CLASS}=user)(|({column}=*{head}{one}{tail}*)({column}=*{head}{other}{tail}*)))"),
                }
            }
            Self::All(parts) => prefixed(parts, '&'),
            Self::Any(parts) => prefixed(parts, '|'),
            Self::Not(inner) => format!("(!{})", inner.ldap()),
        }
    }
}

fn joined(parts: &[Rule], word: &str) -> String {
    let parts: Vec<String> = parts.iter().map(|part| format!("({})", part.opath())).collect();
    parts.join(word)
}

fn prefixed(parts: &[Rule], sign: char) -> String {
    let mut text = format!("({sign}");
    for part in parts {
        let _ = write!(text, "{}", part.ldap());
    }
    text.push(')');
    text
}
