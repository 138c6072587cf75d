//! (dns)
