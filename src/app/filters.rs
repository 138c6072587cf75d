//! From the settings' filters to filters that are asked.

use std::sync::Arc;

use crate::categorizer::filtering::{ContentFilter, Unfiltered};
use crate::config::settings::{self, Settings};
use crate::filters::{FilterAddress, FilterKind, FilterSettings, Filters, OnFailure};

/// The filters of the settings.
pub(super) fn of(settings: &Settings) -> Arc<dyn ContentFilter> {
    if settings.filters.is_empty() {
        return Arc::new(Unfiltered);
    }
    let filters = settings.filters.iter().map(one).collect();
    Arc::new(Filters::new(filters, settings.hostname.as_str()))
}

fn one(filter: &settings::FilterSettings) -> FilterSettings {
    FilterSettings {
        name: filter.name.to_string(),
        kind: match filter.kind {
            settings::FilterKindWord::Milter => FilterKind::Milter,
            settings::FilterKindWord::Rspamd => FilterKind::Rspamd,
        },
        address: match &filter.address {
            settings::FilterPlace::Tcp(address) => FilterAddress::Tcp(address.to_string()),
            settings::FilterPlace::Unix(path) => FilterAddress::Unix(path.clone()),
        },
        listeners: filter.listeners.iter().map(ToString::to_string).collect(),
        time_limit: filter.time_limit,
        size_max: filter.size_max,
        on_failure: match filter.on_failure {
            settings::OnFailureWord::Tempfail => OnFailure::Defer,
            settings::OnFailureWord::Accept => OnFailure::Accept,
            settings::OnFailureWord::Quarantine => OnFailure::Quarantine,
        },
    }
}
