//! The running service behind the local socket: one method per command.

use std::sync::Arc;

use jiff::Timestamp;

use crate::admin::answer::{
    CompareAnswer, DirectoryPage, Explained, GroupMembers, GroupShown, GroupSummary, GroupWhy, HoldDecided, HoldShown,
    HoldSummary, HoldsDecided, ListenerState, NextHopSummary, QueueAnswer, QueueChanged, QueueItem, QueueShown,
    Reloaded, RollAnswer, RuleAnswer, SendTested, SpoofTested, StatusReport, StopAnswer, TracedMessage, WasMember,
};
use crate::admin::command::{
    CompareCommand, ExplainQuestion, GuardIntent, HoldsOrder, Intent, MemberDepth, PageQuestion, QueueAction,
    QueueCommand, QueueOrder, QueueSelection, RollCommand, RuleCommand, SendOrder, Signed, StopCommand, TraceQuery,
    WhyQuestion,
};
use crate::admin::service::{Caller, Refusal, RefusalKind, Service as Answers};
use crate::delivery::Selection;
use crate::mail::{HoldId, MessageId, SetId};
use crate::moderation::machine::Answer;
use crate::resolver::Sources;
use crate::spool::message::StoredSet;
use crate::spool::{Readiness, Spool};

use super::groups::Groups;
use super::orders::{GuardWord, Orders};
use super::stale::Suspected;
use super::{explain, export, holds, lists, queue, queue_orders, signing, storms, trace, was};
use crate::app::service::Service;
use crate::app::{directory, spoof};

/// The service as commands see it.
pub struct Commands(pub Arc<Service>);

impl Commands {
    /// An answer about groups from one pinned view, off the reactor threads: large lists take a while.
    async fn about_groups<T: Send + 'static>(
        &self,
        answer: impl FnOnce(&Groups<'_>) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        self.blocking(move |service| with_groups(service, answer)).await
    }

    /// Something that reads from a store, off the reactor threads.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Service) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let service = Arc::clone(&self.0);
        let done = tokio::task::spawn_blocking(move || work(&service)).await;
        done.unwrap_or_else(|fault| Err(Refusal::new(RefusalKind::Broken, fault.to_string())))
    }

    /// A misspelt next hop is wrong use, not an empty queue. One that the settings had before may still be asked for.
    fn known_hop(&self, selection: &QueueSelection) -> Result<(), Refusal> {
        let Some(name) = &selection.next_hop else { return Ok(()) };
        let routes = self.0.routes.load();
        let mut names: Vec<String> = routes.hops().map(|(_, hop)| hop.name.clone()).collect();
        let queued = self.0.delivery.snapshot().destinations;
        names.extend(queued.into_iter().map(|place| place.next_hop));
        names.sort();
        names.dedup();
        if names.contains(name) {
            return Ok(());
        }
        let text = format!("there is no next hop `{name}`; there are {}", names.join(", "));
        Err(Refusal::new(RefusalKind::Usage, text))
    }

    async fn change(
        &self,
        caller: &Caller,
        selection: &QueueSelection,
        intent: Intent,
        verb: &'static str,
        act: impl FnOnce(&Service, &[StoredSet], &str),
    ) -> Result<QueueChanged, Refusal> {
        self.known_hop(selection)?;
        let wanted = selection.clone();
        let sets = self
            .blocking(move |service| queue_orders::selected(service, &wanted))
            .await?;
        let mut messages: Vec<_> = sets.iter().map(|stored| stored.set.message).collect();
        messages.sort_unstable();
        messages.dedup();
        let changed = QueueChanged {
            done: intent == Intent::Do,
            sets: sets.len() as u64,
            messages: messages.len() as u64,
            recipients: sets.iter().map(|stored| queue::open_ranks(stored).len()).sum(),
        };
        if intent == Intent::Do && !sets.is_empty() {
            tracing::info!(%caller, verb, sets = changed.sets, recipients = changed.recipients, "queue changed by command");
            act(&self.0, &sets, &caller.to_string());
        }
        Ok(changed)
    }
}

