//! Sources of recipient objects.
