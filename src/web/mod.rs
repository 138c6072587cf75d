//! The moderators' page: a small HTTP listener that shows one held message and takes one decision.
//!
//! In: requests for `/m/HOLD/TOKEN`. Out: a page that works on a phone and without script; decisions in the name of
//! the moderator whom the token was sent to. Never: a decision by GET (scanners open every link); a page that
//! another site may frame, store or script; more connections than the bound, or one that stays.

mod connection;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Path, RawQuery, State};
use axum::http::header::{self, HeaderName, HeaderValue};
use axum::http::{Method, StatusCode};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::get;
use axum::{Form, Router, middleware};
use serde::Deserialize;
use tokio::sync::watch;

use crate::categorizer::Categorizer;
use crate::categorizer::decide::Manner;
use crate::categorizer::release::ReleaseFault;
use crate::limits::WEB_BODY_OCTETS_MAX;
use crate::mail::{HoldId, Mailbox};
use crate::moderation::facts::PageFacts;
use crate::moderation::letter::STYLE;
use crate::moderation::machine::Answer;
use crate::moderation::token::{self, Purpose, Token, page_path};
use crate::moderation::{Actor, DecisionFault};
use crate::spool::message::{Hold, HoldState};
use connection::Bounded;

/// Where the style sheet is.
const STYLE_PATH: &str = "/style.css";

/// What every answer says to browsers: no script, no frame, no copy, no word of the link to anybody.
const HEADERS: [(HeaderName, HeaderValue); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        ),
    ),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (
        HeaderName::from_static("x-robots-tag"),
        HeaderValue::from_static("noindex, nofollow"),
    ),
];

/// A page that is about to be served.
pub struct Page {
    listener: tokio::net::TcpListener,
    categorizer: Arc<Categorizer>,
}

impl Page {
    /// Listens.
    pub async fn bind(address: SocketAddr, categorizer: Arc<Categorizer>) -> std::io::Result<Self> {
        Ok(Self {
            listener: tokio::net::TcpListener::bind(address).await?,
            categorizer,
        })
    }

    /// Where it listens.
    pub fn local_address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until told to stop; requests under way are finished.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let stopped = async move {
            // A sender that is gone stops it as well.
            let _ = stop.wait_for(|stop| *stop).await;
        };
        let served = axum::serve(Bounded::new(self.listener), routes(self.categorizer))
            .with_graceful_shutdown(stopped)
            .await;
        if let Err(fault) = served {
            tracing::error!(%fault, "the moderators' page has ended");
        }
    }
}

fn routes(categorizer: Arc<Categorizer>) -> Router {
    Router::new()
        .route("/m/{hold}/{token}", get(show).post(decide))
        .route(STYLE_PATH, get(style))
        .fallback(nothing)
        .layer(DefaultBodyLimit::max(WEB_BODY_OCTETS_MAX))
        .layer(middleware::map_response(with_headers))
        .with_state(categorizer)
}

async fn with_headers(mut response: Response) -> Response {
    for (name, value) in HEADERS {
        response.headers_mut().entry(name).or_insert(value);
    }
    response
}

async fn style() -> impl IntoResponse {
    let headers = [
        (header::CONTENT_TYPE, "text/css; charset=utf-8"),
        (header::CACHE_CONTROL, "public, max-age=3600"),
    ];
    (headers, STYLE)
}

async fn nothing(State(categorizer): State<Arc<Categorizer>>) -> Response {
    unknown(&categorizer)
}

/// What a form says.
#[derive(Deserialize)]
struct Decision {
    decision: Option<String>,
    comment: Option<String>,
}

/// A link that leads to a request of a hold.
struct Found {
    hold: Hold,
    moderator: Mailbox,
    token: Token,
}

