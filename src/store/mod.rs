//! What the directory path needs kept: objects, ordinals, rolls. Traits and a memory version.
