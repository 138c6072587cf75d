//! What people read about a hold: letters and the moderator's page, from templates an operator can change.
//!
//! In: facts. Out: subject, text, HTML in one of the languages. Never: I/O (the settings read the files); HTML
//! that holds text of others as anything but text; no letter because of a broken template.

use std::collections::BTreeSet;

use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value};
use serde::Serialize;

use super::facts::{Facts, Links, PageFacts};

/// The language that has every template.
pub const FALLBACK: &str = "en";

const BUILT_IN: &[(&str, &str)] = &[
    ("en/proof.txt", include_str!("letters/en/proof.txt")),
    ("en/why.txt", include_str!("letters/en/why.txt")),
    ("en/confirm.txt", include_str!("letters/en/confirm.txt")),
    ("en/confirm.html", include_str!("letters/en/confirm.html")),
    ("en/request.txt", include_str!("letters/en/request.txt")),
    ("en/request.html", include_str!("letters/en/request.html")),
    ("en/rejected.txt", include_str!("letters/en/rejected.txt")),
    ("en/expired.txt", include_str!("letters/en/expired.txt")),
    ("en/gone.txt", include_str!("letters/en/gone.txt")),
    ("en/late.txt", include_str!("letters/en/late.txt")),
    ("en/counted.txt", include_str!("letters/en/counted.txt")),
    ("en/unclear.txt", include_str!("letters/en/unclear.txt")),
    ("en/alarm.txt", include_str!("letters/en/alarm.txt")),
    ("en/page.html", include_str!("letters/en/page.html")),
    ("de/proof.txt", include_str!("letters/de/proof.txt")),
    ("de/why.txt", include_str!("letters/de/why.txt")),
    ("de/confirm.txt", include_str!("letters/de/confirm.txt")),
    ("de/confirm.html", include_str!("letters/de/confirm.html")),
    ("de/request.txt", include_str!("letters/de/request.txt")),
    ("de/request.html", include_str!("letters/de/request.html")),
    ("de/rejected.txt", include_str!("letters/de/rejected.txt")),
    ("de/expired.txt", include_str!("letters/de/expired.txt")),
    ("de/gone.txt", include_str!("letters/de/gone.txt")),
    ("de/late.txt", include_str!("letters/de/late.txt")),
    ("de/counted.txt", include_str!("letters/de/counted.txt")),
    ("de/unclear.txt", include_str!("letters/de/unclear.txt")),
    ("de/alarm.txt", include_str!("letters/de/alarm.txt")),
    ("de/page.html", include_str!("letters/de/page.html")),
];

/// The style sheet of the page.
pub const STYLE: &str = include_str!("letters/style.css");

/// Which letter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// To a moderator: decide, please. With HTML.
    Request,
    /// To the sender: do you mean it? With HTML.
    Confirm,
    /// To the sender: refused.
    Rejected,
    /// To the sender: nobody decided.
    Expired,
    /// To the sender: the group is gone.
    Gone,
    /// To a moderator: somebody was first.
    Late,
    /// To a moderator: counted, more are needed.
    Counted,
    /// To a moderator: the answer was not understood.
    Unclear,
    /// To owners and postmaster: nobody can be reached.
    Alarm,
}

impl Kind {
    const ALL: [Self; 9] = [
        Self::Request,
        Self::Confirm,
        Self::Rejected,
        Self::Expired,
        Self::Gone,
        Self::Late,
        Self::Counted,
        Self::Unclear,
        Self::Alarm,
    ];

    const fn file(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Confirm => "confirm",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::Gone => "gone",
            Self::Late => "late",
            Self::Counted => "counted",
            Self::Unclear => "unclear",
            Self::Alarm => "alarm",
        }
    }
}

/// A letter's texts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Written {
    /// Subject.
    pub subject: String,
    /// Text.
    pub text: String,
    /// HTML; only of letters that ask.
    pub html: Option<String>,
}

/// A template that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {fault}")]
pub struct TemplateFault {
    /// `de/request.txt`.
    pub name: String,
    /// Line and reason.
    pub fault: String,
}

/// The templates.
pub struct Letters {
    built_in: Environment<'static>,
    changed: Environment<'static>,
    languages: BTreeSet<String>,
}

