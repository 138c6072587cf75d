//! One question that rules ask: a test of one attribute, membership in a group, a place in the tree.
//!
//! In: a prepared comparison. Out: what an index can look up for it, and the answer for a single value. Rules that
//! ask the same compare as equal here, whatever their text.

use std::borrow::Cow;

use super::super::context::{EvaluationContext, GroupAsked, Reach};
use super::super::fold::fold;
use super::super::matcher::{Matcher, Order, Test, TextTest, country_names};
use super::super::scope::Scope;
use crate::directory::attribute::Attribute;
use crate::directory::dn::DistinguishedName;
use crate::directory::group::ComparisonProfile;
use crate::directory::value::ValueRef;

/// A question about one object.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Ask(Asked);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Asked {
    Test(Attribute, Test),
    Within(Scope),
}

/// How an ask is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AskKind<'a> {
    /// One of the value's texts is this one: a look-up.
    Text {
        /// Of which attribute.
        attribute: Attribute,
        /// Which texts a value has.
        form: TextForm,
        /// The text in its comparison form.
        folded: &'a str,
        /// How texts are folded.
        profile: ComparisonProfile,
    },
    /// By looking at the value.
    Value {
        /// Of which attribute.
        attribute: Attribute,
    },
    /// A stored reference names this object: a look-up of the DN it spells or of the object it names.
    Reference {
        /// Of which attribute.
        attribute: Attribute,
        /// The object.
        target: Target<'a>,
    },
    /// The object lies in a container.
    Within(&'a Scope),
    /// It is a direct member of a group.
    Member(&'a GroupAsked),
    /// It is a direct member of any group.
    MemberOfAny,
    /// It depends on further objects: chains of references, members of members.
    Wide {
        /// Whose values the chain follows; `MemberOfGroup` for members of members.
        attribute: Attribute,
    },
}

/// How a filter names the object that a reference must name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Target<'a> {
    /// By its DN; a reference that is a DN itself compares as text.
    Dn(&'a DistinguishedName),
    /// By its id, folded; a reference that spells it compares as text, any other is resolved.
    Id(&'a str),
}

impl Target<'_> {
    /// The text by which a directory finds the object.
    pub fn reference(&self) -> &str {
        match self {
            Self::Dn(dn) => dn.as_str(),
            Self::Id(id) => id,
        }
    }
}

/// Which texts a value offers for equality.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TextForm {
    /// Itself.
    Plain,
    /// Itself without braces.
    Guid,
    /// Itself and without its type; with `smtp:` as its type, if it states none.
    Address,
    /// Code and names of the country.
    Country,
}

/// A text that every passing value contains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece<'a> {
    pub(super) text: &'a str,
    pub(super) form: TextForm,
    pub(super) profile: ComparisonProfile,
}

impl TextForm {
    /// Calls `visit` with each text of a value, folded; the same text may come twice.
    pub fn each_text(self, value: &ValueRef<'_>, profile: ComparisonProfile, visit: &mut dyn FnMut(&str)) {
        let texts: &[Cow<'_, str>] = match value {
            ValueRef::Text(text) => std::slice::from_ref(text),
            ValueRef::Texts(texts) => texts,
            ValueRef::Absent | ValueRef::Boolean(_) | ValueRef::Integer(_) | ValueRef::Size(_) | ValueRef::Time(_) => {
                return;
            }
        };
        for text in texts {
            self.each_form(text, profile, visit);
        }
    }

    fn each_form(self, text: &str, profile: ComparisonProfile, visit: &mut dyn FnMut(&str)) {
        match self {
            Self::Plain => visit(&fold(text, profile)),
            Self::Guid => visit(&fold(text.trim_matches(['{', '}']), profile)),
            Self::Address => {
                visit(&fold(text, profile));
                match text.split_once(':') {
                    Some((_, bare)) => visit(&fold(bare, profile)),
                    None => visit(&fold(&format!("smtp:{text}"), profile)),
                }
            }
            Self::Country => country_names(text).iter().for_each(|name| visit(&fold(name, profile))),
        }
    }
}

/// What a comparison comes to: asks of which one must hold, or the opposite.
pub(super) struct Split {
    pub(super) any: Vec<Ask>,
    pub(super) negated: bool,
}

impl Ask {
    /// A place in the tree.
    pub(super) fn within(scope: Scope) -> Self {
        Self(Asked::Within(scope))
    }

    /// Takes a comparison apart: a list becomes one ask per text, so that each is looked up.
    pub(super) fn split(matcher: &Matcher) -> Split {
        let attribute = matcher.attribute();
        let mut any = Vec::new();
        let negated = match &matcher.operand.test {
            // `Absent` is the opposite of `Present`, which may be shared.
            Test::Absent => {
                any.push(Self(Asked::Test(attribute, Test::Present)));
                !matcher.is_negated()
            }
            test => {
                each_alternative(attribute, test, &mut any);
                matcher.is_negated()
            }
        };
        Split { any, negated }
    }

