//! Checks of quantities: those that cannot work, and those that will surprise.

use std::time::Duration;

use serde_spanned::Spanned;

use super::cross::{Checks, numbered, value};
use super::defaults;
use super::word::RollMode;
use crate::connectors::document::read::Size;
use crate::connectors::document::units::{show_duration, show_size};
use crate::limits;

impl Checks<'_> {
    /// Adds what is too small, too large or does not fit together.
    pub(super) fn quantities(&mut self) {
        let file = self.file;
        for (index, each) in numbered(&file.listeners) {
            let key = |name: &str| format!("listeners[{index}].{name}");
            self.at_least_one(&each.recipients_max, key("recipients_max"));
            self.at_least_one(&each.sessions_max, key("sessions_max"));
            self.at_least_one(&each.sessions_per_client_max, key("sessions_per_client_max"));
            self.at_least_one(&each.sessions_per_network_max, key("sessions_per_network_max"));
            self.at_least_one(&each.errors_max, key("errors_max"));
            self.positive(&each.command_timeout, key("command_timeout"));
            self.positive(&each.data_timeout, key("data_timeout"));
            if let Some(stated) = each
                .recipients_max
                .as_ref()
                .filter(|most| (1..100).contains(most.get_ref()))
            {
                let message = "a server must take 100 recipients (RFC 5321 §4.5.3.1.8)";
                self.warn(stated.span(), key("recipients_max"), message);
            }
            // RFC 5321 §4.5.3.1.7: at least 64K octets.
            if let Some(stated) = each
                .message_size_max
                .as_ref()
                .filter(|size| size.get_ref().0 < 64 * 1024)
            {
                let message = "expected at least 64K: a server must take as much (RFC 5321 §4.5.3.1.7)";
                self.error(stated.span(), key("message_size_max"), message);
            }
        }
        for (index, each) in numbered(&file.next_hops) {
            let key = |name: &str| format!("next_hops[{index}].{name}");
            self.at_least_one(&each.connections_max, key("connections_max"));
            self.at_least_one(&each.messages_per_minute_max, key("messages_per_minute_max"));
            self.at_least_one(&each.recipients_max, key("recipients_max"));
            self.positive(&each.expiry, key("expiry"));
        }
        self.strangers();
        self.policy_and_rolls();
        self.queue();
        self.limits();
    }

    fn policy_and_rolls(&mut self) {
        let file = self.file;
        if let Some(moderation) = value(&file.moderation) {
            self.positive(&moderation.expiry, "moderation.expiry".into());
            self.at_least_one(&moderation.quorum, "moderation.quorum".into());
        }
        self.storm();
        if let Some(authenticity) = value(&file.authenticity) {
            self.positive(&authenticity.time_limit, "authenticity.time_limit".into());
        }
        if let Some(dns) = value(&file.dns) {
            self.positive(&dns.timeout, "dns.timeout".into());
        }
        let Some(rolls) = value(&file.rolls) else {
            return;
        };
        self.positive(&rolls.interval, "rolls.interval".into());
        self.positive(&rolls.verify_every, "rolls.verify_every".into());
        self.positive(&rolls.max_age, "rolls.max_age".into());
        self.positive(&rolls.guard_window, "rolls.guard_window".into());
        self.positive(&rolls.history_retention, "rolls.history_retention".into());
        self.at_least_one(&rolls.suspect_after, "rolls.suspect_after".into());
        self.at_least_one(&rolls.suppress_suspects_after, "rolls.suppress_suspects_after".into());
        let refreshed = match value(&rolls.mode) {
            Some(RollMode::Interval) => value(&rolls.interval).copied().unwrap_or(defaults::ROLL_INTERVAL),
            Some(RollMode::OnChange) | None => value(&rolls.verify_every).copied().unwrap_or(defaults::VERIFY_EVERY),
        };
        if let Some(max_age) = rolls.max_age.as_ref().filter(|age| *age.get_ref() <= refreshed) {
            let message = format!(
                "lists are computed every {} and would be stale before the next time",
                show_duration(refreshed)
            );
            self.warn(max_age.span(), "rolls.max_age", message);
        }
    }

    fn queue(&mut self) {
        let Some(queue) = value(&self.file.queue) else {
            return;
        };
        self.positive(&queue.expiry, "queue.expiry".into());
        self.positive(&queue.retry_first, "queue.retry_first".into());
        self.positive(&queue.retry_max, "queue.retry_max".into());
        self.at_least_one(&queue.messages_max, "queue.messages_max".into());
        let first = value(&queue.retry_first).copied().unwrap_or(defaults::RETRY_FIRST);
        let most = value(&queue.retry_max).copied().unwrap_or(defaults::RETRY_MAX);
        if first > most {
            let stated = queue.retry_max.as_ref().or(queue.retry_first.as_ref());
            let span = stated.map_or(queue.place.clone(), Spanned::span);
            let message = format!(
                "the longest wait ({}) is shorter than the first ({})",
                show_duration(most),
                show_duration(first)
            );
            self.error(span, "queue.retry_max", message);
        }
        let expiry = value(&queue.expiry).copied().unwrap_or(limits::QUEUE_EXPIRY);
        if let Some(after) = queue
            .delay_report_after
            .as_ref()
            .filter(|after| *after.get_ref() >= expiry)
        {
            let message = format!(
                "mail expires after {}, so nobody is told of a delay",
                show_duration(expiry)
            );
            self.warn(after.span(), "queue.delay_report_after", message);
        }
    }

    fn limits(&mut self) {
        if let Some(tracking) = value(&self.file.tracking) {
            self.positive(&tracking.retention, "tracking.retention".into());
        }
        let Some(stated) = value(&self.file.limits) else {
            return;
        };
        self.at_least_one(&stated.sessions_max, "limits.sessions_max".into());
        self.at_least_one(&stated.received_fields_max, "limits.received_fields_max".into());
        self.at_least_one(&stated.expansion_depth_max, "limits.expansion_depth_max".into());
        self.at_least_one(
            &stated.expansion_recipients_max,
            "limits.expansion_recipients_max".into(),
        );
        if let Some(fields) = stated
            .received_fields_max
            .as_ref()
            .filter(|most| (1..100).contains(most.get_ref()))
        {
            let message = "mail that took a long way is refused; RFC 5321 §6.3 asks for at least 100";
            self.warn(fields.span(), "limits.received_fields_max", message);
        }
        let small = Size(16 * 1024);
        if let Some(size) = stated
            .header_section_max
            .as_ref()
            .filter(|size| *size.get_ref() < small)
        {
            let message = format!(
                "expected at least {}: ordinary mail has header sections of that size",
                show_size(small.0)
            );
            self.error(size.span(), "limits.header_section_max", message);
        }
        if let Some(size) = stated.disk_free_min.as_ref().filter(|size| size.get_ref().0 == 0) {
            let message = "without a floor the disk runs full before anybody is told";
            self.warn(size.span(), "limits.disk_free_min", message);
        }
    }

    pub(super) fn at_least_one(&mut self, stated: &Option<Spanned<u32>>, key: String) {
        if let Some(stated) = stated.as_ref().filter(|number| *number.get_ref() == 0) {
            self.error(stated.span(), key, "expected at least 1, found 0");
        }
    }

    pub(super) fn positive(&mut self, stated: &Option<Spanned<Duration>>, key: String) {
        if let Some(stated) = stated.as_ref().filter(|duration| duration.get_ref().is_zero()) {
            self.error(stated.span(), key, "expected a duration longer than zero");
        }
    }
}