impl std::fmt::Debug for Letters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Letters").field("languages", &self.languages).finish()
    }
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|name| {
        if name.ends_with(".html") {
            AutoEscape::Html
        } else {
            AutoEscape::None
        }
    });
    environment
}

impl Letters {
    /// The templates that come with the program.
    #[must_use]
    pub fn built_in() -> Self {
        let mut built_in = environment();
        for (name, source) in BUILT_IN {
            built_in
                .add_template(name, source)
                .expect("a test renders every template that comes with the program");
        }
        Self {
            changed: built_in.clone(),
            built_in,
            languages: ["de", "en"].map(str::to_owned).into(),
        }
    }

    /// With an operator's templates in place of those of the same name, each tried out. A new language needs only
    /// what is to differ from English.
    pub fn with(templates: Vec<(String, String)>) -> Result<Self, Vec<TemplateFault>> {
        let mut letters = Self::built_in();
        let mut faults = Vec::new();
        let mut names = Vec::new();
        for (name, source) in templates {
            let fault = |fault: String| TemplateFault {
                name: name.clone(),
                fault,
            };
            let Some((language, file)) = name.split_once('/') else {
                faults.push(fault(
                    "a template stands in a folder named after its language".to_owned(),
                ));
                continue;
            };
            if !BUILT_IN
                .iter()
                .any(|(known, _)| known.strip_prefix("en/") == Some(file))
            {
                faults.push(fault("there is no template of this name".to_owned()));
                continue;
            }
            match letters.changed.add_template_owned(name.clone(), source) {
                Ok(()) => {
                    letters.languages.insert(language.to_owned());
                    names.push(name);
                }
                Err(error) => faults.push(fault(one_line(&error))),
            }
        }
        faults.extend(names.iter().filter_map(|name| letters.try_out(name).err()));
        if faults.is_empty() { Ok(letters) } else { Err(faults) }
    }

    /// Languages that have at least one template.
    #[must_use]
    pub fn speaks(&self, language: &str) -> bool {
        self.languages.contains(language)
    }

    /// Writes a letter.
    #[must_use]
    pub fn write(&self, language: &str, kind: Kind, facts: &Facts) -> Written {
        let facts = self.with_words(language, facts);
        let text = self.render(language, &format!("{}.txt", kind.file()), &facts);
        let (subject, text) = divided(&text);
        Written {
            subject,
            text,
            html: matches!(kind, Kind::Request | Kind::Confirm)
                .then(|| self.render(language, &format!("{}.html", kind.file()), &facts)),
        }
    }

    /// Writes the moderator's page.
    #[must_use]
    pub fn page(&self, language: &str, facts: &PageFacts) -> String {
        let facts = PageFacts {
            hold: self.with_words(language, &facts.hold),
            ..facts.clone()
        };
        self.render(language, "page.html", &facts)
    }

    fn with_words(&self, language: &str, facts: &Facts) -> Facts {
        let mut facts = facts.clone();
        facts.proof_text = self.render(language, "proof.txt", &facts).trim().to_owned();
        facts.why_text = self.render(language, "why.txt", &facts).trim().to_owned();
        facts
    }

    /// The template of the language, else the English one; if an operator's breaks, the one that came with us.
    fn render(&self, language: &str, file: &str, facts: &impl Serialize) -> String {
        let names = [format!("{language}/{file}"), format!("{FALLBACK}/{file}")];
        for environment in [&self.changed, &self.built_in] {
            for name in &names {
                let Ok(template) = environment.get_template(name) else {
                    continue;
                };
                match template.render(Value::from(Serde(facts))) {
                    Ok(text) => return text,
                    Err(error) => tracing::error!(template = name, fault = one_line(&error), "a template broke"),
                }
            }
        }
        String::new()
    }

    fn try_out(&self, name: &str) -> Result<(), TemplateFault> {
        let fault = |fault: String| TemplateFault {
            name: name.to_owned(),
            fault,
        };
        let template = self
            .changed
            .get_template(name)
            .map_err(|error| fault(one_line(&error)))?;
        for sample in samples() {
            let text = template
                .render(Value::from(Serde(&sample)))
                .map_err(|error| fault(one_line(&error)))?;
            let is_letter = Kind::ALL
                .iter()
                .any(|kind| name.ends_with(&format!("/{}.txt", kind.file())));
            if is_letter && !text.trim_start().starts_with("Subject:") {
                return Err(fault("the first line must begin with `Subject:`".to_owned()));
            }
        }
        Ok(())
    }
}

