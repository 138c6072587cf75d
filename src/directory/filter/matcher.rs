//! One prepared comparison and what it says about a value.
//!
//! In: a value, an object, or what a planner wants to know about the comparison. Out: whether it passes, and
//! what an index can look up for it. Rules: a missing value passes no positive test and every negative one, as
//! in LDAP `(!(attr=x))`; of several values one is enough.

use std::borrow::Cow;

use jiff::{SignedDuration, Timestamp};

use super::context::{EvaluationContext, GroupAsked};
use super::country;
use super::element::ElementNode;
use super::expression::Expression;
use super::fold::{Pattern, fold};
use super::operand::Operand;
use super::predicate::{Comparison, DaysFromNow};
use super::quantified::{Quantified, Quantifier};
use crate::directory::attribute::Attribute;
use crate::directory::dn::DistinguishedName;
use crate::directory::fields::extension_of_text;
use crate::directory::group::ComparisonProfile;
use crate::directory::names::Named;
use crate::directory::recipient::RecipientObject;
use crate::directory::value::ValueRef;

/// What a comparison asks of a value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
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
    Bits(Bits, i64),
    Size(Order, u64),
    Time(Order, Timestamp),
    /// A time counted from the instant of evaluation.
    Moment(Order, DaysFromNow),
    Dn(DistinguishedName),
    /// The reference leads to the DN over any number of steps of the same attribute.
    Chain(Attribute, DistinguishedName),
    /// The reference names the object with this id.
    Object(Box<str>),
    /// Asked of the context, not of the value.
    Group(GroupAsked),
    /// One property among the extension properties of the object: its folded name, and the test of its value.
    Extension(Box<str>, Box<Test>),
    Elements(Quantifier, Box<ElementNode>),
    /// Any of them passes.
    Any(Box<[Test]>),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum TextTest {
    Order(Order, Box<str>, ComparisonProfile),
    /// Sorted.
    OneOf(Box<[Box<str>]>, ComparisonProfile),
    Pattern(Pattern, ComparisonProfile),
    /// Searched in the text as it is stored.
    Expression(Expression),
}

/// How two values compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Order {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// Which bits of a value must be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Bits {
    All,
    Any,
}

impl Order {
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

impl TextTest {
    pub(super) fn fits(&self, stored: &str) -> bool {
        match self {
            Self::Order(order, wanted, profile) => order.holds(&*fold(stored, *profile), &**wanted),
            Self::OneOf(wanted, profile) => {
                let folded = fold(stored, *profile);
                wanted.binary_search_by(|each| (**each).cmp(&*folded)).is_ok()
            }
            Self::Pattern(pattern, profile) => pattern.fits(&fold(stored, *profile)),
            Self::Expression(expression) => expression.is_found_in(stored),
        }
    }

    /// True if what is wanted begins with an address type, which a stored address may lack.
    fn names_address_type(&self) -> bool {
        const TYPE: &str = "smtp:";
        match self {
            Self::Order(_, wanted, _) => wanted.starts_with(TYPE),
            Self::OneOf(wanted, _) => wanted.iter().any(|each| each.starts_with(TYPE)),
            Self::Pattern(pattern, _) => pattern.pieces().first().is_some_and(|piece| piece.starts_with(TYPE)),
            Self::Expression(_) => false,
        }
    }
}

impl Test {
    /// True if the value passes. References are resolved by the context, because a stored one may be an address.
    pub(super) fn passes(&self, value: &ValueRef<'_>, context: &dyn EvaluationContext) -> bool {
        match (self, value) {
            (Self::Never, _) => false,
            (Self::Present, value) => *value != ValueRef::Absent,
            (Self::Absent, value) => *value == ValueRef::Absent,
            (Self::Any(tests), value) => tests.iter().any(|test| test.passes(value, context)),
            (Self::Extension(name, test), value) => test.passes(&extension(value, name), context),
            (Self::Elements(quantifier, node), value) => {
                let passes = |text: &Cow<'_, str>| node.holds(text, context);
                match (quantifier, value) {
                    (Quantifier::Any, ValueRef::Texts(texts)) => texts.iter().any(passes),
                    (Quantifier::All, ValueRef::Texts(texts)) => texts.iter().all(passes),
                    (_, ValueRef::Text(text)) => passes(text),
                    (Quantifier::Any, _) => false,
                    (Quantifier::All, _) => true,
                }
            }
            (Self::Boolean(wanted), ValueRef::Boolean(stored)) => stored == wanted,
            (Self::Number(order, wanted), ValueRef::Integer(stored)) => order.holds(stored, wanted),
            // -1 stands for a kind without a published number; it is no set of bits.
            (Self::Bits(_, _), ValueRef::Integer(-1)) => false,
            (Self::Bits(Bits::All, mask), ValueRef::Integer(stored)) => stored & mask == *mask,
            (Self::Bits(Bits::Any, mask), ValueRef::Integer(stored)) => stored & mask != 0,
            (Self::Size(order, wanted), ValueRef::Size(stored)) => order.holds(stored, wanted),
            (Self::Time(order, wanted), ValueRef::Time(stored)) => order.holds(stored, wanted),
            (Self::Moment(order, days), ValueRef::Time(stored)) => {
                order.holds(stored, &days_later(context.now(), *days))
            }
            (Self::Name(table, test), ValueRef::Integer(stored)) => {
                table.iter().any(|(name, number)| number == stored && test.fits(name))
            }
            (test, ValueRef::Text(text)) => test.passes_text(text, context),
            (test, ValueRef::Texts(texts)) => texts.iter().any(|text| test.passes_text(text, context)),
            // A value of another type than its attribute's cannot be stored; absent passes no positive test.
            (
                _,
                ValueRef::Absent | ValueRef::Boolean(_) | ValueRef::Integer(_) | ValueRef::Size(_) | ValueRef::Time(_),
            ) => false,
        }
    }

