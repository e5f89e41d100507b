//! What somebody shows besides his screen (C20): the whiteboard, a picture, a document, a page of the web.

use schemars::JsonSchema;
use serde::Serialize;

use crate::{HandedFile, ParticipantId};

/// Longer addresses are nonsense; signed ones have some hundred characters.
const URL_MAX: usize = 2_000;

/// What is shown now, and by whom.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct ShownView {
    /// Who shows it: those in his breakout room, or with him in the main room, see it.
    pub by: ParticipantId,
    /// What.
    pub what: Shown,
}

/// What can be shown.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Shown {
    /// 白板: drawn on by all, kept with the meeting.
    Whiteboard,
    /// 照片.
    Picture {
        /// To be fetched like one of the chat's.
        file: HandedFile,
    },
    /// 文档 (PDF), paged together.
    Document {
        /// To be fetched like one of the chat's.
        file: HandedFile,
        /// From 1; whether there is such a page only who reads the file knows.
        page: u32,
    },
    /// 网页.
    Page {
        /// `http://` or `https://`.
        url: String,
        /// What it is called.
        name: Option<String>,
    },
}

/// What a file is shown as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// PNG, JPEG, WebP or GIF.
    Picture,
    /// PDF.
    Document,
}

impl Shown {
    pub(crate) fn of_file(kind: FileKind, file: HandedFile) -> Self {
        match kind {
            FileKind::Picture => Self::Picture { file },
            FileKind::Document => Self::Document { file, page: 1 },
        }
    }
}

/// The address is none of `http://` and `https://`, says no host, is too long or has strange characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("that is no address of a page")]
pub struct BadPage;

/// An address of a page as people share it. Who opens it does so with his own browser: where it leads is not looked at.
pub fn check_page(text: &str) -> Result<String, BadPage> {
    let text = text.trim();
    let scheme_end = text.find("://").ok_or(BadPage)?;
    let (scheme, rest) = (&text[..scheme_end], &text[scheme_end + 3..]);
    let is_web = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let is_good = |c: char| !c.is_control() && !c.is_whitespace() && !matches!(c, '"' | '<' | '>' | '\\' | '`');
    // What stands before an @ looks like the host and is none.
    let is_plain = !host.is_empty() && !host.contains('@');
    let is_short = text.chars().count() <= URL_MAX;
    if is_web && is_plain && is_short && text.chars().all(is_good) { Ok(text.to_owned()) } else { Err(BadPage) }
}

#[cfg(test)]
mod tests {
    use super::*;

    // product: C20
    #[test]
    fn only_addresses_of_the_web_are_shared() {
        for good in ["https://example.com", "http://example.com:8080/a?b=c#d", "HTTPS://例子.中国/路", " https://a.b "]
        {
            assert_eq!(check_page(good).as_deref(), Ok(good.trim()), "{good}");
        }
        let long = format!("https://example.com/{}", "a".repeat(URL_MAX));
        for bad in [
            "",
            "example.com",
            "javascript:alert(1)",
            "javascript://example.com/%0aalert(1)",
            "data:text/html,x",
            "file:///etc/passwd",
            "https://",
            "https:///path",
            "https://example.com@evil.example",
            "https://a b",
            "https://a/<script>",
            &long,
        ] {
            assert_eq!(check_page(bad), Err(BadPage), "{bad}");
        }
    }
}
