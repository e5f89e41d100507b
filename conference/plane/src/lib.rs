//! `plane`.
