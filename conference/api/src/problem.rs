//! What outsiders are told when something is not done (RFC 9457): one table of code, status and title.

use axum::{
    Json,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use model::Refusal;
use serde::Serialize;

/// The reader's language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    Chinese,
    English,
}

impl Language {
    /// Chinese unless English is asked for first: most of our users' browsers say so, programs mostly say nothing.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let accept = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        accept.map_or(Self::Chinese, Self::from_tag)
    }

    pub(crate) fn from_tag(tag: &str) -> Self {
        if tag.trim_start().to_ascii_lowercase().starts_with("en") { Self::English } else { Self::Chinese }
    }
}

macro_rules! problems {
    ($($name:ident = $code:literal, $status:ident, $chinese:literal, $english:literal;)+) => {
        /// One kind of problem.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Code { $($name,)+ }

        impl Code {
            #[cfg(test)]
            pub(crate) const ALL: &[Self] = &[$(Self::$name,)+];

            pub(crate) fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)+ }
            }

            fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status,)+ }
            }

            pub(crate) fn title(self, language: Language) -> &'static str {
                match (self, language) {
                    $((Self::$name, Language::Chinese) => $chinese, (Self::$name, Language::English) => $english,)+
                }
            }
        }
    };
}

problems! {
    NoSuchMeeting = "no_such_meeting", NOT_FOUND, "会议不存在或已结束", "There is no such meeting";
    PasswordNeeded = "password_needed", FORBIDDEN, "请输入会议密码", "This meeting has a password";
    WrongPassword = "wrong_password", FORBIDDEN, "会议密码错误", "The meeting password is wrong";
    TooManyTries = "too_many_tries", TOO_MANY_REQUESTS, "密码错误次数过多，请稍后再试", "Too many wrong passwords; try again later";
    Full = "full", CONFLICT, "会议人数已满", "The meeting is full";
    Locked = "locked", CONFLICT, "会议已锁定", "The meeting is locked";
    Removed = "removed", FORBIDDEN, "您已被主持人移出会议", "The host has removed you from this meeting";
    BadName = "bad_name", BAD_REQUEST, "名字不能为空，最多40个字，不能包含特殊字符", "A name has 1 to 40 characters and none of the special ones";
    BadMessage = "bad_message", BAD_REQUEST, "无法理解的消息", "The message can't be understood";
    BadOffer = "bad_offer", BAD_REQUEST, "媒体协商失败", "The media offer can't be answered";
    NotAllowed = "not_allowed", FORBIDDEN, "您没有此权限", "You may not do that";
    NoSuchParticipant = "no_such_participant", NOT_FOUND, "该参会人已离开", "There is no such participant";
    Draining = "draining", SERVICE_UNAVAILABLE, "服务器正在停止，请稍后再试", "The server is stopping; try again shortly";
    Failed = "failed", INTERNAL_SERVER_ERROR, "服务器出错了，请稍后再试", "Something failed on the server; try again later";
    WrongLogin = "wrong_login", UNAUTHORIZED, "登录名或密码错误", "The login name or the password is wrong";
    LoginLocked = "locked_out", TOO_MANY_REQUESTS, "密码错误次数过多，账号已锁定三分钟", "Too many wrong passwords; locked for three minutes";
    NotLoggedIn = "not_logged_in", UNAUTHORIZED, "请先登录", "Please log in";
    BadTitle = "bad_title", BAD_REQUEST, "会议主题不能为空，最多80个字，不能包含引号、尖括号、反斜杠等特殊字符", "A topic has 1 to 80 characters, without quotes, angle brackets or backslashes";
    BadPassword = "bad_password", BAD_REQUEST, "会议密码应为6位数字", "A meeting password has six digits";
    WrongOrigin = "wrong_origin", FORBIDDEN, "请求来自其他网站，已拒绝", "The request comes from another site";
    NotFound = "not_found", NOT_FOUND, "找不到该页面", "There is nothing here";
    TooLarge = "too_large", PAYLOAD_TOO_LARGE, "请求内容过大", "The request is too large";
}

impl From<Refusal> for Code {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NoSuchMeeting => Self::NoSuchMeeting,
            Refusal::PasswordNeeded => Self::PasswordNeeded,
            Refusal::WrongPassword => Self::WrongPassword,
            Refusal::TooManyTries => Self::TooManyTries,
            Refusal::Full => Self::Full,
            Refusal::Locked => Self::Locked,
            Refusal::Removed => Self::Removed,
            Refusal::BadName => Self::BadName,
            Refusal::NotAllowed => Self::NotAllowed,
            Refusal::NoSuchParticipant => Self::NoSuchParticipant,
            Refusal::Draining => Self::Draining,
            Refusal::Failed => Self::Failed,
        }
    }
}

/// A problem in the reader's language.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) code: Code,
    pub(crate) language: Language,
    pub(crate) retry_after_s: Option<u64>,
}

impl Problem {
    pub(crate) fn new(code: Code, language: Language) -> Self {
        Self { code, language, retry_after_s: None }
    }
}

#[derive(Serialize)]
struct Body {
    code: &'static str,
    title: &'static str,
    status: u16,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.code.status();
        let body = Body { code: self.code.code(), title: self.code.title(self.language), status: status.as_u16() };
        let mut response = (status, Json(body)).into_response();
        let json = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, json);
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_documented_and_is_its_own() {
        let documents = [
            include_str!("../../../docs/reference/client-protocol.md"),
            include_str!("../../../docs/reference/api.md"),
        ]
        .concat();
        let mut codes: Vec<_> = Code::ALL.iter().map(|code| code.code()).collect();
        for code in &codes {
            assert!(documents.contains(&format!("`{code}`")), "{code} is not in docs/reference");
        }
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), Code::ALL.len());
    }
}
