//! `mixer`.
