//! What WHIP (RFC 9725) and WHEP (draft-ietf-wish-whep) have in common: a description is posted, and what comes of it is a
//! *session* with an address of its own, which the client ends, and by which it goes on after its network has changed.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    extract::{Path, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use conference::{MediaRefused, MeetingHandle, PeerRole, StageSeat};
use model::ParticipantId;
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use crate::{
    App,
    problem::{Code, Problem},
    rest::Anybody,
};

/// How often it is asked whether a session may go on: a token that was taken back is good for no longer than this.
pub(crate) const LOOK: Duration = Duration::from_secs(2);

/// Descriptions of sessions (RFC 8866), and pieces of them (RFC 8840).
const SDP: &str = "application/sdp";
const SDP_FRAGMENT: &str = "application/trickle-ice-sdpfrag";

/// Names and passwords of ICE have no more characters (RFC 8839 §5.4).
const ICE_CHARS_MAX: usize = 256;

/// All sessions of this server. Each is taken out by whoever holds it.
#[derive(Default)]
pub(crate) struct Sessions(Mutex<HashMap<String, Session>>);

/// One session.
#[derive(Clone)]
pub(crate) struct Session {
    /// What it is: of the newest description.
    etag: String,
    /// What the client offered.
    offer: Arc<str>,
    /// Of the token it was made with.
    bearer_sha256: [u8; 32],
    whose: Whose,
    pub(crate) ended: CancellationToken,
}

/// Who goes on by another way where a session is described anew.
#[derive(Clone)]
pub(crate) enum Whose {
    /// An encoder's.
    Encoder(MeetingHandle, ParticipantId),
    /// A viewer's.
    Viewer(Arc<StageSeat>),
}

impl Whose {
    async fn restart(&self, offer: String) -> Result<String, MediaRefused> {
        match self {
            Self::Encoder(handle, participant) => handle.restart(*participant, PeerRole::Publisher, offer).await,
            Self::Viewer(seat) => seat.restart(offer).await,
        }
    }
}

/// A session that is listed until this is dropped.
pub(crate) struct Listed {
    sessions: Arc<Sessions>,
    id: String,
    pub(crate) ended: CancellationToken,
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.sessions.lock().remove(&self.id);
    }
}

impl Sessions {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Session>> {
        // A map is whole between any two operations, whoever panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, id: &str) -> Option<Session> {
        self.lock().get(id).cloned()
    }
}

/// Lists a session, and answers its client (RFC 9725 §4.2).
pub(crate) fn create(
    app: &App,
    path: &str,
    bearer: Option<&str>,
    whose: Whose,
    (offer, answer): (String, String),
) -> (Listed, Response) {
    let (id, etag, ended) = (random(), random(), CancellationToken::new());
    let (who, bearer_sha256) = (participant(&whose), digest(bearer));
    let session = Session { etag: etag.clone(), offer: offer.into(), bearer_sha256, whose, ended: ended.clone() };
    app.sessions.lock().insert(id.clone(), session);
    let fields = [
        (header::CONTENT_TYPE, SDP.to_owned()),
        (header::LOCATION, format!("{path}/{id}")),
        (header::ETAG, format!("\"{etag}\"")),
        (HeaderName::from_static("accept-patch"), SDP_FRAGMENT.to_owned()),
    ];
    let mut response = (StatusCode::CREATED, fields, answer).into_response();
    if let Some(turn) = &app.turn {
        let server = turn.server_for(who, jiff::Timestamp::now());
        for link in server.links() {
            response.headers_mut().append(header::LINK, link);
        }
    }
    (Listed { sessions: Arc::clone(&app.sessions), id, ended }, response)
}

fn participant(whose: &Whose) -> ParticipantId {
    match whose {
        Whose::Encoder(_, participant) => *participant,
        Whose::Viewer(seat) => seat.viewer,
    }
}

/// 16 random bytes, hexadecimal.
fn random() -> String {
    hex::encode(rand::random::<[u8; 16]>())
}

fn digest(bearer: Option<&str>) -> [u8; 32] {
    Sha256::digest(bearer.unwrap_or_default().as_bytes()).into()
}

/// The token of a request (RFC 6750 §2.1).
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// What is posted to begin a session.
pub(crate) async fn offer(caller: &Anybody, request: Request) -> Result<String, Problem> {
    body(caller, request, SDP).await
}

