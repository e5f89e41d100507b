//! What outsiders are told when something is not done (RFC 9457): one table of code, status and title.

use std::{collections::BTreeMap, time::Duration};

use axum::{
    Json,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use model::Refusal;
use serde::Serialize;
use utoipa::{
    IntoResponses, PartialSchema, ToSchema,
    openapi::{self, RefOr},
};

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
    NoSuchMeeting = "no_such_meeting", NOT_FOUND, "会议不存在或已结束", "This meeting doesn’t exist or has ended";
    PasswordNeeded = "password_needed", FORBIDDEN, "请输入会议密码", "Enter the meeting password";
    WrongPassword = "wrong_password", FORBIDDEN, "会议密码错误", "Wrong meeting password";
    TooManyTries = "too_many_tries", TOO_MANY_REQUESTS, "密码错误次数过多，请稍后再试", "Too many wrong passwords; try again later";
    Full = "full", CONFLICT, "会议人数已满", "The meeting is full";
    Locked = "locked", CONFLICT, "会议已锁定", "The meeting is locked";
    Removed = "removed", FORBIDDEN, "您已被主持人移出会议", "The host removed you from this meeting";
    BadName = "bad_name", BAD_REQUEST, "名字不能为空，最多40个字，不能包含特殊字符", "A name must be 1 to 40 characters, without special characters";
    BadMessage = "bad_message", BAD_REQUEST, "无法理解的消息", "The message couldn’t be understood";
    BadOffer = "bad_offer", BAD_REQUEST, "媒体协商失败", "Media negotiation failed";
    Denied = "denied", FORBIDDEN, "主持人没有允许您加入", "The host didn’t let you in";
    Ended = "ended", CONFLICT, "会议已经结束", "The meeting has ended";
    ShareLocked = "share_locked", FORBIDDEN, "主持人已锁定共享，只有主持人可以共享", "Sharing is locked; only the host can share";
    NotShown = "not_shown", CONFLICT, "当前没有共享该内容", "That isn’t being shared right now";
    BadPage = "bad_page", BAD_REQUEST, "网址应以 http:// 或 https:// 开头", "The address must start with http:// or https://";
    WhiteboardFull = "whiteboard_full", CONFLICT, "白板已写满，请先擦除部分内容", "The whiteboard is full; erase something first";
    BadText = "bad_text", BAD_REQUEST, "内容不能为空，也不能过长", "The text can’t be empty or too long";
    NoDialOut = "no_dial_out", CONFLICT, "本系统未开通电话外呼", "This server can’t call phones";
    BadNumber = "bad_number", BAD_REQUEST, "不是有效的电话号码，例如 138 1234 5678 或 +44 20 7946 0000", "Not a valid phone number; write it like 138 1234 5678 or +44 20 7946 0000";
    NumberNotAllowed = "number_not_allowed", FORBIDDEN, "管理员未允许呼叫这类号码", "Your administrator doesn’t allow calls to this kind of number";
    TooManyDials = "too_many_dials", CONFLICT, "同时呼叫的电话过多，请稍候再试", "Too many phones are being called; wait until some have answered";
    CallMinutesSpent = "call_minutes_spent", CONFLICT, "本站点今日的外呼时长已用完，请联系管理员", "Your site has used up today’s calling minutes; contact your administrator";
    CallBudgetSpent = "call_budget_spent", CONFLICT, "本站点今日的外呼费用已达上限，请联系管理员", "Your site has reached today’s calling budget; contact your administrator";
    DialledOften = "dialled_often", TOO_MANY_REQUESTS, "一小时内呼叫该号码的次数过多，请稍后再试", "This number was called too often in the last hour; try again later";
    BadPrompt = "bad_prompt", BAD_REQUEST, "语音文件不可用，请使用30秒以内的WAV或Ogg Opus文件", "This file can’t be used as a prompt; upload a WAV or Ogg Opus file of up to 30 seconds";
    StillRecording = "still_recording", CONFLICT, "正在录制，请先停止录制", "It is still being recorded; stop the recording first";
    NoSuchPoll = "no_such_poll", NOT_FOUND, "投票已结束，或没有这个选项", "The poll is closed or has no such option";
    NoSuchQuestion = "no_such_question", NOT_FOUND, "没有这个提问，或已回答", "This question doesn’t exist or has been answered";
    NotCalled = "not_called", FORBIDDEN, "主持人没有邀请您上台，或邀请已过期", "You haven’t been invited on stage, or the invitation has expired";
    NoSuchRoom = "no_such_room", NOT_FOUND, "没有这个讨论组", "No such breakout room";
    NotAllowed = "not_allowed", FORBIDDEN, "您没有此权限", "You don’t have permission to do that";
    NoSelfUnmute = "no_self_unmute", FORBIDDEN, "主持人未允许自我解除静音，可举手请求", "The host doesn’t allow participants to unmute themselves; raise your hand to ask";
    NoSuchParticipant = "no_such_participant", NOT_FOUND, "该参会者已离开", "This participant has left";
    Draining = "draining", SERVICE_UNAVAILABLE, "服务器正在停止，请稍后再试", "The server is shutting down; try again shortly";
    Failed = "failed", INTERNAL_SERVER_ERROR, "服务器出错了，请稍后再试", "Something went wrong on the server; try again later";
    WrongLogin = "wrong_login", UNAUTHORIZED, "登录名或密码错误", "Wrong username or password";
    LoginLocked = "locked_out", TOO_MANY_REQUESTS, "密码错误次数过多，账号已锁定三分钟", "Too many wrong passwords; the account is locked for three minutes";
    NotLoggedIn = "not_logged_in", UNAUTHORIZED, "请先登录", "Please log in";
    BadTitle = "bad_title", BAD_REQUEST, "会议主题不能为空，最多80个字，不能包含引号、尖括号、反斜杠等特殊字符", "The topic must be 1 to 80 characters, without quotes, angle brackets or backslashes";
    BadPassword = "bad_password", BAD_REQUEST, "会议密码应为4至10位数字", "The meeting password must be 4 to 10 digits";
    NotYet = "not_yet", CONFLICT, "会议时间未到，不能启会", "It’s too early to start this meeting";
    WeakPassword = "weak_password", BAD_REQUEST, "密码至少8位，且必须包含大写字母、小写字母、数字、符号中的三种", "The password must be at least 8 characters, including three of: upper case, lower case, digits, symbols";
    WrongSecret = "wrong_secret", FORBIDDEN, "原密码或验证码错误，或已失效", "The password or code is wrong or has expired";
    NameTaken = "name_taken", CONFLICT, "该登录名已被使用", "This username is taken";
    BadEmail = "bad_email", BAD_REQUEST, "邮箱地址不正确", "This isn’t a valid email address";
    BadMobile = "bad_mobile", BAD_REQUEST, "手机号应为5至15位数字", "A mobile number must be 5 to 15 digits";
    BadAvatar = "bad_avatar", BAD_REQUEST, "头像应为不超过48KB的PNG、JPEG或WebP图片", "The profile picture must be a PNG, JPEG or WebP image of up to 48 KB";
    BadRange = "bad_range", BAD_REQUEST, "数值或时区超出范围", "A number or time zone is out of range";
    Changed = "changed", PRECONDITION_FAILED, "内容已被他人修改，请刷新后重试", "Someone else has changed it; reload and try again";
    BadStart = "bad_start", BAD_REQUEST, "开始时间不能早于当前时间，也不能晚于两年后", "The start can’t be in the past or more than two years ahead";
    BadDuration = "bad_duration", BAD_REQUEST, "会议时长应为15分钟至24小时", "The duration must be between 15 minutes and 24 hours";
    BadEarlyStart = "bad_early_start", BAD_REQUEST, "提前启会只能为不提前、30分钟或60分钟", "The early start must be 0, 30 or 60 minutes";
    BadCapacity = "bad_capacity", BAD_REQUEST, "会议方数超出范围", "The capacity is out of range";
    BadRoom = "bad_room", BAD_REQUEST, "请选择会议室", "Choose a room";
    NoLivestream = "no_livestream", CONFLICT, "本站点未开通互动直播", "Livestreaming isn’t available on this site";
    BadWebinar = "bad_webinar", BAD_REQUEST, "网络研讨会需开启互动直播，观众须报名后观看", "A webinar needs a livestream, and people register to watch it";
    WebinarFull = "webinar_full", CONFLICT, "报名人数已满", "Registration is full";
    BadOrganisation = "bad_organisation", BAD_REQUEST, "单位名称不符合要求", "The organization isn’t allowed";
    RegistrationNeeded = "registration_needed", FORBIDDEN, "观看此直播需要报名", "You need to register to watch this livestream";
    NotApproved = "not_approved", FORBIDDEN, "报名正在等待审核", "Your registration is waiting for approval";
    RegistrationDenied = "registration_denied", FORBIDDEN, "报名未通过审核", "Your registration wasn’t approved";
    NotLive = "not_live", CONFLICT, "直播尚未开启", "There is no livestream right now";
    BadPushUrl = "bad_push_url", BAD_REQUEST, "推流地址应以 rtmp://、rtmps:// 或 srt:// 开头，并包含服务器和串流密钥", "The stream URL must start with rtmp://, rtmps:// or srt:// and include the server and stream key";
    NoSuchPush = "no_such_push", NOT_FOUND, "没有这路推流", "It isn’t being streamed there";
    BadZone = "bad_zone", BAD_REQUEST, "未知时区", "Unknown time zone";
    BadRecurrence = "bad_recurrence", BAD_REQUEST, "周期规则不正确：应为每天、每周或每月，有结束条件，且各次会议不重叠", "The recurrence must be daily, weekly or monthly, have an end, and not overlap itself";
    RoomTaken = "room_taken", CONFLICT, "该时间段会议室已被占用", "The room isn’t available at that time";
    NoPorts = "no_ports", CONFLICT, "该时间段可用方数不足", "Not enough capacity is available at that time";
    FixedTime = "fixed_time", CONFLICT, "不能修改会议开始时间和时长", "Start time and duration can’t be changed";
    InProgress = "in_progress", CONFLICT, "会议正在进行，请先结束会议", "The meeting is in progress; end it first";
    BadUrl = "bad_url", BAD_REQUEST, "地址应为公网https地址", "The address must be a public https address";
    BadEvent = "bad_event", BAD_REQUEST, "未知事件", "Unknown event";
    BadAddress = "bad_address", BAD_REQUEST, "邮箱或手机号不正确", "This isn’t a valid email address or mobile number";
    NoMail = "no_mail", CONFLICT, "本系统未开通邮件发送", "This server can’t send email";
    NoSms = "no_sms", CONFLICT, "本系统未开通短信发送", "This server can’t send text messages";
    TooOften = "too_often", TOO_MANY_REQUESTS, "请求过于频繁，请稍候再试", "Too many requests; try again in a moment";
    TooMany = "too_many", CONFLICT, "数量已达上限", "The limit has been reached";
    KeyReused = "key_reused", UNPROCESSABLE_ENTITY, "同一Idempotency-Key用于了不同的请求", "The Idempotency-Key was already used for a different request";
    WrongOrigin = "wrong_origin", FORBIDDEN, "请求来自其他网站，已拒绝", "The request came from another site and was rejected";
    WatchPasswordNeeded = "watch_password_needed", FORBIDDEN, "观看此直播需要密码", "This livestream requires a password";
    BadWatchPassword = "bad_watch_password", BAD_REQUEST, "观看密码应为4至10位数字", "The livestream password must be 4 to 10 digits";
    WrongWatchPassword = "wrong_watch_password", FORBIDDEN, "观看密码错误", "Wrong livestream password";
    WrongLink = "wrong_link", FORBIDDEN, "观看链接无效，请向主持人索取新的链接", "This link isn’t valid; ask the host for a new one";
    TooFast = "too_fast", TOO_MANY_REQUESTS, "发言过于频繁，请稍候再发", "You’re sending messages too quickly; wait a moment";
    NoPass = "no_pass", FORBIDDEN, "没有观看权限，或权限已过期", "You don’t have permission to watch this, or it has expired";
    NotFound = "not_found", NOT_FOUND, "找不到该页面", "Nothing was found here";
    WrongToken = "wrong_token", UNAUTHORIZED, "令牌无效或已被收回", "The token is invalid or was revoked";
    WrongType = "wrong_type", UNSUPPORTED_MEDIA_TYPE, "内容类型不正确", "Unsupported content type";
    NoCodec = "no_codec", UNSUPPORTED_MEDIA_TYPE, "不支持该编码：视频请使用H.264、VP8或VP9，声音请使用Opus", "This codec isn’t supported; send video as H.264, VP8 or VP9, and audio as Opus";
    IfMatchNeeded = "if_match_needed", PRECONDITION_REQUIRED, "缺少If-Match", "If-Match is required";
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
            Refusal::NoSelfUnmute => Self::NoSelfUnmute,
            Refusal::NoSuchParticipant => Self::NoSuchParticipant,
            Refusal::NotYet => Self::NotYet,
            Refusal::Denied => Self::Denied,
            Refusal::Ended => Self::Ended,
            Refusal::ShareLocked => Self::ShareLocked,
            Refusal::NotShown => Self::NotShown,
            Refusal::BadPage => Self::BadPage,
            Refusal::WhiteboardFull => Self::WhiteboardFull,
            Refusal::NoLivestream => Self::NoLivestream,
            Refusal::NotLive => Self::NotLive,
            Refusal::BadPushUrl => Self::BadPushUrl,
            Refusal::NoSuchPush => Self::NoSuchPush,
            Refusal::TooManyPushes => Self::TooMany,
            Refusal::BadText => Self::BadText,
            Refusal::NoDialOut => Self::NoDialOut,
            Refusal::BadNumber => Self::BadNumber,
            Refusal::NumberNotAllowed => Self::NumberNotAllowed,
            Refusal::TooManyDials => Self::TooManyDials,
            Refusal::CallMinutesSpent => Self::CallMinutesSpent,
            Refusal::CallBudgetSpent => Self::CallBudgetSpent,
            Refusal::DialledOften => Self::DialledOften,
            Refusal::NoSuchPoll => Self::NoSuchPoll,
            Refusal::NoSuchRoom => Self::NoSuchRoom,
            Refusal::TooManyPolls | Refusal::TooMany => Self::TooMany,
            Refusal::NotCalled => Self::NotCalled,
            Refusal::NoSuchQuestion => Self::NoSuchQuestion,
            Refusal::BadDuration => Self::BadDuration,
            Refusal::BadCapacity => Self::BadCapacity,
            Refusal::NoPorts(_) => Self::NoPorts,
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
    /// What exactly, in the reader's language.
    detail: Option<String>,
    retry_after_s: Option<u64>,
}