impl Answers for Commands {
    async fn status(&self) -> Result<StatusReport, Refusal> {
        let service = &self.0;
        let view = service.keeper.view();
        let readiness = service.spool.readiness();
        let open = self
            .blocking(|service| queue_orders::selected(service, &QueueSelection::default()))
            .await?;
        let holds = self
            .blocking(|service| service.spool.holds().map_err(queue::unavailable))
            .await?;
        let mut notes = Vec::new();
        if view.directory.number() == 0 {
            notes.push("no directory has been loaded: recipients are answered 451".to_owned());
        }
        if service.categorizer.sources() == Sources::Overdue {
            notes.push("a source is over its max_age: unknown recipients are answered 451".to_owned());
        }
        let damaged = self
            .blocking(|service| service.spool.quarantined().map_err(queue::unavailable))
            .await?;
        if !damaged.is_empty() {
            notes.push(format!("{} damaged rows were set aside in the spool", damaged.len()));
        }
        notes.extend(storms::notes(service));
        let listeners = service.listeners.get().map_or(&[][..], Vec::as_slice);
        Ok(StatusReport {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            hostname: service.settings.load().hostname.to_string(),
            started_at: service.started_at,
            ready: readiness == Readiness::Ready && !listeners.is_empty(),
            busy: match readiness {
                Readiness::Ready => None,
                Readiness::Busy(fault) => Some(fault.reason()),
            },
            listeners: listeners
                .iter()
                .map(|listener| ListenerState {
                    name: listener.name.clone(),
                    role: listener.role.word().to_owned(),
                    address: listener.address.to_string(),
                    sessions: listener.sessions() as u64,
                })
                .collect(),
            generation: Some(view.directory.number()).filter(|number| *number > 0),
            generation_at: Some(view.directory.loaded_at()).filter(|_| view.directory.number() > 0),
            recipients: view.directory.len(),
            groups: view.directory.group_set().len(),
            messages: service.spool.messages() as u64,
            queued_recipients: open.iter().map(|stored| queue::open_ranks(stored).len()).sum(),
            holds: holds.len() as u64,
            lists_held: service.keeper.holds().len() as u64,
            verification: lists::verification(service.keeper.verified()),
            signing: signing::state(&service.delivery),
            notes,
        })
    }

    async fn directory_page(&self, question: PageQuestion) -> Result<DirectoryPage, Refusal> {
        self.blocking(move |service| Ok(export::page(&service.keeper.view().directory, question)))
            .await
    }

    async fn group_list(&self) -> Result<Vec<GroupSummary>, Refusal> {
        self.about_groups(|groups| Ok(groups.list())).await
    }

    async fn group_show(&self, group: &str) -> Result<GroupShown, Refusal> {
        let group = group.to_owned();
        self.about_groups(move |groups| groups.show(&group)).await
    }

    async fn group_members(
        &self,
        group: &str,
        depth: MemberDepth,
        at: Option<Timestamp>,
    ) -> Result<GroupMembers, Refusal> {
        let group = group.to_owned();
        self.about_groups(move |groups| groups.members(&group, depth, at)).await
    }

    async fn group_why(&self, question: &WhyQuestion) -> Result<GroupWhy, Refusal> {
        let question = question.clone();
        self.about_groups(move |groups| groups.why(&question)).await
    }

    async fn rule(&self, caller: &Caller, command: &RuleCommand) -> Result<RuleAnswer, Refusal> {
        let (caller, command) = (caller.clone(), command.clone());
        self.blocking(move |service| {
            with_groups(service, |groups| {
                let mut answer = groups.rule(&command)?;
                if let (RuleCommand::GroupPreview(question), RuleAnswer::GroupPreview(preview)) =
                    (&command, &mut answer)
                    && question.save
                {
                    let (group, rule) = groups.saved(&question.rule)?;
                    let orders = Orders {
                        service,
                        groups,
                        caller: &caller,
                    };
                    preview.held = orders.save(group, rule, &question.signed)?;
                    preview.saved = true;
                }
                Ok(answer)
            })
        })
        .await
    }

    async fn explain(&self, question: &ExplainQuestion) -> Result<Explained, Refusal> {
        let question = question.clone();
        self.blocking(move |service| explain::explain(&service.categorizer, &explain::entrances(service), &question))
            .await
    }

    async fn send_test(&self, caller: &Caller, order: &SendOrder) -> Result<SendTested, Refusal> {
        super::send::send(&self.0, caller, order).await
    }

    async fn trace(&self, query: &TraceQuery) -> Result<Vec<TracedMessage>, Refusal> {
        let query = query.clone();
        self.blocking(move |service| trace::trace(&*service.traces, &service.keeper.view(), &query))
            .await
    }

    async fn trace_was(&self, message: MessageId, recipient: &str) -> Result<WasMember, Refusal> {
        let recipient = recipient.to_owned();
        self.blocking(move |service| {
            with_groups(service, |groups| {
                was::was(&*service.traces, groups, message, &recipient)
            })
        })
        .await
    }

    async fn queue_list(&self, selection: &QueueSelection) -> Result<Vec<QueueItem>, Refusal> {
        self.known_hop(selection)?;
        let selection = selection.clone();
        let sets = self
            .blocking(move |service| queue_orders::selected(service, &selection))
            .await?;
        let view = self.0.delivery.snapshot();
        Ok(sets.iter().map(|stored| queue::item(stored, &view)).collect())
    }

