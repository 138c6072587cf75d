//! Settings: one TOML file, every key explained on its field.
