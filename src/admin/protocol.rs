//! The local socket's protocol: one JSON object per line, a request and its answer in turn.
//!
//! `{"version":1,"command":{"name":"status"}}` is answered by `{"version":1,"answer":{…}}` or
//! `{"version":1,"refusal":{…}}`. A peer of another version is refused in words, not by a parse error.

use serde::{Deserialize, Serialize};

use super::{Answer, Command, Refusal, RefusalKind};

/// Version of the protocol.
pub const VERSION: u32 = 1;

/// A question.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Request {
    /// [`VERSION`].
    pub version: u32,
    /// What is asked.
    pub command: Command,
}

/// Its answer: exactly one of the two.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Response {
    /// [`VERSION`].
    pub version: u32,
    /// The answer.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub answer: Option<Answer>,
    /// Why there is none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub refusal: Option<Refusal>,
}

/// Reads a request; the refusal says what is wrong with it.
pub fn read_request(line: &[u8]) -> Result<Command, Refusal> {
    #[derive(Deserialize)]
    struct Version {
        version: u32,
    }
    let usage = |message: String| Refusal::new(RefusalKind::Usage, message);
    let Version { version } =
        serde_json::from_slice(line).map_err(|fault| usage(format!("the request is not understood: {fault}")))?;
    if version != VERSION {
        return Err(usage(format!(
            "this service speaks version {VERSION} of the protocol, not {version}; use its own `muster` program"
        )));
    }
    let request: Request =
        serde_json::from_slice(line).map_err(|fault| usage(format!("the request is not understood: {fault}")))?;
    Ok(request.command)
}

/// Writes an answer, line end included.
#[must_use]
pub fn write_response(result: Result<Answer, Refusal>) -> Vec<u8> {
    let (answer, refusal) = match result {
        Ok(answer) => (Some(answer), None),
        Err(refusal) => (None, Some(refusal)),
    };
    let response = Response {
        version: VERSION,
        answer,
        refusal,
    };
    let mut line = serde_json::to_vec(&response).expect("answers are plain structs with text keys");
    line.push(b'\n');
    line
}