async fn body(Anybody(caller): &Anybody, request: Request, of_type: &str) -> Result<String, Problem> {
    let said = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !said.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(of_type) {
        return Err(caller.problem(Code::WrongType).because(of_type.to_owned()));
    }
    let bytes = axum::body::to_bytes(request.into_body(), crate::BODY_BYTES_MAX).await;
    let bytes = bytes.map_err(|_| caller.problem(Code::TooLarge))?;
    String::from_utf8(bytes.into()).map_err(|_| caller.problem(Code::BadOffer))
}

/// A refusal that says by what one would be let in (RFC 9110 §11.6.1).
pub(crate) fn unauthorized(caller: &Anybody) -> Response {
    ([(header::WWW_AUTHENTICATE, "Bearer")], caller.0.problem(Code::WrongToken)).into_response()
}

fn refused(caller: &Anybody, code: Code) -> Response {
    if code == Code::WrongToken { unauthorized(caller) } else { caller.0.problem(code).into_response() }
}

/// The session of a path, for who made it.
fn session(app: &App, id: &str, headers: &HeaderMap) -> Result<Session, Code> {
    let session = app.sessions.get(id).ok_or(Code::NotFound)?;
    // Digests are compared, so that no time tells how much of a token was right.
    if session.bearer_sha256 == digest(bearer(headers)) { Ok(session) } else { Err(Code::WrongToken) }
}

