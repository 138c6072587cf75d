//! rspamd over HTTP: `POST /checkv2`, one message each.

use serde::Deserialize;
use serde_json::Value;

use super::{FilterAddress, FilterFault, field, whole};
use crate::categorizer::filtering::{FilterQuestion, FilterVerdict, Filtered};
use crate::mail::Reply;

/// Largest answer that is read.
const ANSWER_OCTETS_MAX: u64 = 4 << 20;

/// What of its answer counts.
#[derive(Deserialize, Debug, Default)]
#[serde(default)]
pub(super) struct Answer {
    action: String,
    score: f64,
    required_score: f64,
    messages: Messages,
    milter: Milter,
}

#[derive(Deserialize, Debug, Default)]
#[serde(default)]
struct Messages {
    smtp_message: Option<String>,
}

#[derive(Deserialize, Debug, Default)]
#[serde(default)]
struct Milter {
    /// A name with a value, several, or values with their places.
    add_headers: std::collections::BTreeMap<String, Value>,
}

/// Asks rspamd.
pub(super) async fn ask(
    address: &FilterAddress,
    question: &FilterQuestion,
    http: &reqwest::Client,
) -> Result<Filtered, FilterFault> {
    let FilterAddress::Tcp(address) = address else {
        return Err(FilterFault::Protocol("rspamd is asked over TCP".to_owned()));
    };
    let message = whole(&question.content).await?;
    let mut request = http
        .post(format!("http://{address}/checkv2"))
        .header("From", header(question.envelope.reverse_path.as_str()))
        .header("IP", question.client.to_canonical().to_string())
        .header("Queue-Id", question.id.to_string());
    for to in &question.envelope.recipients {
        request = request.header("Rcpt", header(to.forward_path.as_str()));
    }
    if let Some(helo) = &question.helo {
        request = request.header("Helo", header(helo));
    }
    if let Some(proof) = &question.proof {
        request = request.header("User", header(proof));
    }
    let fault = |fault: reqwest::Error| FilterFault::Protocol(fault.to_string());
    let response = request.body(message).send().await.map_err(fault)?;
    let response = response.error_for_status().map_err(fault)?;
    if response
        .content_length()
        .is_some_and(|length| length > ANSWER_OCTETS_MAX)
    {
        return Err(FilterFault::Protocol("its answer is too long".to_owned()));
    }
    let octets = response.bytes().await.map_err(fault)?;
    let answer = serde_json::from_slice(&octets).map_err(|fault| FilterFault::Protocol(fault.to_string()))?;
    understood(&answer)
}

/// What a header of HTTP may carry.
fn header(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').collect()
}

/// From rspamd's words to ours.
pub(super) fn understood(answer: &Answer) -> Result<Filtered, FilterFault> {
    let told = |default: &str| {
        let text = answer.messages.smtp_message.as_deref().unwrap_or(default);
        text.replace(|c: char| c.is_control(), " ")
    };
    let mut fields: Vec<(String, String)> = Vec::new();
    for (name, value) in &answer.milter.add_headers {
        fields.extend(values(value).into_iter().filter_map(|value| field(name, value)));
    }
    let verdict = match answer.action.as_str() {
        "no action" => FilterVerdict::Accept,
        // Its own milter adds this field; the subject stays as it is.
        "add header" | "rewrite subject" => {
            fields.push(("X-Spam".to_owned(), "Yes".to_owned()));
            FilterVerdict::Accept
        }
        "greylist" | "soft reject" => FilterVerdict::Defer(Reply::new(451, (4, 7, 1), told("Try again later"))),
        "reject" => FilterVerdict::Reject(Reply::new(554, (5, 7, 1), told("Spam message rejected"))),
        "discard" => FilterVerdict::Discard,
        "quarantine" => FilterVerdict::Quarantine,
        other => return Err(FilterFault::Protocol(format!("an action `{other}`"))),
    };
    Ok(Filtered {
        verdict,
        fields,
        by: Some(format!(
            "{}, score {:.1} of {:.1}",
            answer.action, answer.score, answer.required_score
        )),
    })
}

fn values(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(several) => several.iter().flat_map(values).collect(),
        Value::Object(placed) => placed.get("value").map(values).unwrap_or_default(),
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    }
}
