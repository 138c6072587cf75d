//! `test spoof` as text.

use super::text::{clean, number, table};
use crate::admin::answer::{SpoofOutcome, SpoofTested};

/// Most characters of a column; `--json` has all.
const COLUMN_MAX: usize = 72;

fn cut(text: &str) -> String {
    if text.chars().count() <= COLUMN_MAX {
        return text.to_owned();
    }
    text.chars().take(COLUMN_MAX - 1).chain(['…']).collect()
}

pub(super) fn tested(tested: &SpoofTested) -> String {
    let rows = tested.attacks.iter().map(|attack| {
        vec![
            attack.attack.clone(),
            cut(&clean(&attack.tried)),
            attack.outcome.word().to_owned(),
            cut(&clean(&attack.answer)),
        ]
    });
    let mut out = table(&["attack", "tried", "outcome", "answer"], rows.collect(), &[]);
    for attack in tested
        .attacks
        .iter()
        .filter(|attack| attack.outcome == SpoofOutcome::Through)
    {
        for weakness in &attack.weaknesses {
            out.push_str(&format!(
                "{} got through: {} is {}; {}\n",
                attack.attack,
                clean(&weakness.setting),
                clean(&weakness.value),
                clean(&weakness.change)
            ));
        }
    }
    let held = tested
        .attacks
        .iter()
        .filter(|attack| attack.outcome == SpoofOutcome::Held)
        .count();
    let held = if held > 0 {
        format!(", {held} of them held for a decision")
    } else {
        String::new()
    };
    out.push_str(&format!(
        "{} of {} refused{held}: {}\n",
        number(tested.refused_total),
        number(tested.attacks_total),
        clean(&tested.group)
    ));
    out
}