    async fn queue_summary(&self) -> Result<Vec<NextHopSummary>, Refusal> {
        let sets = self
            .blocking(|service| queue_orders::selected(service, &QueueSelection::default()))
            .await?;
        let view = self.0.delivery.snapshot();
        let names: Vec<String> = self.0.routes.load().hops().map(|(_, hop)| hop.name.clone()).collect();
        Ok(queue::by_next_hop(&names, &sets, &view, self.0.env.clock.now()))
    }

    async fn queue_show(&self, set: SetId) -> Result<QueueShown, Refusal> {
        let view = self.0.delivery.snapshot();
        self.blocking(move |service| queue::show(&*service.spool, set, &view))
            .await
    }

    async fn queue_retry(
        &self,
        caller: &Caller,
        selection: &QueueSelection,
        intent: Intent,
    ) -> Result<QueueChanged, Refusal> {
        let act = |service: &Service, sets: &[StoredSet], _: &str| retry(service, sets);
        self.change(caller, selection, intent, "retry", act).await
    }

    async fn queue_drop(
        &self,
        caller: &Caller,
        selection: &QueueSelection,
        intent: Intent,
    ) -> Result<QueueChanged, Refusal> {
        self.known_hop(selection)?;
        let order = QueueOrder {
            selection: selection.clone(),
            verb: QueueAction::Drop,
            intent,
            signed: Signed::default(),
        };
        match self.queue_order(caller, &QueueCommand::QueueAct(order)).await? {
            QueueAnswer::QueueAct(acted) => Ok(QueueChanged {
                done: acted.done,
                sets: acted.sets,
                messages: acted.messages,
                recipients: acted.recipients,
            }),
            QueueAnswer::QueueSuspend(_) | QueueAnswer::TlsReports(_) => {
                Err(Refusal::new(RefusalKind::Broken, "another question was answered"))
            }
        }
    }

    async fn queue_order(&self, caller: &Caller, command: &QueueCommand) -> Result<QueueAnswer, Refusal> {
        if let QueueCommand::QueueAct(order) = command {
            self.known_hop(&order.selection)?;
        }
        let (service, caller, command) = (Arc::clone(&self.0), caller.clone(), command.clone());
        self.blocking(move |_| queue_orders::answer(&service, &caller, &command))
            .await
    }

    async fn moderate_list(&self, group: Option<&str>) -> Result<Vec<HoldSummary>, Refusal> {
        let group = match group {
            Some(name) => {
                let name = name.to_owned();
                Some(self.about_groups(move |groups| groups.primary_of(&name)).await?)
            }
            None => None,
        };
        self.blocking(move |service| holds::list(&*service.spool, group.as_ref()))
            .await
    }

    async fn moderate_show(&self, hold: HoldId) -> Result<HoldShown, Refusal> {
        self.blocking(move |service| {
            let recipients = service.categorizer.would_release(hold).unwrap_or(0);
            holds::show(&*service.spool, hold, recipients)
        })
        .await
    }

    async fn moderate_approve(
        &self,
        caller: &Caller,
        hold: HoldId,
        moderator: Option<&str>,
    ) -> Result<HoldDecided, Refusal> {
        let service = &self.0;
        holds::decide(
            &service.categorizer,
            &*service.spool,
            caller,
            hold,
            Answer::Approve,
            moderator,
            None,
        )
        .await
    }

    async fn moderate_reject(
        &self,
        caller: &Caller,
        hold: HoldId,
        moderator: Option<&str>,
        comment: Option<&str>,
    ) -> Result<HoldDecided, Refusal> {
        let service = &self.0;
        holds::decide(
            &service.categorizer,
            &*service.spool,
            caller,
            hold,
            Answer::Reject,
            moderator,
            comment,
        )
        .await
    }

    async fn roll(&self, caller: &Caller, command: &RollCommand) -> Result<RollAnswer, Refusal> {
        let (caller, command) = (caller.clone(), command.clone());
        self.blocking(move |service| {
            with_groups(service, |groups| {
                let orders = Orders {
                    service,
                    groups,
                    caller: &caller,
                };
                roll(&orders, &command)
            })
        })
        .await
    }

    async fn compare(&self, caller: &Caller, command: &CompareCommand) -> Result<CompareAnswer, Refusal> {
        let (caller, command) = (caller.clone(), command.clone());
        self.blocking(move |service| {
            with_groups(service, |groups| {
                let orders = Orders {
                    service,
                    groups,
                    caller: &caller,
                };
                Ok(match &command {
                    CompareCommand::Compare(question) => CompareAnswer::Compare(orders.compare(question)?),
                    CompareCommand::GroupCutover(order) => CompareAnswer::GroupCutover(orders.cut_over(order)?),
                })
            })
        })
        .await
    }

    async fn stop(&self, caller: &Caller, command: &StopCommand) -> Result<StopAnswer, Refusal> {
        super::stops::answer(&self.0, caller, command).await
    }

