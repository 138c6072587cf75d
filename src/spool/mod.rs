//! What the mail path needs kept: messages, delivery sets, holds. Traits and a memory version.