    /// How it is answered.
    pub fn kind(&self) -> AskKind<'_> {
        let (attribute, test) = match &self.0 {
            Asked::Within(scope) => return AskKind::Within(scope),
            Asked::Test(attribute, test) => (*attribute, test),
        };
        let text = |form, test| match test {
            &TextTest::Order(Order::Equal, ref folded, profile) => AskKind::Text {
                attribute,
                form,
                folded,
                profile,
            },
            TextTest::Order(..) | TextTest::OneOf(..) | TextTest::Pattern(..) | TextTest::Expression(_) => {
                AskKind::Value { attribute }
            }
        };
        match test {
            Test::Group(group) => match group.reach {
                Reach::Direct => AskKind::Member(group),
                Reach::InChain => AskKind::Wide { attribute },
            },
            Test::Present if attribute == Attribute::MemberOfGroup => AskKind::MemberOfAny,
            Test::Text(test) => text(TextForm::Plain, test),
            Test::Guid(test) => text(TextForm::Guid, test),
            Test::Address(test) => text(TextForm::Address, test),
            Test::Country(test) => text(TextForm::Country, test),
            Test::Dn(dn) => AskKind::Reference {
                attribute,
                target: Target::Dn(dn),
            },
            Test::Object(id) => AskKind::Reference {
                attribute,
                target: Target::Id(id),
            },
            Test::Chain(..) => AskKind::Wide { attribute },
            Test::Never
            | Test::Present
            | Test::Absent
            | Test::Name(..)
            | Test::Boolean(_)
            | Test::Number(..)
            | Test::Bits(..)
            | Test::Size(..)
            | Test::Time(..)
            | Test::Moment(..)
            | Test::Extension(..)
            | Test::Elements(..)
            | Test::Any(_) => AskKind::Value { attribute },
        }
    }

    /// The group whose members it asks for, directly or over others.
    pub fn group(&self) -> Option<&GroupAsked> {
        match &self.0 {
            Asked::Test(_, Test::Group(group)) => Some(group),
            Asked::Test(..) | Asked::Within(_) => None,
        }
    }

    /// The attribute it reads; none for a place.
    pub fn attribute(&self) -> Option<Attribute> {
        match &self.0 {
            Asked::Test(attribute, _) => Some(*attribute),
            Asked::Within(_) => None,
        }
    }

    /// True if a value passes. Places and memberships are not asked of values: false.
    pub fn passes(&self, value: &ValueRef<'_>, context: &dyn EvaluationContext) -> bool {
        match &self.0 {
            Asked::Test(Attribute::MemberOfGroup, _) | Asked::Within(_) => false,
            Asked::Test(_, test) => test.passes(value, context),
        }
    }

    /// True if its answer for one value changes as time goes by.
    pub fn depends_on_now(&self) -> bool {
        match &self.0 {
            Asked::Test(_, test) => matches!(test, Test::Moment(..)),
            Asked::Within(_) => false,
        }
    }

    /// How many objects usually pass it, as far as its form tells: the narrower, the better to find a rule by.
    /// None for those that nearly everybody passes, or that an absent value passes.
    pub(super) fn width(&self) -> Option<u8> {
        match self.kind() {
            AskKind::Text {
                attribute: Attribute::ObjectClass | Attribute::ObjectCategory,
                ..
            } => Some(4),
            AskKind::Text { .. } | AskKind::Reference { .. } => Some(1),
            AskKind::Member(_) => Some(2),
            AskKind::Within(_) => Some(3),
            AskKind::Value { .. } => match &self.0 {
                Asked::Test(_, Test::Present | Test::Absent | Test::Elements(..)) | Asked::Within(_) => None,
                Asked::Test(_, Test::Moment(..)) => None,
                Asked::Test(..) => Some(4),
            },
            AskKind::MemberOfAny | AskKind::Wide { .. } => None,
        }
    }

    /// The longest text that every passing value must contain in its comparison form.
    pub(super) fn piece(&self) -> Option<Piece<'_>> {
        let Asked::Test(_, test) = &self.0 else { return None };
        let (form, test) = match test {
            Test::Text(test) => (TextForm::Plain, test),
            Test::Guid(test) => (TextForm::Guid, test),
            Test::Address(test) => (TextForm::Address, test),
            _ => return None,
        };
        let TextTest::Pattern(pattern, profile) = test else {
            return None;
        };
        let text = pattern.pieces().iter().max_by_key(|piece| piece.len())?;
        (!text.is_empty()).then_some(Piece {
            text,
            form,
            profile: *profile,
        })
    }
}

fn each_alternative(attribute: Attribute, test: &Test, any: &mut Vec<Ask>) {
    let each_text = |test: &TextTest, form: fn(TextTest) -> Test, any: &mut Vec<Ask>| match test {
        TextTest::OneOf(wanted, profile) => any.extend(wanted.iter().map(|text| {
            let equal = TextTest::Order(Order::Equal, text.clone(), *profile);
            Ask(Asked::Test(attribute, form(equal)))
        })),
        TextTest::Order(..) | TextTest::Pattern(..) | TextTest::Expression(_) => {
            any.push(Ask(Asked::Test(attribute, form(test.clone()))));
        }
    };
    match test {
        Test::Any(tests) => tests.iter().for_each(|test| each_alternative(attribute, test, any)),
        Test::Text(test) => each_text(test, Test::Text, any),
        Test::Guid(test) => each_text(test, Test::Guid, any),
        Test::Address(test) => each_text(test, Test::Address, any),
        Test::Country(test) => each_text(test, Test::Country, any),
        _ => any.push(Ask(Asked::Test(attribute, test.clone()))),
    }
}
