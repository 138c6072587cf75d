//! Composition: the service, the demo.
