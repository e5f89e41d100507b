//! `streaming`.