/// Subject and text of a rendered letter.
fn divided(text: &str) -> (String, String) {
    let text = text.trim_start();
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    let subject = first.strip_prefix("Subject:").unwrap_or(first).trim().to_owned();
    let mut body = rest.trim().to_owned();
    body.push('\n');
    (subject, body)
}

fn one_line(error: &minijinja::Error) -> String {
    let line = error.line().map_or_else(String::new, |line| format!("line {line}: "));
    let detail = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
    format!("{line}{detail}")
}

/// One of each: what a template may meet.
fn samples() -> Vec<PageFacts> {
    let links = Links {
        open: "https://muster.example/m/1/0".to_owned(),
        ..Links::default()
    };
    let view = |view: &str| PageFacts {
        hold: Facts {
            decision: "approved".to_owned(),
            links: Some(links.clone()),
            ..Facts::default()
        },
        view: view.to_owned(),
        ..PageFacts::default()
    };
    let mut samples: Vec<PageFacts> = ["ask", "empty", "decided", "counted", "gone", "unknown", "unavailable"]
        .map(view)
        .into();
    samples.push(PageFacts {
        hold: Facts {
            decision: "expired".to_owned(),
            ..Facts::default()
        },
        ..PageFacts::default()
    });
    samples
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Facts {
        Facts {
            id: "m-17".to_owned(),
            group: "all-staff@contoso.example".to_owned(),
            group_name: "all-staff".to_owned(),
            sender: "canteen@contoso.example".to_owned(),
            standing: "internal".to_owned(),
            proof: "loopback".to_owned(),
            subject: "<script>alert(1)</script>".to_owned(),
            recipients: 8_214,
            expires_at: "2026-11-27 14:05 CET (+01:00)".to_owned(),
            others: true,
            quorum: 1,
            decision: "approved".to_owned(),
            decided_by: "eva@contoso.example".to_owned(),
            ..Facts::default()
        }
    }

    #[test]
    fn every_template_that_comes_with_us_renders() {
        let letters = Letters::built_in();
        for (name, _) in BUILT_IN {
            letters.try_out(name).expect("renders");
        }
        for language in ["en", "de"] {
            let request = letters.write(language, Kind::Request, &facts());
            assert!(
                request.subject.ends_with("? all-staff: <script>alert(1)</script>"),
                "{request:?}"
            );
            assert!(
                request.text.contains("8214") && request.text.contains("loopback"),
                "{}",
                request.text
            );
            let html = request.html.expect("a request has HTML");
            assert!(!html.contains("<script>") && html.contains("&lt;script&gt;"), "{html}");
        }
        let english = letters.write("fr", Kind::Late, &facts());
        assert!(
            english.text.contains("was already approved by eva@contoso.example"),
            "{}",
            english.text
        );
        assert!(letters.write("de", Kind::Late, &facts()).text.contains("freigegeben"));
    }

    #[test]
    fn an_operators_template_takes_the_place_of_ours_and_is_tried_out() {
        let changed = |name: &str, source: &str| Letters::with(vec![(name.to_owned(), source.to_owned())]);
        let letters = changed("en/late.txt", "Subject: Too late\n\n{{ decided_by }} was first.").expect("good");
        let late = letters.write("en", Kind::Late, &facts());
        assert_eq!(
            (late.subject.as_str(), late.text.as_str()),
            ("Too late", "eva@contoso.example was first.\n")
        );
        let letters = changed("fr/late.txt", "Subject: Trop tard\n\n{{ decided_by }}").expect("a new language");
        assert!(letters.speaks("fr") && !letters.speaks("it"));
        assert!(
            letters
                .write("fr", Kind::Expired, &facts())
                .subject
                .starts_with("Expired"),
            "the rest is English"
        );
        for (name, source, expected) in [
            ("en/late.txt", "Subject: {{ nobody }}", "line 1"),
            ("en/late.txt", "Subject: {% if %}", "line 1"),
            ("en/late.txt", "no subject", "Subject:"),
            ("en/later.txt", "Subject: x", "no template of this name"),
            ("late.txt", "Subject: x", "folder"),
        ] {
            let faults = changed(name, source).expect_err("refused");
            assert!(faults[0].to_string().contains(expected), "{}", faults[0]);
        }
    }
}
