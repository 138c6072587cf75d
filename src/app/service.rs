//! The running service: its parts, and how they are put together.

use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::authenticity::Authenticity;
use crate::backends::sqlite::SqliteSpool;
use crate::backends::sqlite::directory::SqliteDirectoryStore;
use crate::backends::sqlite::stops::SqliteStopStore;
use crate::backends::sqlite::trace::SqliteTraceStore;
use crate::categorizer::commit::Submissions;
use crate::categorizer::returned::Returning;
use crate::categorizer::{Categorizer, Dispatch, Views};
use crate::config::settings::Settings;
use crate::connectors::sync::DirectoryKeeper;
use crate::delivery::{Delivery, DeliveryHandle, DeliverySettings};
use crate::directory::ObjectId;
use crate::env::Env;
use crate::listener::{Listener, ListenerSettings, Sessions, Stopped, StrangerSettings};
use crate::mail::return_path::ReturnKey;
use crate::mail::trace::LoopKey;
use crate::observe::trace_writer::TraceWriter;
use crate::queue::Masks;
use crate::resolver::Sources;
use crate::rolls::View;
use crate::rolls::past::{self, PastFault};
use crate::routing::Routes;
use crate::spool::content::Content;
use crate::spool::message::{DeliverySet, StoredMessage};
use crate::spool::{SharedSpool, Spool as _};
use crate::store::life::HistoryQuery;
use crate::store::stops::SharedStopStore;
use crate::store::trace::SharedTraceStore;
use crate::web::Page;

use super::guards::ServiceGuards;
use super::hops::RuleRows;
use super::lessons::Lessons;
use super::marks::Marks;
use super::reports::{DeliveryReports, Today};
use super::{directory, stops, wiring};

/// Time a shutdown gives transactions and batches in progress.
pub const SHUTDOWN_MAX: Duration = Duration::from_secs(20);

/// Why the service could not start: one sentence, and what to do where that helps.
#[derive(Debug, thiserror::Error)]
pub enum StartFault {
    /// A directory or key file.
    #[error("{path}: {fault}", path = .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        fault: std::io::Error,
    },
    /// A store.
    #[error("the store in {path} cannot be opened: {fault}", path = .path.display())]
    Store {
        /// Where.
        path: PathBuf,
        /// Why.
        fault: String,
    },
    /// An address.
    #[error("listener {name} cannot listen on {address}: {fault}")]
    Listen {
        /// Listener name.
        name: String,
        /// Address in the settings.
        address: std::net::SocketAddr,
        /// What the system says.
        fault: std::io::Error,
    },
    /// Routing that cannot work.
    #[error("routing: {0}")]
    Routes(#[from] crate::routing::RouteFault),
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

/// A listener that takes connections.
pub struct BoundListener {
    /// Name in the settings.
    pub name: String,
    /// Its role.
    pub role: crate::categorizer::intake::ListenerRole,
    /// Where it listens.
    pub address: std::net::SocketAddr,
    sessions: Arc<Sessions>,
    task: Mutex<Option<JoinHandle<Stopped>>>,
}

impl BoundListener {
    /// Sessions open now.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.sessions.count()
    }
}

/// The running service.
pub struct Service {
    /// Where its settings came from.
    pub settings_path: PathBuf,
    /// Its settings.
    pub settings: ArcSwap<Settings>,
    /// Clock and chance.
    pub env: Env,
    /// Since when it runs.
    pub started_at: Timestamp,
    /// The directory.
    pub keeper: Arc<DirectoryKeeper>,
    /// Key of the addresses that reports come back to.
    pub return_key: ReturnKey,
    /// The categoriser.
    pub categorizer: Arc<Categorizer>,
    /// Checks of where messages come from.
    pub authenticity: Authenticity,
    /// The spool.
    pub spool: Arc<SqliteSpool>,
    /// The trace.
    pub traces: SharedTraceStore,
    /// Delivery.
    pub delivery: DeliveryHandle,
    /// The routes.
    pub routes: Arc<ArcSwap<Routes>>,
    /// Operators' decisions about the queue.
    pub marks: Marks,
    /// Listeners.
    pub listeners: OnceLock<Vec<BoundListener>>,
    /// Where the moderators' page is.
    pub page: OnceLock<std::net::SocketAddr>,
    page_task: Mutex<Option<JoinHandle<()>>>,
    /// One reload at a time.
    pub reloading: tokio::sync::Mutex<()>,
    /// Certificates and accounts.
    pub guards: ServiceGuards,
    stop_listening: watch::Sender<bool>,
    trace_writer: Mutex<Option<TraceWriter>>,
}

