//! What a comparison asks of a value, prepared once per filter.
//!
//! In: attribute, operator and literal. Out: a test over [`ValueRef`], or why the literal can be no value of
//! the attribute. `-like` without `*` is equality.

use super::EvaluationOptions;
use super::context::{EvaluationContext, GroupAsked, GroupName, Reach};
use super::expression::Expression;
use super::fold::{Pattern, fold};
use super::matcher::{Bits, Order, Test, TextTest};
use super::operator::Operator;
use super::predicate::{Literal, Pieces};
use crate::directory::attribute::{Attribute, Property, nearest};
use crate::directory::dn::DistinguishedName;
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
    /// An extension of ours that the settings leave off.
    SwitchedOff,
}

/// A prepared comparison.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Operand {
    /// `-ne`, `-notlike` and their like: holds where the test does not.
    pub(super) negated: bool,
    pub(super) test: Test,
}

impl Operand {
    /// The attribute that is read, and the comparison prepared.
    pub(super) fn of_property(
        property: &Property,
        operator: Operator,
        literal: &Literal,
        options: &EvaluationOptions,
    ) -> Result<Option<(Attribute, Self)>, OperandFault> {
        match property {
            Property::Held(Attribute::MemberOfGroupRecursive) if !options.recursive_membership => {
                Err(OperandFault::SwitchedOff)
            }
            Property::Held(Attribute::MemberOfGroupRecursive) => {
                let operator = if operator == Operator::Eq {
                    Operator::InChain
                } else {
                    operator
                };
                let operand = Self::compile(Attribute::MemberOfGroup, operator, literal, options)?;
                Ok(Some((Attribute::MemberOfGroup, operand)))
            }
            Property::Held(attribute) => Ok(Some((
                *attribute,
                Self::compile(*attribute, operator, literal, options)?,
            ))),
            Property::Extension(name) => {
                let attribute = Attribute::ExtensionProperties;
                let inner = Self::of_type(attribute, ValueType::Text, operator, literal, options)?;
                let test = Test::Extension(name.to_ascii_lowercase().into(), Box::new(inner.test));
                let operand = Self {
                    negated: inner.negated,
                    test,
                };
                Ok(Some((attribute, operand)))
            }
            Property::NotHeld(_) | Property::Device(_) => Ok(None),
        }
    }

    pub(super) fn compile(
        attribute: Attribute,
        operator: Operator,
        literal: &Literal,
        options: &EvaluationOptions,
    ) -> Result<Self, OperandFault> {
        Self::of_type(attribute, attribute.value_type(), operator, literal, options)
    }

    /// A comparison with a value of `attribute`, or with a part of it that has a type of its own.
    pub(super) fn of_type(
        attribute: Attribute,
        value_type: ValueType,
        operator: Operator,
        literal: &Literal,
        options: &EvaluationOptions,
    ) -> Result<Self, OperandFault> {
        let asked = Asked {
            attribute,
            value_type,
            operator: operator.positive(),
            options,
        };
        Ok(Self {
            negated: operator.is_negative(),
            test: asked.test_of(literal)?,
        })
    }

    /// True if the value passes, negation included.
    pub(super) fn holds(&self, value: &ValueRef<'_>, context: &dyn EvaluationContext) -> bool {
        self.test.passes(value, context) != self.negated
    }
}

fn wrong(expected: &'static str) -> OperandFault {
    OperandFault::Value {
        expected,
        suggestion: None,
    }
}

/// A comparison, its negation left out.
struct Asked<'a> {
    attribute: Attribute,
    value_type: ValueType,
    operator: Operator,
    options: &'a EvaluationOptions,
}