    fn passes_text(&self, stored: &str, context: &dyn EvaluationContext) -> bool {
        match self {
            Self::Text(test) => test.fits(stored),
            Self::Guid(test) => test.fits(stored.trim_matches(['{', '}'])),
            Self::Address(test) => {
                let typed = stored.split_once(':');
                test.fits(stored)
                    || match typed {
                        Some((_, bare)) => test.fits(bare),
                        // A filter may carry the type where the stored text does not.
                        None => test.names_address_type() && test.fits(&format!("smtp:{stored}")),
                    }
            }
            Self::Country(test) => country_names(stored).iter().any(|name| test.fits(name)),
            Self::Dn(dn) => context.same_object(stored, dn),
            Self::Chain(attribute, dn) => context.leads_to(*attribute, stored, dn),
            Self::Object(id) => context.has_id(stored, id),
            Self::Never
            | Self::Present
            | Self::Absent
            | Self::Any(_)
            | Self::Extension(..)
            | Self::Elements(..)
            | Self::Group(_)
            | Self::Name(..)
            | Self::Boolean(_)
            | Self::Number(..)
            | Self::Bits(..)
            | Self::Size(..)
            | Self::Time(..)
            | Self::Moment(..) => false,
        }
    }

    /// The class of users, in the form objectClass has.
    pub(super) fn user_class() -> Self {
        Self::Text(TextTest::Order(Order::Equal, "user".into(), ComparisonProfile::Cloud))
    }

    fn text_test(&self) -> Option<&TextTest> {
        match self {
            Self::Text(test) => Some(test),
            _ => None,
        }
    }
}

/// The value of one extension property among all of an object.
fn extension<'a>(value: &'a ValueRef<'_>, name: &str) -> ValueRef<'a> {
    let find = |text: &'a str| {
        extension_of_text(text).and_then(|(each, value)| each.eq_ignore_ascii_case(name).then_some(value))
    };
    match value {
        ValueRef::Text(text) => ValueRef::text(find(text)),
        ValueRef::Texts(texts) => ValueRef::text(texts.iter().find_map(|text| find(text))),
        ValueRef::Absent | ValueRef::Boolean(_) | ValueRef::Integer(_) | ValueRef::Size(_) | ValueRef::Time(_) => {
            ValueRef::Absent
        }
    }
}

/// Everything a country may be called in a filter.
pub(super) fn country_names(stored: &str) -> Vec<Cow<'_, str>> {
    let mut all = vec![Cow::Borrowed(stored)];
    if let Some(found) = country::by_text(stored) {
        all.push(Cow::Borrowed(found.code));
        all.push(Cow::Borrowed(found.name));
        all.push(Cow::Owned(found.name.replace(' ', "")));
    }
    all
}

/// `now` and a number of days of 24 hours; at the ends of time it stops.
fn days_later(now: Timestamp, days: DaysFromNow) -> Timestamp {
    let distance = SignedDuration::from_hours(i64::from(days.0) * 24);
    now.saturating_add(distance).unwrap_or(now)
}

/// What a matcher was made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Written {
    Comparison(Comparison),
    Quantified(Box<Quantified>),
    /// What Entra says of its groups without writing it.
    UsersOnly,
}

/// One comparison, prepared and as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matcher {
    pub(super) attribute: Attribute,
    pub(super) operand: Operand,
    pub(super) written: Written,
}

/// Folded parts of a pattern: the text begins with the first, ends with the last, and holds the others between
/// them in this order. The first and the last may be empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Needle<'a> {
    /// At least two.
    pub pieces: &'a [Box<str>],
    pub profile: ComparisonProfile,
}

impl Matcher {
    /// The attribute it reads; `MemberOfGroup` is answered by the context.
    pub fn attribute(&self) -> Attribute {
        self.attribute
    }

    /// The comparison as written.
    pub fn text(&self) -> String {
        self.written.to_string()
    }

    /// True if it holds where [`Matcher::passes`] does not.
    pub fn is_negated(&self) -> bool {
        self.operand.negated
    }

