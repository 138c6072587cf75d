//! What a stranger reads.

use comfy_table::presets::UTF8_BORDERS_ONLY;
use comfy_table::{ContentArrangement, Table};

use super::scene::{Outcome, Stage};
use crate::app::service::Service;
use crate::categorizer::intake::ListenerRole;

/// Columns of the table where the terminal's width is not known.
const WIDTH: u16 = 110;

/// What is about to happen.
pub fn introduce(service: &Service, stage: &Stage<'_>) {
    let view = service.keeper.view();
    let groups = view.directory.group_set().len();
    println!(
        "muster runs with the example organisation contoso.example: {} people and resources, {groups} groups.",
        view.directory.len() - groups,
    );
    println!(
        "inbound {} trusts nobody; relay {} trusts this machine.",
        stage.address(ListenerRole::Inbound),
        stage.address(ListenerRole::Relay)
    );
    println!("Next hops: cloud, onprem. Five messages are submitted over SMTP, one is approved by a moderator.\n");
}

/// What became of each message.
pub fn print(outcomes: &[Outcome]) {
    let mut table = Table::new();
    table
        .load_style(UTF8_BORDERS_ONLY)
        .set_content_arrangement(ContentArrangement::Dynamic);
    if !std::io::IsTerminal::is_terminal(&std::io::stdout()) {
        table.set_width(WIDTH);
    }
    table.set_header(["to", "what it is", "what happened", "cloud", "onprem", "list", "ms", ""]);
    for outcome in outcomes {
        let arrived = |name: &str| outcome.arrived.get(name).map_or_else(String::new, ToString::to_string);
        let list = match (outcome.list_version, outcome.list_age_seconds) {
            (Some(version), Some(age)) => format!("v{version}, {age} s old"),
            _ => "-".to_owned(),
        };
        let local = outcome.to.split('@').next().unwrap_or(&outcome.to);
        let duplicates = match outcome.duplicates_removed {
            0 => String::new(),
            count => format!(", {count} duplicates removed"),
        };
        table.add_row([
            format!("{local}@"),
            outcome.what.clone(),
            format!("{}{duplicates}", outcome.happened),
            arrived("cloud"),
            arrived("onprem"),
            list,
            outcome.milliseconds.to_string(),
            if outcome.held() { "ok" } else { "BROKEN" }.to_owned(),
        ]);
    }
    println!("{table}");
    println!("\ncloud, onprem: recipients that arrived at each next hop. list: version and age of the stored list.");
    let broken: Vec<&Outcome> = outcomes.iter().filter(|outcome| !outcome.held()).collect();
    if broken.is_empty() {
        let muster = crate::app::welcome::program();
        println!("Every expectation held. Next: {muster} serve --config config/quickstart.toml");
    }
    for outcome in broken {
        println!("BROKEN {}: expected {}", outcome.what, outcome.broken.join("; "));
    }
}
