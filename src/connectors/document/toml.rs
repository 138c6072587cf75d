//! TOML as a tree with places.

use serde_spanned::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Entry, Fault, Node, NodeValue};

/// Reads a text as far as it can be read; every fault of syntax is in the list.
#[must_use]
pub fn parse(source: &str) -> (Node, Vec<Fault>) {
    let (root, errors) = DeTable::parse_recoverable(source);
    let fault = |error: &toml::de::Error| Fault {
        span: error.span().unwrap_or(0..0),
        path: String::new(),
        message: error.message().trim().replace('\n', "; "),
        suggestion: None,
    };
    let faults = first_causes(errors.iter().map(fault).collect());
    let span = root.span();
    let node = Node {
        span: span.start..span.start,
        value: table(root.into_inner()),
    };
    (node, faults)
}

/// A list or text that is not closed makes a fault of every line below; only the first of them says something.
fn first_causes(mut faults: Vec<Fault>) -> Vec<Fault> {
    faults.sort_by_key(|fault| fault.span.start);
    if !faults.iter().any(|fault| fault.message.starts_with("unclosed")) {
        return faults;
    }
    let follows = |fault: &Fault| fault.message.starts_with("missing comma");
    if let Some(first) = faults.iter().position(follows) {
        faults.truncate(first + 1);
        if let Some(last) = faults.last_mut() {
            last.message = "expected `,` or `]`: a list that begins above is not closed".to_owned();
        }
    }
    faults
}

fn table(table: DeTable<'_>) -> NodeValue {
    let mut entries: Vec<Entry> = table
        .into_iter()
        .map(|(key, value)| Entry {
            key: Spanned::new(key.span(), key.into_inner().into_owned()),
            node: node(value),
        })
        .collect();
    entries.sort_by_key(|entry| entry.key.span().start);
    NodeValue::Table(entries)
}

fn node(value: Spanned<DeValue<'_>>) -> Node {
    let span = value.span();
    let value = match value.into_inner() {
        DeValue::String(text) => NodeValue::Text(text.into_owned()),
        DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix())
            .map_or_else(|_| NodeValue::Number(integer.to_string()), NodeValue::Integer),
        DeValue::Float(float) => NodeValue::Number(float.as_str().to_owned()),
        DeValue::Boolean(boolean) => NodeValue::Boolean(boolean),
        DeValue::Datetime(time) => NodeValue::Time(time.to_string()),
        DeValue::Array(list) => NodeValue::List(list.into_iter().map(node).collect()),
        DeValue::Table(inner) => table(inner),
    };
    Node { span, value }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at<'a>(source: &'a str, node: &Node) -> &'a str {
        &source[node.span.clone()]
    }

    #[test]
    fn values_know_their_place() {
        let source = "a = 1\n[[list]]\nname = \"x\"\n[[list]]\nname = [true, 2.5]\n[t]\nu.v = 1\n";
        let (root, faults) = parse(source);
        assert_eq!(faults, []);
        let NodeValue::Table(entries) = &root.value else {
            panic!("a table")
        };
        assert_eq!(at(source, &entries[0].node), "1");
        let NodeValue::List(list) = &entries[1].node.value else {
            panic!("a list")
        };
        assert_eq!(at(source, &list[1]), "[[list]]");
        assert_eq!(at(source, &entries[2].node), "[t]");
    }

    #[test]
    fn every_fault_of_syntax_is_found() {
        let (_, faults) = parse("a = \nb = 1\nc = [1,\nb = 2\n");
        assert!(faults.len() >= 2, "{faults:?}");
    }
}
