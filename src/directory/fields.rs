//! Values with several fields, stored as texts.
//!
//! A service plan is `servicePlanId/service/capabilityStatus`; an absent field is empty. An extension property is
//! `extension_<application>_<name>=value`. Neither form holds `;` or a line break, which separate texts in exports.

/// A service plan assigned to a user (Entra's `assignedPlans`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AssignedPlan<'a> {
    pub service_plan_id: Option<&'a str>,
    pub service: Option<&'a str>,
    /// `Enabled`, `Suspended`, `Warning`, `LockedOut`, `Deleted`.
    pub capability_status: Option<&'a str>,
}

impl<'a> AssignedPlan<'a> {
    /// Reads the stored form; a field that is missing or empty is absent.
    pub fn of_text(text: &'a str) -> Self {
        let mut fields = text
            .splitn(3, '/')
            .map(str::trim)
            .map(|field| Some(field).filter(|field| !field.is_empty()));
        let mut next = || fields.next().flatten();
        Self {
            service_plan_id: next(),
            service: next(),
            capability_status: next(),
        }
    }

    /// The stored form.
    pub fn to_text(self) -> String {
        let field = |field: Option<&'a str>| field.unwrap_or_default();
        format!(
            "{}/{}/{}",
            field(self.service_plan_id),
            field(self.service),
            field(self.capability_status)
        )
    }
}

/// Name and value of an extension property as it is stored; `None` if the text is none.
pub fn extension_of_text(text: &str) -> Option<(&str, &str)> {
    text.split_once('=')
        .filter(|(name, value)| !name.is_empty() && !value.is_empty())
}

/// The stored form of an extension property.
pub fn extension_text(name: &str, value: &str) -> String {
    format!("{name}={value}")
}

/// True for `extension_<application without dashes>_<name>`.
pub fn is_extension_name(name: &str) -> bool {
    const PREFIX: &str = "extension_";
    let Some((prefix, rest)) = name.split_at_checked(PREFIX.len()) else {
        return false;
    };
    prefix.eq_ignore_ascii_case(PREFIX)
        && rest.split_once('_').is_some_and(|(application, name)| {
            application.len() == 32 && application.bytes().all(|byte| byte.is_ascii_hexdigit()) && !name.is_empty()
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plans_read_back() {
        let plan = AssignedPlan {
            service_plan_id: Some("efb87545-963c-4e0d-99df-69c6916d9eb0"),
            service: Some("exchange"),
            capability_status: Some("Enabled"),
        };
        assert_eq!(AssignedPlan::of_text(&plan.to_text()), plan);
        let bare = AssignedPlan::of_text("efb87545-963c-4e0d-99df-69c6916d9eb0");
        assert_eq!((bare.service, bare.capability_status), (None, None));
        let without_service = AssignedPlan { service: None, ..plan };
        assert_eq!(AssignedPlan::of_text(&without_service.to_text()), without_service);
    }

    #[test]
    fn extension_names() {
        assert!(is_extension_name(
            "extension_c272a57b722d4eb29bfe327874ae79cb_OfficeNumber"
        ));
        assert!(!is_extension_name("extension_c272_OfficeNumber"));
        assert!(!is_extension_name("extension_c272a57b722d4eb29bfe327874ae79cb_"));
        assert!(!is_extension_name("extensionAttribute1"));
        assert_eq!(extension_of_text("extension_a_b=c=d"), Some(("extension_a_b", "c=d")));
        assert_eq!(extension_of_text("extension_a_b"), None);
    }
}