/// Shows the message; decides nothing.
async fn show(
    State(categorizer): State<Arc<Categorizer>>,
    Path((hold, token)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Response {
    let choose = match query.as_deref() {
        Some("choose=approve") => "approve",
        Some("choose=reject") => "reject",
        Some(_) | None => "",
    };
    match find(&categorizer, &hold, &token).await {
        Some(found) => page(&categorizer, found, "ask", choose).await,
        None => unknown(&categorizer),
    }
}

/// Takes a decision in the name of the moderator whom the token was sent to.
async fn decide(
    State(categorizer): State<Arc<Categorizer>>,
    method: Method,
    Path((hold, token)): Path<(String, String)>,
    Form(form): Form<Decision>,
) -> Response {
    debug_assert_eq!(method, Method::POST, "the router sends nothing else here");
    let Some(found) = find(&categorizer, &hold, &token).await else {
        return unknown(&categorizer);
    };
    let answer = match form.decision.as_deref() {
        Some("approve") => Answer::Approve,
        Some("reject") => Answer::Reject,
        Some(_) | None => return page(&categorizer, found, "empty", "").await,
    };
    let comment = form
        .comment
        .map(|text| text.trim().to_owned())
        .filter(|text| !text.is_empty());
    let actor = Actor::Moderator(found.moderator.clone());
    let decided = categorizer
        .decide(found.hold.id, answer, &actor, comment, &Manner::default())
        .await;
    match decided {
        // Whoever was first, the page now tells who, and a reload sends nothing again.
        Ok(_) | Err(ReleaseFault::Decision(DecisionFault::Already { .. } | DecisionFault::Voted { .. })) => {
            Redirect::to(&page_path(found.hold.id, &found.token)).into_response()
        }
        Err(ReleaseFault::Decision(DecisionFault::Gone(_) | DecisionFault::NotModerator(_))) => {
            let mut response = page(&categorizer, found, "gone", "").await;
            *response.status_mut() = StatusCode::FORBIDDEN;
            response
        }
        Err(fault @ (ReleaseFault::NotNow(_) | ReleaseFault::Past(_) | ReleaseFault::Spool(_))) => {
            tracing::warn!(hold = %found.hold.id, %fault, "a decision on the page could not be kept");
            bare(&categorizer, "unavailable", StatusCode::SERVICE_UNAVAILABLE)
        }
    }
}

/// The hold and the moderator that a link belongs to.
async fn find(categorizer: &Arc<Categorizer>, hold: &str, token: &str) -> Option<Found> {
    let id = HoldId(hold.parse().ok()?);
    let token = Token::read(token)?;
    let this = Arc::clone(categorizer);
    let hold = tokio::task::spawn_blocking(move || this.hold(id)).await.ok()?.ok()?;
    let moderator = token::request(&hold, &token, Purpose::Link)?.moderator.clone();
    Some(Found { hold, moderator, token })
}

/// The page of a hold as it stands; `view` while it waits.
async fn page(categorizer: &Arc<Categorizer>, found: Found, view: &str, choose: &str) -> Response {
    let Found { hold, moderator, token } = found;
    let this = Arc::clone(categorizer);
    let told = hold.clone();
    let facts = tokio::task::spawn_blocking(move || this.page_facts(&told)).await;
    let Ok(mut facts) = facts else {
        return bare(categorizer, "unavailable", StatusCode::SERVICE_UNAVAILABLE);
    };
    facts.moderator = moderator.to_string();
    let key = moderator.key();
    let voted = hold.approval.votes.iter().any(|vote| vote.moderator.key() == key);
    let (view, mine) = match &hold.state {
        HoldState::Decided { by, .. } => {
            let own = |name: &str| Mailbox::parse(name.trim()).is_ok_and(|name| name.key() == key);
            ("decided", by.split(", ").any(own))
        }
        HoldState::Waiting if voted => ("counted", true),
        HoldState::Waiting => (view, false),
    };
    let language = categorizer.hold_language(&hold);
    let page = PageFacts {
        hold: facts,
        view: view.to_owned(),
        choose: choose.to_owned(),
        mine,
        action: page_path(hold.id, &token),
        style: STYLE_PATH.to_owned(),
    };
    let organisation = categorizer.organisation();
    Html(organisation.moderation.letters.page(&language, &page)).into_response()
}

fn unknown(categorizer: &Arc<Categorizer>) -> Response {
    bare(categorizer, "unknown", StatusCode::NOT_FOUND)
}

/// A page without a hold.
fn bare(categorizer: &Arc<Categorizer>, view: &str, status: StatusCode) -> Response {
    let organisation = categorizer.organisation();
    let moderation = &organisation.moderation;
    let facts = PageFacts {
        view: view.to_owned(),
        style: STYLE_PATH.to_owned(),
        ..PageFacts::default()
    };
    (status, Html(moderation.letters.page(&moderation.language, &facts))).into_response()
}
