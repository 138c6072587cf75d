//! Time and chance, handed in from outside so that decisions stay pure.