/// Ends a session (RFC 9725 §4.2).
pub(crate) async fn end(
    State(app): State<App>,
    caller: Anybody,
    Path((_, id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<StatusCode, Response> {
    let session = session(&app, &id, &headers).map_err(|code| refused(&caller, code))?;
    session.ended.cancel();
    Ok(StatusCode::OK)
}

/// Tells candidates, or goes on by another way (RFC 9725 §4.3). Of candidates we need none: we are ICE-lite, and answer
/// whoever knows our name and password.
pub(crate) async fn patch(
    State(app): State<App>,
    caller: Anybody,
    Path((_, id)): Path<(String, String)>,
    request: Request,
) -> Result<Response, Response> {
    let session = session(&app, &id, request.headers()).map_err(|code| refused(&caller, code))?;
    let problem = |code| caller.0.problem(code).into_response();
    let wanted = request.headers().get(header::IF_MATCH).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let fragment = body(&caller, request, SDP_FRAGMENT).await.map_err(IntoResponse::into_response)?;
    let wanted = wanted.ok_or_else(|| problem(Code::IfMatchNeeded))?;
    let is_newest = wanted.trim() == "*" || wanted.trim().trim_matches('"') == session.etag;
    if !is_newest {
        return Err(problem(Code::Changed));
    }
    let said = |name| attribute(&fragment, name).filter(|value| is_ice(value));
    let known = attribute(&session.offer, "ice-ufrag");
    let (Some(ufrag), Some(password)) = (said("ice-ufrag"), said("ice-pwd")) else {
        return Err(problem(Code::BadOffer));
    };
    if known == Some(ufrag) {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let offer = with_ice(&session.offer, ufrag, password);
    let answer = session.whose.restart(offer.clone()).await.map_err(|error| {
        tracing::debug!(%error, "session is not begun anew");
        problem(Code::BadOffer)
    })?;
    let etag = random();
    if let Some(session) = app.sessions.lock().get_mut(&id) {
        (session.etag, session.offer) = (etag.clone(), offer.into());
    }
    let fields = [(header::CONTENT_TYPE, SDP_FRAGMENT.to_owned()), (header::ETAG, format!("\"{etag}\""))];
    Ok((StatusCode::OK, fields, fragment_of(&answer)).into_response())
}

/// Says what is taken here (RFC 9725 §4.2), to pages of other sites too.
pub(crate) async fn options() -> impl IntoResponse {
    (StatusCode::NO_CONTENT, [("accept-post", SDP), ("accept-patch", SDP_FRAGMENT)])
}

/// Lets pages of all sites ask and read, as they come by a token and never by a cookie.
pub(crate) async fn share(request: Request, next: Next) -> Response {
    let is_question = request.method() == Method::OPTIONS;
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let mut say = |name, value| headers.insert(name, HeaderValue::from_static(value));
    say(header::ACCESS_CONTROL_ALLOW_ORIGIN, "*");
    say(header::ACCESS_CONTROL_EXPOSE_HEADERS, "accept-patch, etag, link, location");
    if is_question {
        say(header::ACCESS_CONTROL_ALLOW_METHODS, "POST, PATCH, DELETE");
        say(header::ACCESS_CONTROL_ALLOW_HEADERS, "authorization, content-type, if-match");
        say(header::ACCESS_CONTROL_MAX_AGE, "600");
    }
    response
}

/// The value of the first attribute of this name.
fn attribute<'a>(description: &'a str, name: &str) -> Option<&'a str> {
    let value = |line: &'a str| line.strip_prefix("a=")?.strip_prefix(name)?.strip_prefix(':');
    description.lines().find_map(|line| value(line.trim_end()))
}

/// RFC 8839 §5.4.
fn is_ice(value: &str) -> bool {
    let is_char = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/';
    (4..=ICE_CHARS_MAX).contains(&value.len()) && value.bytes().all(is_char)
}

/// An offer with another name and password of ICE.
fn with_ice(offer: &str, ufrag: &str, password: &str) -> String {
    let line = |line: &str| match line.trim_end() {
        line if line.starts_with("a=ice-ufrag:") => format!("a=ice-ufrag:{ufrag}\r\n"),
        line if line.starts_with("a=ice-pwd:") => format!("a=ice-pwd:{password}\r\n"),
        line => format!("{line}\r\n"),
    };
    offer.lines().map(line).collect()
}

/// What of an answer is about ICE (RFC 8840 §9): all m-lines share it.
fn fragment_of(answer: &str) -> String {
    let mut fragment = "a=ice-lite\r\n".to_owned();
    let mut m_lines = 0;
    for line in answer.lines().map(str::trim_end) {
        m_lines += usize::from(line.starts_with("m="));
        let begins = |names: &[&str]| names.iter().any(|name| line.starts_with(name));
        let is_of_all = m_lines == 0 && begins(&["a=group:", "a=ice-ufrag:", "a=ice-pwd:"]);
        let of_first = ["m=", "a=mid:", "a=ice-ufrag:", "a=ice-pwd:", "a=candidate:", "a=end-of-candidates"];
        if is_of_all || m_lines == 1 && begins(&of_first) {
            fragment += line;
            fragment += "\r\n";
        }
    }
    fragment
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFER: &str = "v=0\r\na=group:BUNDLE 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=ice-ufrag:abcd\r\n\
        a=ice-pwd:0123456789012345678901\r\na=sendonly\r\n";

    // RFC 9725 §4.3
    #[test]
    fn a_way_is_begun_anew_by_another_name_and_nothing_else() {
        assert_eq!(attribute(OFFER, "ice-ufrag"), Some("abcd"));
        let other = with_ice(OFFER, "wxyz", "1098765432109876543210");
        assert_eq!(attribute(&other, "ice-ufrag"), Some("wxyz"));
        assert_eq!(with_ice(&other, "abcd", "0123456789012345678901"), OFFER);
        let answer = "v=0\r\na=ice-lite\r\na=group:BUNDLE 0 1\r\na=fingerprint:sha-256 00\r\nm=audio 9 x 111\r\na=mid:0\r\n\
            a=ice-ufrag:u\r\na=ice-pwd:p\r\na=candidate:1 1 udp 1 127.0.0.1 9 typ host\r\na=recvonly\r\nm=video 9 x 96\r\na=mid:1\r\n";
        assert_eq!(
            fragment_of(answer),
            "a=ice-lite\r\na=group:BUNDLE 0 1\r\nm=audio 9 x 111\r\na=mid:0\r\na=ice-ufrag:u\r\na=ice-pwd:p\r\n\
             a=candidate:1 1 udp 1 127.0.0.1 9 typ host\r\n"
        );
    }

    #[test]
    fn what_is_no_name_of_ice_is_none() {
        for (value, is) in [("abcd", true), ("a+/9", true), ("abc", false), ("ab d", false), ("ab\u{e9}d", false)] {
            assert_eq!(is_ice(value), is, "{value}");
        }
        assert!(!is_ice(&"a".repeat(257)));
    }

    #[test]
    fn a_token_follows_its_scheme() {
        let said = |text: &'static str| {
            let headers = HeaderMap::from_iter([(header::AUTHORIZATION, HeaderValue::from_static(text))]);
            bearer(&headers).map(str::to_owned)
        };
        assert_eq!(said("Bearer abc"), Some("abc".to_owned()));
        assert_eq!(said("bearer  abc"), Some("abc".to_owned()));
        assert_eq!(said("Basic abc"), None);
        assert_eq!(said("abc"), None);
    }
}