impl Problem {
    pub(crate) fn new(code: Code, language: Language) -> Self {
        Self { code, language, detail: None, retry_after_s: None }
    }

    pub(crate) fn because(self, detail: String) -> Self {
        Self { detail: Some(detail), ..self }
    }

    /// Rounded up: who comes at the second is not refused again.
    pub(crate) fn retry_after(self, wait: Duration) -> Self {
        Self { retry_after_s: Some(wait.as_secs() + 1), ..self }
    }
}

/// A problem (RFC 9457).
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
struct Body {
    /// Where it is explained.
    r#type: String,
    /// Stable, for programs.
    code: &'static str,
    /// For people, in the language asked for.
    title: &'static str,
    /// What exactly.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    status: u16,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.code.status();
        let body = Body {
            r#type: format!("/api/docs#{}", self.code.code()),
            code: self.code.code(),
            title: self.code.title(self.language),
            detail: self.detail,
            status: status.as_u16(),
        };
        let mut response = (status, Json(body)).into_response();
        let json = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, json);
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

/// What every route may answer.
impl IntoResponses for Problem {
    fn responses() -> BTreeMap<String, RefOr<openapi::Response>> {
        let mut codes: Vec<Code> = Code::ALL.to_vec();
        codes.sort_by_key(|code| code.status().as_u16());
        let mut responses = openapi::ResponsesBuilder::new();
        for same in codes.chunk_by(|a, b| a.status() == b.status()) {
            let names: Vec<_> = same.iter().map(|code| code.code()).collect();
            let content = openapi::ContentBuilder::new().schema(Some(Body::schema())).build();
            let response = openapi::ResponseBuilder::new()
                .description(names.join(", "))
                .content("application/problem+json", content)
                .build();
            responses = responses.response(same[0].status().as_str(), response);
        }
        responses.build().into()
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
