//! Standards and Exchange behaviour we cite, as tables that tests check.