impl Asked<'_> {
    fn test_of(&self, literal: &Literal) -> Result<Test, OperandFault> {
        use Operator as O;
        match (self.operator, literal) {
            (O::Eq | O::Like, Literal::Null) => Ok(Test::Absent),
            (_, Literal::Null) => Err(OperandFault::Operator),
            (O::Like, Literal::Pieces(pieces)) => Ok(self.substrings(pieces)),
            (_, Literal::Pieces(_)) => Err(OperandFault::Operator),
            (O::In, Literal::List(values)) => self.list(values),
            (O::In, _) => Err(wrong("a list of texts such as [\"a\",\"b\"]")),
            (_, Literal::List(_)) => Err(OperandFault::Operator),
            (operator, Literal::Now(days)) => match self.value_type {
                ValueType::Time => Ok(Test::Moment(order_of(operator).ok_or(OperandFault::Operator)?, *days)),
                _ => Err(wrong("a value of its own, not a time")),
            },
            (_, Literal::Text(_) | Literal::Number(_) | Literal::Boolean(_)) => {
                self.one(literal.text().unwrap_or_default())
            }
        }
    }

    /// A comparison with one text.
    fn one(&self, text: &str) -> Result<Test, OperandFault> {
        use Operator as O;
        match self.operator {
            O::StartsWith | O::EndsWith | O::Contains | O::Match => self.part(text),
            O::BitAnd => self.bits(Bits::All, text),
            O::BitOr => self.bits(Bits::Any, text),
            O::InChain => self.chain(text),
            O::ReportsTo => Ok(Test::Object(text.trim().trim_matches(['{', '}']).to_lowercase().into())),
            O::Like if !text.is_empty() && text.bytes().all(|byte| byte == b'*') => Ok(Test::Present),
            // The directory stores no empty texts: `-eq ''` equals nothing, `-ne ''` holds for everything.
            O::Eq | O::Like | O::Approx | O::Lt | O::Le | O::Gt | O::Ge if text.is_empty() => Ok(Test::Never),
            O::Like if text.contains('*') => self.typed(Order::Equal, text, &Asked::pattern),
            operator => {
                let order = order_of(operator).ok_or(OperandFault::Operator)?;
                self.typed(order, text, &|asked, text| {
                    TextTest::Order(
                        order,
                        fold(text, asked.options.comparison).into(),
                        asked.options.comparison,
                    )
                })
            }
        }
    }

    fn pattern(&self, text: &str) -> TextTest {
        let profile = self.options.comparison;
        TextTest::Pattern(Pattern::new(text, profile), profile)
    }

    /// A test by the type of the value; texts are tested by what `text_test` makes.
    fn typed(
        &self,
        order: Order,
        text: &str,
        text_test: &dyn Fn(&Self, &str) -> TextTest,
    ) -> Result<Test, OperandFault> {
        let has_wildcard = self.operator == Operator::Like && text.contains('*');
        let is_ordering = order != Order::Equal;
        Ok(match self.value_type {
            ValueType::Text => Test::Text(text_test(self, text)),
            ValueType::Texts => Test::Text(text_test(self, self.category(text))),
            ValueType::Guid => Test::Guid(text_test(self, text.trim_matches(['{', '}']))),
            ValueType::Address | ValueType::Addresses => Test::Address(text_test(self, text)),
            ValueType::Country => Test::Country(text_test(self, text)),
            ValueType::Boolean | ValueType::Dn | ValueType::Dns if is_ordering => return Err(OperandFault::Operator),
            ValueType::Boolean => Test::Boolean(parse_boolean(text).ok_or_else(|| wrong("$true or $false"))?),
            ValueType::Integer => Test::Number(order, text.trim().parse().map_err(|_| wrong("a whole number"))?),
            ValueType::Size => match parse_size(text) {
                // No limit is an absent attribute.
                Some(u64::MAX) => Test::Absent,
                Some(bytes) => Test::Size(order, bytes),
                None => return Err(wrong("a size such as 25MB, or Unlimited")),
            },
            ValueType::Time => {
                let instant = parse_time(text, &self.options.zone);
                let expected = "a date such as '8/1/2017 2:00:00 PM' or '2017-08-01'";
                Test::Time(order, instant.ok_or_else(|| wrong(expected))?)
            }
            ValueType::Enumeration(table) | ValueType::Flags(table) if has_wildcard => {
                Test::Name(table, text_test(self, text))
            }
            ValueType::Enumeration(table) => Test::Number(order, self.enumerated(table, text)?),
            ValueType::Flags(table) => Test::Number(order, flags(table, text)?),
            // Names, addresses and GUIDs are accepted by Exchange and match nothing; a warning says so.
            ValueType::Dn | ValueType::Dns => match DistinguishedName::parse(text).filter(|_| !has_wildcard) {
                Some(dn) => self.reference(dn),
                None => Test::Never,
            },
        })
    }

    fn reference(&self, dn: DistinguishedName) -> Test {
        if self.attribute == Attribute::MemberOfGroup {
            Test::Group(GroupAsked {
                name: GroupName::Dn(dn),
                reach: Reach::Direct,
            })
        } else {
            Test::Dn(dn)
        }
    }

    /// `-in`: equality with any of the values.
    fn list(&self, values: &[Box<str>]) -> Result<Test, OperandFault> {
        let profile = self.options.comparison;
        let mut folded: Vec<Box<str>> = values
            .iter()
            .filter(|value| !value.is_empty())
            .map(|value| fold(value, profile).into())
            .collect();
        folded.sort_unstable();
        folded.dedup();
        match self.value_type {
            ValueType::Text | ValueType::Texts => {
                return Ok(Test::Text(TextTest::OneOf(folded.into_boxed_slice(), profile)));
            }
            ValueType::Address | ValueType::Addresses => {
                return Ok(Test::Address(TextTest::OneOf(folded.into_boxed_slice(), profile)));
            }
            ValueType::Guid
            | ValueType::Country
            | ValueType::Boolean
            | ValueType::Integer
            | ValueType::Size
            | ValueType::Time
            | ValueType::Enumeration(_)
            | ValueType::Flags(_)
            | ValueType::Dn
            | ValueType::Dns => {}
        }
        let equality = Self {
            operator: Operator::Eq,
            ..*self
        };
        let tests: Result<Box<[Test]>, OperandFault> = values.iter().map(|value| equality.one(value)).collect();
        tests.map(Test::Any)
    }

    /// A part of a text, or an expression found in it. DNs are looked into as texts, which only Entra does.
    fn part(&self, text: &str) -> Result<Test, OperandFault> {
        let profile = self.options.comparison;
        let test = match self.operator {
            Operator::Match => {
                let expression = Expression::parse(text).map_err(|_| wrong("a regular expression"))?;
                TextTest::Expression(expression)
            }
            // Every stored text begins with, ends with and contains the empty one.
            _ if text.is_empty() => return Ok(Test::Present),
            Operator::StartsWith => TextTest::Pattern(Pattern::of_pieces([text, ""], profile), profile),
            Operator::EndsWith => TextTest::Pattern(Pattern::of_pieces(["", text], profile), profile),
            _ => TextTest::Pattern(Pattern::of_pieces(["", text, ""], profile), profile),
        };
        match self.value_type {
            ValueType::Text | ValueType::Texts => Ok(Test::Text(test)),
            ValueType::Dn | ValueType::Dns if self.attribute != Attribute::MemberOfGroup => Ok(Test::Text(test)),
            ValueType::Guid => Ok(Test::Guid(test)),
            ValueType::Address | ValueType::Addresses => Ok(Test::Address(test)),
            ValueType::Country => Ok(Test::Country(test)),
            ValueType::Enumeration(table) | ValueType::Flags(table) => Ok(Test::Name(table, test)),
            ValueType::Boolean
            | ValueType::Integer
            | ValueType::Size
            | ValueType::Time
            | ValueType::Dn
            | ValueType::Dns => Err(OperandFault::Operator),
        }
    }

    /// LDAP substrings. Active Directory matches none in DNs, numbers and dates.
    fn substrings(&self, pieces: &Pieces) -> Test {
        let profile = self.options.comparison;
        let all = std::iter::once(&*pieces.initial)
            .chain(pieces.middle.iter().map(|piece| &**piece))
            .chain(std::iter::once(&*pieces.last));
        let test = TextTest::Pattern(Pattern::of_pieces(all, profile), profile);
        match self.value_type {
            ValueType::Text | ValueType::Texts => Test::Text(test),
            ValueType::Address | ValueType::Addresses => Test::Address(test),
            ValueType::Country => Test::Country(test),
            ValueType::Guid
            | ValueType::Dn
            | ValueType::Dns
            | ValueType::Boolean
            | ValueType::Integer
            | ValueType::Size
            | ValueType::Time
            | ValueType::Enumeration(_)
            | ValueType::Flags(_) => Test::Never,
        }
    }

    fn bits(&self, bits: Bits, text: &str) -> Result<Test, OperandFault> {
        match self.value_type {
            ValueType::Integer | ValueType::Enumeration(_) | ValueType::Flags(_) => {
                let mask = text.trim().parse().map_err(|_| wrong("a whole number"))?;
                Ok(Test::Bits(bits, mask))
            }
            ValueType::Text
            | ValueType::Texts
            | ValueType::Address
            | ValueType::Addresses
            | ValueType::Boolean
            | ValueType::Size
            | ValueType::Time
            | ValueType::Country
            | ValueType::Dn
            | ValueType::Dns
            | ValueType::Guid => Err(OperandFault::Operator),
        }
    }

    fn chain(&self, text: &str) -> Result<Test, OperandFault> {
        match self.value_type {
            ValueType::Dn | ValueType::Dns => {}
            _ => return Err(OperandFault::Operator),
        }
        Ok(match DistinguishedName::parse(text) {
            Some(dn) if self.attribute == Attribute::MemberOfGroup => Test::Group(GroupAsked {
                name: GroupName::Dn(dn),
                reach: Reach::InChain,
            }),
            Some(dn) => Test::Chain(self.attribute, dn),
            None => Test::Never,
        })
    }

    /// objectCategory may be given as the DN of a schema class; its first part is the name.
    fn category<'t>(&self, text: &'t str) -> &'t str {
        if self.attribute == Attribute::ObjectCategory && DistinguishedName::parse(text).is_some() {
            DistinguishedName::leaf_of(text).unwrap_or(text)
        } else {
            text
        }
    }

    fn enumerated(&self, table: &'static [Named], text: &str) -> Result<i64, OperandFault> {
        // No numbers are published for RecipientType; ours must not be asked for.
        let may_be_number = self.attribute != Attribute::RecipientType;
        names::number_of(table, text)
            .filter(|_| may_be_number || text.trim().parse::<i64>().is_err())
            .ok_or_else(|| OperandFault::Value {
                expected: "one of its names",
                suggestion: nearest(text.trim(), table.iter().map(|(name, _)| *name)),
            })
    }
}

fn flags(table: &'static [Named], text: &str) -> Result<i64, OperandFault> {
    names::flags_of(table, text).ok_or_else(|| OperandFault::Value {
        expected: "a number or a list of its names",
        suggestion: nearest(text.trim(), table.iter().map(|(name, _)| *name)),
    })
}

fn order_of(operator: Operator) -> Option<Order> {
    match operator {
        Operator::Eq | Operator::Like | Operator::Approx => Some(Order::Equal),
        Operator::Lt => Some(Order::Less),
        Operator::Le => Some(Order::LessOrEqual),
        Operator::Gt => Some(Order::Greater),
        Operator::Ge => Some(Order::GreaterOrEqual),
        Operator::Ne
        | Operator::NotLike
        | Operator::StartsWith
        | Operator::NotStartsWith
        | Operator::EndsWith
        | Operator::NotEndsWith
        | Operator::Contains
        | Operator::NotContains
        | Operator::Match
        | Operator::NotMatch
        | Operator::In
        | Operator::NotIn
        | Operator::BitAnd
        | Operator::BitOr
        | Operator::InChain
        | Operator::ReportsTo => None,
    }
}