    /// True if the value passes, the negation left out. Not for tests of membership.
    pub fn passes(&self, value: &ValueRef<'_>, context: &dyn EvaluationContext) -> bool {
        self.operand.test.passes(value, context)
    }

    /// True if the object passes, negation included.
    pub fn holds(&self, recipient: &RecipientObject, context: &dyn EvaluationContext) -> bool {
        let passes = if self.attribute == Attribute::MemberOfGroup {
            match &self.operand.test {
                Test::Group(group) => context.is_member(recipient, group),
                Test::Present => context.is_member_of_any(recipient),
                Test::Absent => !context.is_member_of_any(recipient),
                // What is no DN names no group.
                _ => false,
            }
        } else {
            self.operand.test.passes(&recipient.value(self.attribute), context)
        };
        passes != self.operand.negated
    }

    /// Folded texts one of which the whole value must equal, and how to fold; not for addresses, GUIDs and
    /// countries, which have several forms.
    pub fn equalities(&self) -> Option<(&[Box<str>], ComparisonProfile)> {
        match self.operand.test.text_test()? {
            TextTest::Order(Order::Equal, wanted, profile) => Some((std::slice::from_ref(wanted), *profile)),
            TextTest::OneOf(wanted, profile) => Some((wanted, *profile)),
            TextTest::Order(..) | TextTest::Pattern(..) | TextTest::Expression(_) => None,
        }
    }

    /// The one folded text the whole value must equal.
    pub fn equality(&self) -> Option<(&str, ComparisonProfile)> {
        match self.equalities()? {
            ([only], profile) => Some((only, profile)),
            _ => None,
        }
    }

    /// The parts of a pattern over a plain text.
    pub fn needle(&self) -> Option<Needle<'_>> {
        match self.operand.test.text_test()? {
            TextTest::Pattern(pattern, profile) => Some(Needle {
                pieces: pattern.pieces(),
                profile: *profile,
            }),
            TextTest::Order(..) | TextTest::OneOf(..) | TextTest::Expression(_) => None,
        }
    }

    /// The expression that must be found in a plain text.
    pub fn regex(&self) -> Option<&Expression> {
        match self.operand.test.text_test()? {
            TextTest::Expression(expression) => Some(expression),
            TextTest::Order(..) | TextTest::OneOf(..) | TextTest::Pattern(..) => None,
        }
    }

    /// The DN a reference must name.
    pub fn dn(&self) -> Option<&DistinguishedName> {
        match &self.operand.test {
            Test::Dn(dn) => Some(dn),
            _ => None,
        }
    }

    /// The DN a chain of references must lead to: the answer depends on other objects too.
    pub fn chain(&self) -> Option<&DistinguishedName> {
        match &self.operand.test {
            Test::Chain(_, dn) => Some(dn),
            _ => None,
        }
    }

    /// The id of the object a reference must name (`Direct Reports for`).
    pub fn object_id(&self) -> Option<&str> {
        match &self.operand.test {
            Test::Object(id) => Some(id),
            _ => None,
        }
    }

    /// The group whose members it asks for.
    pub fn group(&self) -> Option<&GroupAsked> {
        match &self.operand.test {
            Test::Group(group) => Some(group),
            _ => None,
        }
    }

    /// True if it asks whether the object is a member of any group at all.
    pub fn asks_any_membership(&self) -> bool {
        self.attribute == Attribute::MemberOfGroup && matches!(self.operand.test, Test::Present | Test::Absent)
    }

    /// True if it asks whether there is a value (`true`) or none (`false`), the negation left out.
    pub fn presence(&self) -> Option<bool> {
        match &self.operand.test {
            Test::Present => Some(true),
            Test::Absent => Some(false),
            _ => None,
        }
    }

    /// True if no value passes.
    pub fn is_never(&self) -> bool {
        self.operand.test == Test::Never
    }

    /// True if an object without a value passes, the negation left out.
    pub fn passes_absent(&self, context: &dyn EvaluationContext) -> bool {
        self.passes(&ValueRef::Absent, context)
    }

    /// True if the answer for one and the same value changes as time goes by.
    pub fn depends_on_now(&self) -> bool {
        matches!(self.operand.test, Test::Moment(..))
    }

    /// The first instant after `now` at which the answer for this value is another than before it.
    pub fn next_change(&self, value: &ValueRef<'_>, now: Timestamp) -> Option<Timestamp> {
        let (Test::Moment(order, days), ValueRef::Time(stored)) = (&self.operand.test, value) else {
            return None;
        };
        let meets = stored
            .checked_sub(SignedDuration::from_hours(i64::from(days.0) * 24))
            .ok()?;
        let after = meets.checked_add(SignedDuration::from_nanos(1)).ok()?;
        // The sides are equal for one instant: `>=` still holds then, `>` holds no more.
        let instants: &[Timestamp] = match order {
            Order::GreaterOrEqual | Order::Less => &[after],
            Order::Greater | Order::LessOrEqual => &[meets],
            Order::Equal => &[meets, after],
        };
        instants.iter().copied().find(|instant| *instant > now)
    }
}
