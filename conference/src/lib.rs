//! `conference`.