/// Puts the parts together; nothing listens yet.
pub async fn assemble(settings_path: &Path, settings: Settings, env: Env) -> Result<Arc<Service>, StartFault> {
    let guards = ServiceGuards::open(&settings, &env).map_err(StartFault::Other)?;
    let parts = Parts::open(&settings, &env)?;
    let returns = wiring::returns(&settings, &parts.return_key);
    let routes = Arc::new(wiring::routes(&settings, returns.as_ref())?);
    let shared_routes = Arc::new(ArcSwap::new(Arc::clone(&routes)));
    let handover = Arc::new(Handover::default());
    let views = Arc::new(KeptViews {
        keeper: Arc::clone(&parts.keeper),
        env: env.clone(),
    });
    let spool: SharedSpool = Arc::clone(&parts.spool) as SharedSpool;
    let authenticity = Authenticity::new(&wiring::checks(&settings));
    let categorizer = Categorizer::new(
        wiring::organisation(&settings, &routes, &authenticity, returns, &env.clock),
        views,
        Arc::clone(&spool),
        Arc::clone(&handover) as Arc<dyn Dispatch>,
        parts.loop_key,
        env.clone(),
    );
    let marks = Marks::load(Arc::clone(&parts.stops))
        .map_err(|fault| StartFault::Other(format!("decisions about the queue cannot be read: {fault}")))?;
    categorizer
        .keep_stops(parts.stops)
        .map_err(|fault| StartFault::Other(format!("brakes and stops cannot be taken up: {fault}")))?;
    categorizer.read_reports(Returning::new(
        Arc::clone(&parts.traces),
        Arc::new(Lessons(Arc::clone(&parts.keeper))),
    ));
    let delivery = Delivery {
        spool: Arc::clone(&spool),
        routes: Arc::clone(&routes),
        reporter: Arc::new(DeliveryReports(Arc::clone(&categorizer))),
        current: Arc::new(Today {
            keeper: Arc::clone(&parts.keeper),
            routes: Arc::clone(&shared_routes),
            rows: RuleRows::new(Arc::clone(&env.clock)),
        }),
        learner: Arc::new(Lessons(Arc::clone(&parts.keeper))),
        env: env.clone(),
        settings: DeliverySettings {
            report_gather: settings.queue.report_gather,
            name_servers: settings.dns.servers.clone(),
            dns_timeout: settings.dns.timeout,
            dnssec: wiring::dnssec(&settings),
            mta_sts_file: Some(settings.data_dir.join("mta-sts.json")),
            tls_reports: wiring::tls_reports(&settings),
            own_names: vec![settings.hostname.to_string()],
            ..DeliverySettings::default()
        },
    }
    .start();
    // A second hand-over cannot happen: the slot was made above.
    let _ = handover.0.set(delivery.clone());
    let trace_writer = TraceWriter::start(spool, Arc::clone(&parts.traces))
        .map_err(|fault| StartFault::Other(format!("the trace writer cannot start: {fault}")))?;
    Ok(Arc::new(Service {
        settings_path: settings_path.to_owned(),
        settings: ArcSwap::from_pointee(settings),
        started_at: env.clock.now(),
        env,
        keeper: parts.keeper,
        authenticity,
        return_key: parts.return_key,
        categorizer,
        spool: parts.spool,
        traces: parts.traces,
        delivery,
        routes: shared_routes,
        marks,
        listeners: OnceLock::new(),
        page: OnceLock::new(),
        page_task: Mutex::new(None),
        reloading: tokio::sync::Mutex::new(()),
        guards,
        stop_listening: watch::Sender::new(false),
        trace_writer: Mutex::new(Some(trace_writer)),
    }))
}

impl Service {
    /// Takes up what a restart left open, loads the directory, then listens.
    pub async fn open(self: &Arc<Self>) -> Result<(), StartFault> {
        directory::load_all(self).await;
        let recovered = self
            .spool
            .recover()
            .map_err(|fault| StartFault::Other(format!("the spool cannot be taken up: {fault}")))?;
        self.categorizer.resume(&recovered.pending);
        let masks = stops::masks_at_start(self, &recovered.sets);
        let open = recovered.sets.iter().map(|stored| stored.set.id).collect();
        let marks = self
            .marks
            .of_open(&open)
            .map_err(|fault| StartFault::Other(format!("decisions about the queue cannot be taken up: {fault}")))?;
        self.delivery.suspend(self.marks.suspended());
        self.delivery.recover_stopped(recovered.sets, masks, &marks);
        self.delivery.begin_tls_reports();
        let mut listeners = Vec::new();
        for listener in &self.settings.load().listeners {
            listeners.push(self.bind(listener)?);
        }
        tokio::spawn(self.guards.clone().watch(self.stop_listening.subscribe()));
        // Bound once: `open` is called once, before anything else holds the service.
        let _ = self.listeners.set(listeners);
        self.open_page().await
    }