    async fn moderate_many(&self, caller: &Caller, order: &HoldsOrder) -> Result<HoldsDecided, Refusal> {
        let group = match order.selection.group.clone() {
            Some(name) => Some(self.about_groups(move |groups| groups.primary_of(&name)).await?),
            None => None,
        };
        holds::decide_many(&self.0.categorizer, &*self.0.spool, caller, order, group.as_ref()).await
    }

    async fn test_spoof(&self, group: &str) -> Result<SpoofTested, Refusal> {
        let name = group.to_owned();
        let group = self.about_groups(move |groups| groups.object_of(&name)).await?;
        spoof::run(&self.0, &group).await
    }

    async fn reload(&self, caller: &Caller, guard: GuardIntent) -> Result<Reloaded, Refusal> {
        let reloaded = directory::reload(&self.0, guard).await;
        let (accept, applied) = (guard == GuardIntent::Accept, reloaded.applied);
        tracing::info!(%caller, accept, applied, findings = reloaded.findings.len(), "reload by command");
        Ok(reloaded)
    }
}

/// Answers a question about lists, or carries an order out.
fn roll(orders: &Orders<'_>, command: &RollCommand) -> Result<RollAnswer, Refusal> {
    let groups = orders.groups;
    let keeper = &orders.service.keeper;
    let (suspects, settings) = (keeper.suspects(), keeper.settings());
    let suspected = Suspected {
        suspects: &suspects,
        settings: &settings.suspects,
    };
    Ok(match command {
        RollCommand::GroupDiff { group, from, to } => RollAnswer::GroupDiff(groups.diff(group, *from, *to)?),
        RollCommand::GroupHistory { group, count_max } => {
            RollAnswer::GroupHistory(groups.history(group, *count_max as usize)?)
        }
        RollCommand::GroupRefresh { what, intent } => RollAnswer::GroupRefresh(orders.refresh(what, *intent)?),
        RollCommand::GroupVerify { group } => RollAnswer::GroupVerify(orders.verify(group.as_deref())?),
        RollCommand::GroupPin(order) => RollAnswer::GroupPin(orders.pin(order)?),
        RollCommand::GroupUnpin {
            group,
            recipient,
            signed,
        } => RollAnswer::GroupUnpin(orders.unpin(group, recipient, signed)?),
        RollCommand::GroupPins { group, seen_by } => RollAnswer::GroupPins(groups.pins_of(group, seen_by.as_deref())?),
        RollCommand::GroupConvert(order) => RollAnswer::GroupConvert(orders.convert(order)?),
        RollCommand::GroupStale { group } => RollAnswer::GroupStale(groups.stale(group.as_deref(), &suspected)?),
        RollCommand::GuardList => RollAnswer::GuardList(groups.held()),
        RollCommand::GuardShow { group } => RollAnswer::GuardShow(groups.held_of(group)?),
        RollCommand::GuardAccept { group, signed } => {
            RollAnswer::GuardAccept(orders.decide(group, GuardWord::Accept, signed)?)
        }
        RollCommand::GuardReject { group, signed } => {
            RollAnswer::GuardReject(orders.decide(group, GuardWord::Reject, signed)?)
        }
        RollCommand::Alerts => {
            RollAnswer::Alerts([groups.alerts(&suspected), signing::alerts(&orders.service.delivery)].concat())
        }
        RollCommand::SuspectsList { group } => RollAnswer::SuspectsList(groups.suspects(group.as_deref(), &suspected)?),
        RollCommand::SuspectsSuppress { recipient, signed } => {
            RollAnswer::SuspectsSuppress(orders.suppress(recipient, signed)?)
        }
        RollCommand::SuspectsClear { recipient, signed } => RollAnswer::SuspectsClear(orders.clear(recipient, signed)?),
    })
}

/// What answers about groups are made from, at this moment.
pub(super) fn with_groups<T>(service: &Service, answer: impl FnOnce(&Groups<'_>) -> T) -> T {
    let organisation = service.categorizer.organisation();
    let view = service.keeper.view();
    let hops = organisation.hops.pass(&view, None);
    answer(&Groups {
        view: &view,
        rules: &organisation.rules,
        hops: &*hops,
        options: service.keeper.options(),
        kept: &*service.keeper,
        now: service.env.clock.now(),
    })
}

/// Makes sets due, and lets the next hops be tried that are left alone.
fn retry(service: &Service, sets: &[StoredSet]) {
    let mut hops: Vec<&str> = sets.iter().map(|stored| stored.set.next_hop.as_str()).collect();
    hops.sort_unstable();
    hops.dedup();
    for stored in sets {
        service.delivery.retry(&Selection::Set(stored.set.id));
    }
    for hop in hops {
        service.delivery.retry(&Selection::NextHop(hop.to_owned()));
    }
}
