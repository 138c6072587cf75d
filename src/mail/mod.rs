//! Words of mail: addresses, envelopes, header sections, replies, reports.
