//! What a comparison asks of a value, prepared once per filter.
//!
//! In: attribute, operator and literal. Out: a test over [`ValueRef`], or why the literal can be no value of
//! the attribute. Rules: a missing attribute passes no positive test and every negative one, as in LDAP
//! `(!(attr=x))`; of several values one is enough; `-like` without `*` is equality.

use std::borrow::Cow;

use jiff::Timestamp;

use super::EvaluationOptions;
use super::country;
use super::fold::{Pattern, fold};
use super::predicate::{Literal, Operator};
use crate::directory::attribute::{Attribute, nearest};
use crate::directory::dn::DistinguishedName;
use crate::directory::group::ComparisonProfile;
use crate::directory::names::{self, Named};
use crate::directory::value::{ValueRef, ValueType, parse_boolean, parse_size, parse_time};

/// Why a literal does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum OperandFault {
    Value {
        expected: &'static str,
        suggestion: Option<&'static str>,
    },
    Operator,
}

/// A prepared comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Operand {
    /// `-ne` and `-notlike`: holds where the test does not.
    pub(super) negated: bool,
    pub(super) test: Test,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Test {
    /// Nothing can have this value.
    Never,
    Present,
    Absent,
    Text(TextTest),
    /// Compared without braces.
    Guid(TextTest),
    /// Compared with and without its type prefix.
    Address(TextTest),
    Country(TextTest),
    /// The name of a number.
    Name(&'static [Named], TextTest),
    Boolean(bool),
    Number(Order, i64),
    Size(Order, u64),
    Time(Order, Timestamp),
    Dn(DistinguishedName),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TextTest {
    Order(Order, Box<str>, ComparisonProfile),
    Pattern(Pattern, ComparisonProfile),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Order {
    fn of(operator: Operator) -> Self {
        match operator {
            Operator::Eq | Operator::Ne | Operator::Like | Operator::NotLike => Self::Equal,
            Operator::Lt => Self::Less,
            Operator::Le => Self::LessOrEqual,
            Operator::Gt => Self::Greater,
            Operator::Ge => Self::GreaterOrEqual,
        }
    }

    fn holds<T: Ord + ?Sized>(self, stored: &T, wanted: &T) -> bool {
        match self {
            Self::Equal => stored == wanted,
            Self::Less => stored < wanted,
            Self::LessOrEqual => stored <= wanted,
            Self::Greater => stored > wanted,
            Self::GreaterOrEqual => stored >= wanted,
        }
    }
}

impl Operand {
    pub(super) fn compile(
        attribute: Attribute,
        operator: Operator,
        literal: &Literal,
        options: &EvaluationOptions,
    ) -> Result<Self, OperandFault> {
        let negated = operator.is_negative();
        let Some(text) = literal.text() else {
            if operator.is_ordering() {
                return Err(OperandFault::Operator);
            }
            return Ok(Self {
                negated,
                test: Test::Absent,
            });
        };
        let has_wildcard = operator.takes_wildcards() && text.contains('*');
        let test = if has_wildcard && text.bytes().all(|byte| byte == b'*') {
            Test::Present
        } else if text.is_empty() {
            // The directory stores no empty texts: `-eq ''` equals nothing, `-ne ''` holds for everything.
            Test::Never
        } else {
            Asked {
                attribute,
                operator,
                text,
                has_wildcard,
                options,
            }
            .test()?
        };
        Ok(Self { negated, test })
    }
}

/// A comparison with a text that is neither empty nor only a wildcard.
struct Asked<'a> {
    attribute: Attribute,
    operator: Operator,
    text: &'a str,
    has_wildcard: bool,
    options: &'a EvaluationOptions,
}

impl Asked<'_> {
    fn test(&self) -> Result<Test, OperandFault> {
        let order = Order::of(self.operator);
        let wrong = |expected| OperandFault::Value {
            expected,
            suggestion: None,
        };
        Ok(match self.attribute.value_type() {
            ValueType::Text => Test::Text(self.text_test(self.text)),
            ValueType::Texts => Test::Text(self.text_test(self.category())),
            ValueType::Guid => Test::Guid(self.text_test(self.text.trim_matches(['{', '}']))),
            ValueType::Address | ValueType::Addresses => Test::Address(self.text_test(self.text)),
            ValueType::Country => Test::Country(self.text_test(self.text)),
            ValueType::Boolean => {
                if self.operator.is_ordering() {
                    return Err(OperandFault::Operator);
                }
                Test::Boolean(parse_boolean(self.text).ok_or_else(|| wrong("$true or $false"))?)
            }
            ValueType::Integer => Test::Number(order, self.text.trim().parse().map_err(|_| wrong("a whole number"))?),
            ValueType::Size => match parse_size(self.text) {
                // No limit is an absent attribute.
                Some(u64::MAX) => Test::Absent,
                Some(bytes) => Test::Size(order, bytes),
                None => return Err(wrong("a size such as 25MB, or Unlimited")),
            },
            ValueType::Time => {
                let instant = parse_time(self.text, &self.options.zone);
                Test::Time(
                    order,
                    instant.ok_or_else(|| wrong("a date such as '8/1/2017 2:00:00 PM' or '2017-08-01'"))?,
                )
            }
            ValueType::Enumeration(table) => self.enumeration(table, order)?,
            ValueType::Flags(table) => self.flags(table, order)?,
            ValueType::Dn | ValueType::Dns => {
                if self.operator.is_ordering() {
                    return Err(OperandFault::Operator);
                }
                // Names, addresses and GUIDs are accepted by Exchange and match nothing; a warning says so.
                match DistinguishedName::parse(self.text) {
                    Some(dn) if !self.has_wildcard => Test::Dn(dn),
                    Some(_) | None => Test::Never,
                }
            }
        })
    }

    fn text_test(&self, text: &str) -> TextTest {
        let profile = self.options.comparison;
        if self.has_wildcard {
            TextTest::Pattern(Pattern::new(text, profile), profile)
        } else {
            TextTest::Order(Order::of(self.operator), fold(text, profile).into(), profile)
        }
    }

    /// objectCategory may be given as the DN of a schema class; its first part is the name.
    fn category(&self) -> &str {
        if self.attribute == Attribute::ObjectCategory && DistinguishedName::parse(self.text).is_some() {
            DistinguishedName::leaf_of(self.text).unwrap_or(self.text)
        } else {
            self.text
        }
    }

    fn enumeration(&self, table: &'static [Named], order: Order) -> Result<Test, OperandFault> {
        if self.has_wildcard {
            return Ok(Test::Name(table, self.text_test(self.text)));
        }
        // No numbers are published for RecipientType; ours must not be asked for.
        let may_be_number = self.attribute != Attribute::RecipientType;
        match names::number_of(table, self.text) {
            Some(number) if may_be_number || self.text.trim().parse::<i64>().is_err() => {
                Ok(Test::Number(order, number))
            }
            Some(_) | None => Err(OperandFault::Value {
                expected: "one of its names",
                suggestion: nearest(self.text.trim(), table.iter().map(|(name, _)| *name)),
            }),
        }
    }

    fn flags(&self, table: &'static [Named], order: Order) -> Result<Test, OperandFault> {
        if self.has_wildcard {
            return Ok(Test::Name(table, self.text_test(self.text)));
        }
        match names::flags_of(table, self.text) {
            Some(number) => Ok(Test::Number(order, number)),
            None => Err(OperandFault::Value {
                expected: "a number or a list of its names",
                suggestion: nearest(self.text.trim(), table.iter().map(|(name, _)| *name)),
            }),
        }
    }
}

impl TextTest {
    fn fits(&self, stored: &str) -> bool {
        match self {
            Self::Order(order, wanted, profile) => order.holds(&*fold(stored, *profile), &**wanted),
            Self::Pattern(pattern, profile) => pattern.fits(&fold(stored, *profile)),
        }
    }
}

impl Test {
    /// True if the value passes. DNs are compared by `same`, because a stored reference may be an address.
    pub(super) fn passes(&self, value: &ValueRef<'_>, same: &dyn Fn(&str, &DistinguishedName) -> bool) -> bool {
        match (self, value) {
            (Self::Never, _) => false,
            (Self::Present, value) => *value != ValueRef::Absent,
            (Self::Absent, value) => *value == ValueRef::Absent,
            (Self::Boolean(wanted), ValueRef::Boolean(stored)) => stored == wanted,
            (Self::Number(order, wanted), ValueRef::Integer(stored)) => order.holds(stored, wanted),
            (Self::Size(order, wanted), ValueRef::Size(stored)) => order.holds(stored, wanted),
            (Self::Time(order, wanted), ValueRef::Time(stored)) => order.holds(stored, wanted),
            (Self::Name(table, test), ValueRef::Integer(stored)) => {
                table.iter().any(|(name, number)| number == stored && test.fits(name))
            }
            (test, ValueRef::Text(text)) => test.passes_text(text, same),
            (test, ValueRef::Texts(texts)) => texts.iter().any(|text| test.passes_text(text, same)),
            // A value of another type than its attribute's cannot be stored; absent passes no positive test.
            (
                Self::Text(_)
                | Self::Guid(_)
                | Self::Address(_)
                | Self::Country(_)
                | Self::Name(..)
                | Self::Boolean(_)
                | Self::Number(..)
                | Self::Size(..)
                | Self::Time(..)
                | Self::Dn(_),
                ValueRef::Absent | ValueRef::Boolean(_) | ValueRef::Integer(_) | ValueRef::Size(_) | ValueRef::Time(_),
            ) => false,
        }
    }

    fn passes_text(&self, stored: &str, same: &dyn Fn(&str, &DistinguishedName) -> bool) -> bool {
        match self {
            Self::Text(test) => test.fits(stored),
            Self::Guid(test) => test.fits(stored.trim_matches(['{', '}'])),
            Self::Address(test) => {
                let bare = stored.split_once(':').map_or(stored, |(_, bare)| bare);
                // A filter may carry the type where the stored text does not.
                test.fits(stored) || test.fits(bare) || test.fits(&format!("smtp:{bare}"))
            }
            Self::Country(test) => country_names(stored).iter().any(|name| test.fits(name)),
            Self::Dn(dn) => same(stored, dn),
            Self::Never
            | Self::Present
            | Self::Absent
            | Self::Name(..)
            | Self::Boolean(_)
            | Self::Number(..)
            | Self::Size(..)
            | Self::Time(..) => false,
        }
    }
}

/// Everything a country may be called in a filter.
fn country_names(stored: &str) -> Vec<Cow<'_, str>> {
    let mut all = vec![Cow::Borrowed(stored)];
    if let Some(found) = country::by_text(stored) {
        all.push(Cow::Borrowed(found.code));
        all.push(Cow::Borrowed(found.name));
        all.push(Cow::Owned(found.name.replace(' ', "")));
    }
    all
}
