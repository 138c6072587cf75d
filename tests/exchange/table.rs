//! Rows, and how they are asked.

use crate::support::{World, message};

/// Where a row is from, and where ours is other.
pub struct Source {
    /// Section, and what it says.
    pub says: &'static str,
    /// Why ours is other; empty where it is not.
    pub differs: &'static str,
}

/// A row as Exchange has it.
pub const fn same(says: &'static str) -> Source {
    Source { says, differs: "" }
}

/// A row that is other here.
pub const fn differs(says: &'static str, differs: &'static str) -> Source {
    Source { says, differs }
}

/// Who knocks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// A stranger at the MX.
    Outside,
    /// A client that proves its senders internal.
    Inside,
}

/// Sends one message to one recipient; the reply that decided.
pub fn ask(world: &World, door: Door, from: &str, to: &str, content: &str) -> String {
    let mut client = match door {
        Door::Outside => world.stranger(),
        Door::Inside => world.colleague(),
    };
    let replies = client.send(from, &[to], content);
    let refused = replies.iter().find(|reply| !reply.starts_with('2'));
    refused.or(replies.last()).cloned().unwrap_or_default()
}

/// The same with an ordinary message that names the recipient in To.
pub fn write(world: &World, door: Door, from: &str, to: &str, subject: &str) -> String {
    ask(world, door, from, to, &message(from, to, subject))
}

/// Fails with every row that does not hold, not with the first.
pub fn verify(rows: impl IntoIterator<Item = (Source, String, Result<(), String>)>) {
    let mut count = 0;
    let failed: Vec<String> = rows
        .into_iter()
        .inspect(|_| count += 1)
        .filter_map(|(source, case, held)| {
            let fault = held.err()?;
            let differs = if source.differs.is_empty() {
                String::new()
            } else {
                format!("\n    Differs: {}", source.differs)
            };
            Some(format!("  {case}\n    {}{differs}\n    {fault}", source.says))
        })
        .collect();
    assert!(count > 0, "a table has rows");
    assert!(
        failed.is_empty(),
        "{} of {count} rows:\n{}",
        failed.len(),
        failed.join("\n")
    );
}

/// True if a reply begins so; else what it was.
pub fn begins(reply: &str, expected: &str) -> Result<(), String> {
    if reply.starts_with(expected) {
        Ok(())
    } else {
        Err(format!("expected {expected}, found {reply}"))
    }
}

/// Waits until everything that was accepted has been delivered.
pub fn drained(world: &World) {
    world.until("an empty queue", || {
        world.json(&["queue", "list"]).as_array().is_some_and(Vec::is_empty)
    });
}
