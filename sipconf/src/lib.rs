//! `sipconf`.
