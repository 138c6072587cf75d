//! May this sender reach this recipient now?