    /// The moderators' page, if the settings ask for one.
    async fn open_page(&self) -> Result<(), StartFault> {
        let Some(web) = self.settings.load().web.clone() else {
            return Ok(());
        };
        let refused = |fault| StartFault::Listen {
            name: "web".to_owned(),
            address: web.address,
            fault,
        };
        let page = Page::bind(web.address, Arc::clone(&self.categorizer))
            .await
            .map_err(refused)?;
        // Set once, as above.
        let _ = self.page.set(page.local_address().map_err(refused)?);
        let task = tokio::spawn(page.run(self.stop_listening.subscribe()));
        if let Ok(mut place) = self.page_task.lock() {
            *place = Some(task);
        }
        Ok(())
    }

    fn bind(
        self: &Arc<Self>,
        listener: &crate::config::settings::ListenerSettings,
    ) -> Result<BoundListener, StartFault> {
        let settings = self.settings.load();
        let intake = Arc::new(Submissions(Arc::clone(&self.categorizer)));
        let refused = |fault| StartFault::Listen {
            name: listener.name.to_string(),
            address: listener.address,
            fault,
        };
        let bound = Listener::bind_guarded(
            listener_settings(listener, &settings),
            intake,
            self.env.clone(),
            self.guards.of_listeners(),
        )
        .map_err(refused)?;
        Ok(BoundListener {
            name: listener.name.to_string(),
            role: wiring::role(listener.role),
            address: bound.local_address().map_err(refused)?,
            sessions: bound.sessions(),
            task: Mutex::new(Some(tokio::spawn(bound.run(self.stop_listening.subscribe())))),
        })
    }

    /// Stops in order: no new mail, transactions finish, batches finish, events reach the trace.
    pub async fn close(&self) {
        self.stop_listening.send_replace(true);
        for listener in self.listeners.get().map_or(&[][..], Vec::as_slice) {
            let task = listener.task.lock().ok().and_then(|mut task| task.take());
            if let Some(Ok(stopped)) = async { Some(task?.await) }.await
                && stopped.sessions_cut > 0
            {
                tracing::warn!(
                    listener = listener.name,
                    cut = stopped.sessions_cut,
                    "sessions were cut at the deadline"
                );
            }
        }
        let page = self.page_task.lock().ok().and_then(|mut task| task.take());
        if let Some(mut page) = page
            && tokio::time::timeout(SHUTDOWN_MAX, &mut page).await.is_err()
        {
            page.abort();
        }
        if !self.delivery.shutdown(SHUTDOWN_MAX).await {
            tracing::warn!("batches in progress were cut at the deadline; they are tried again at the next start");
        }
        let writer = self.trace_writer.lock().ok().and_then(|mut writer| writer.take());
        if let Some(writer) = writer {
            // Blocks until the outbox is empty; nothing else runs by now.
            let _ = tokio::task::spawn_blocking(move || writer.stop()).await;
        }
    }
}

pub(super) fn listener_settings(
    listener: &crate::config::settings::ListenerSettings,
    settings: &Settings,
) -> ListenerSettings {
    let mut made = ListenerSettings::new(
        listener.name.as_str(),
        listener.address,
        wiring::role(listener.role),
        settings.hostname.as_str(),
    );
    made.tls = wiring::tls(listener.tls);
    made.auth = wiring::auth(listener);
    made.xclient_from = listener.xclient_from.iter().filter_map(wiring::range).collect();
    made.message_octets_max = listener.message_size_max;
    made.recipients_max = listener.recipients_max as usize;
    made.sessions_max = listener.sessions_max as usize;
    made.sessions_per_client_max = listener.sessions_per_client_max as usize;
    made.sessions_per_network_max = listener.sessions_per_network_max as usize;
    made.proxy_from = listener.proxy_from.iter().filter_map(wiring::range).collect();
    made.rates = listener.rates.clone();
    made.strangers = StrangerSettings {
        name_servers: settings.dns.servers.clone(),
        dns_timeout: settings.dns.timeout,
        ..listener.strangers.clone()
    };
    made.errors_max = listener.errors_max;
    made.command_timeout = listener.command_timeout;
    made.data_block_timeout = listener.data_timeout;
    made.shutdown_timeout = SHUTDOWN_MAX;
    made
}

