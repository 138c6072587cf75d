//! Stored membership lists: versions, provenance, freshness, views.