/// Stores and keys in the data directory.
struct Parts {
    spool: Arc<SqliteSpool>,
    keeper: Arc<DirectoryKeeper>,
    traces: SharedTraceStore,
    stops: SharedStopStore,
    loop_key: LoopKey,
    return_key: ReturnKey,
}

impl Parts {
    fn open(settings: &Settings, env: &Env) -> Result<Self, StartFault> {
        let data = &settings.data_dir;
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o750)
            .create(data)
            .map_err(|fault| file(data, fault))?;
        let store = |fault: &dyn std::fmt::Display| StartFault::Store {
            path: data.clone(),
            fault: fault.to_string(),
        };
        let spool = SqliteSpool::open(data, wiring::spool(settings), env.clone()).map_err(|fault| store(&fault))?;
        let directory = SqliteDirectoryStore::open(data, env)
            .map_err(|fault| store(&fault))?
            .with_disk_floor(settings.limits.disk_free_min);
        let traces = SqliteTraceStore::open(data).map_err(|fault| store(&fault))?;
        let stops = SqliteStopStore::open(data).map_err(|fault| store(&fault))?;
        let keeper = DirectoryKeeper::open(
            Arc::new(directory),
            wiring::evaluation(settings),
            wiring::keeper(settings),
            env.clock.now(),
        )
        .map_err(|fault| store(&fault))?;
        super::memory::give_back();
        Ok(Self {
            spool: Arc::new(spool),
            keeper: Arc::new(keeper),
            traces: Arc::new(traces),
            stops: Arc::new(stops),
            loop_key: LoopKey::new(key(&data.join("loop.key"), env)?),
            return_key: ReturnKey(key(&data.join("return.key"), env)?),
        })
    }
}

/// A local key: made once per data directory, readable by its owner only.
fn key(path: &Path, env: &Env) -> Result<[u8; 32], StartFault> {
    match std::fs::read(path) {
        Ok(octets) => octets.as_slice().try_into().map_err(|_| {
            let fault = std::io::Error::other("this is not a key of 32 octets; remove it to have a new one made");
            file(path, fault)
        }),
        Err(fault) if fault.kind() == std::io::ErrorKind::NotFound => {
            use std::io::Write as _;
            let mut key = [0; 32];
            env.chance.fill(&mut key);
            let temporary = path.with_extension("new");
            let write = || {
                let mut out = std::fs::OpenOptions::new()
                    .write(true)
                    .create(true)
                    .truncate(true)
                    .mode(0o600)
                    .open(&temporary)?;
                out.write_all(&key)?;
                out.sync_all()?;
                std::fs::rename(&temporary, path)
            };
            write().map_err(|fault| file(path, fault))?;
            Ok(key)
        }
        Err(fault) => Err(file(path, fault)),
    }
}

fn file(path: &Path, fault: std::io::Error) -> StartFault {
    StartFault::File {
        path: path.to_owned(),
        fault,
    }
}

/// Copies from the categoriser to delivery, which is started after it.
#[derive(Default)]
struct Handover(OnceLock<DeliveryHandle>);

impl Dispatch for Handover {
    fn enqueue(&self, message: Arc<StoredMessage>, content: Content, sets: Vec<DeliverySet>, masks: Masks) {
        if let Some(delivery) = self.0.get() {
            delivery.enqueue_stopped(sets, &message, &content, masks);
        }
    }
}

struct KeptViews {
    keeper: Arc<DirectoryKeeper>,
    env: Env,
}

impl Views for KeptViews {
    fn view(&self) -> Arc<View> {
        self.keeper.view()
    }

    fn view_at(&self, group: &ObjectId, time: Timestamp) -> Result<Arc<View>, PastFault> {
        let view = self.keeper.view();
        let Some(group) = view.directory.ordinal_of(group) else {
            return Ok(view);
        };
        past::below(&view, group, time, |group| {
            let told = self.keeper.history(group, HistoryQuery::back_to(time));
            told.map_err(|fault| PastFault::Unanswered(fault.to_string()))
        })
        .map(Arc::new)
    }

    fn space(&self) -> String {
        self.keeper.space().to_owned()
    }

    fn sources(&self) -> Sources {
        self.keeper.sources(self.env.clock.now())
    }
}
