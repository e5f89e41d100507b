//! The web edge: REST, the client WebSocket, HLS, the embedded pages. The only crate that knows HTTP status codes.
//!
//! Routes are in `docs/reference/api.md`, the WebSocket in `docs/reference/client-protocol.md`.

mod door;
mod idle;
mod listen;
mod live;
mod origins;
mod pages;
mod problem;
mod rest;
mod rtmp;
mod session;
mod sip_socket;
mod stored;
mod tally;
mod throttle;
mod tls;
mod turn;
mod viewer_chat;
mod whep;
mod whip;
mod wish;

use std::{io, net::SocketAddr, ops::Deref, path::PathBuf, sync::Arc, time::Duration};

use axum::{
    Extension, Router,
    extract::{DefaultBodyLimit, Request, State},
    http::{HeaderValue, header},
    middleware::{self, Next},
    response::Response,
    routing::{get, post},
};
use axum_server::{Handle, tls_rustls::RustlsConfig};
pub use conference::SipInfo;

use conference::Conference;
use streaming::{Origin, Recordings, Streaming};
use tokio::sync::mpsc;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa_swagger_ui::SwaggerUi;

use door::Door;
use idle::H2;
use listen::{PATIENCE, bind, guard};
use live::Front;
use origins::Origins;
pub use sip_socket::SipSocket;
use tally::Tally;
use throttle::{FORGOTTEN, REGISTERING, Throttle};
pub use tls::{Certificate, CertificateError};
pub use turn::TurnConfig;

/// Bodies longer than this are refused with 413. Nothing we take is a tenth of it.
const BODY_BYTES_MAX: usize = 64 << 10;

/// Scripts, styles and connections of our own alone; nothing inline but styles (the player and the design system set
/// some). WebAssembly decodes documents' pictures and clears voices and backgrounds. Frames hold pages that are shared:
/// they are sandboxed, and fetched by whoever asks for them. Captions of livestreams begin as an empty track, which hls.js
/// has as `data:`: nothing in it runs, or is fetched.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; frame-src 'self' http: https:; img-src 'self' data: blob:; media-src 'self' data: blob:; \
     style-src 'self' 'unsafe-inline'; connect-src 'self' ws: wss:; worker-src 'self' blob:; \
     base-uri 'none'; form-action 'self'; object-src 'none'; frame-ancestors 'self'";

/// How the web is served.
#[derive(Debug, Clone)]
pub struct WebConfig {
    /// Plain HTTP.
    pub http: SocketAddr,
    /// HTTPS, and what is shown there.
    pub https: Option<(SocketAddr, Certificate)>,
    /// How people reach the pages, where it is set.
    pub public_url: Option<String>,
    /// Origins whose pages may show meetings in a frame and use the API, as `https://host:port`.
    pub origins: Vec<String>,
    /// How telephones reach us.
    pub sip: SipInfo,
    /// For browsers that get through nowhere else.
    pub turn: Option<TurnConfig>,
    /// Whom people turn to.
    pub support: Support,
    /// RTMP, for encoders; none come so where there is no address.
    pub rtmp: Vec<SocketAddr>,
    /// Who may join a second from one network, with a minute's worth at once; 0 is everybody.
    pub joins_per_second: u32,
    /// Who serves telephones that come by WebSocket; there are none where there is nobody.
    pub sip_sockets: Option<mpsc::Sender<SipSocket>>,
}

/// Whom people turn to when they need help (A6).
#[derive(Debug, Clone, Default)]
pub struct Support {
    /// Customer service (在线客服): a page, or `mailto:`.
    pub url: Option<String>,
    /// A telephone number (客服热线).
    pub hotline: Option<String>,
}

/// Why the web could not begin.
#[derive(Debug, thiserror::Error)]
pub enum WebError {
    /// A port is taken.
    #[error("cannot bind the web at {0}: {1}")]
    Bind(SocketAddr, #[source] io::Error),
    /// The certificate.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
}

/// What handlers share, of which each has its own handle.
#[derive(Clone)]
pub(crate) struct App(Arc<Parts>);

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// See [`App`].
pub(crate) struct Parts {
    pub(crate) conference: Conference,
    pub(crate) origin: Origin,
    pub(crate) recordings: Recordings,
    /// The picture of watch pages while they wait.
    pub(crate) poster: Option<PathBuf>,
    pub(crate) sip: SipInfo,
    pub(crate) turn: Option<TurnConfig>,
    pub(crate) support: Support,
    pub(crate) origins: Origins,
    pub(crate) public_url: Option<String>,
    /// Who asks for new passwords.
    pub(crate) forgotten: Throttle,
    /// For webinars.
    pub(crate) registering: Throttle,
    /// Who joins.
    pub(crate) joins: Throttle,
    /// Who begins to watch by WebRTC.
    pub(crate) watching: Throttle,
    /// Who is here, and who waits for what a livestream is about to have.
    pub(crate) tally: Arc<Tally>,
    pub(crate) sip_sockets: Option<mpsc::Sender<SipSocket>>,
    /// Where encoders come by RTMP.
    pub(crate) rtmp: Option<u16>,
    /// Of encoders, and of viewers who watch by WebRTC.
    pub(crate) sessions: Arc<wish::Sessions>,
}

impl App {
    /// How the pages are reached, for links.
    pub(crate) fn base(&self, caller: &rest::Caller) -> String {
        self.public_url.as_deref().map_or_else(|| caller.base(), str::to_owned)
    }
}

/// The running web edge.
pub struct Web {
    http: SocketAddr,
    https: Option<SocketAddr>,
    door: Door,
    handles: Vec<Handle<SocketAddr>>,
}

impl Web {
    /// Binds and serves.
    pub fn start(config: WebConfig, conference: Conference, streaming: &Streaming) -> Result<Self, WebError> {
        let public_url = config.public_url.as_deref().map(|url| url.trim_end_matches('/').to_owned());
        let (origin, recordings) = (streaming.origin(), streaming.recordings());
        let (sip, turn, support, sip_sockets) = (config.sip, config.turn, config.support, config.sip_sockets);
        let origins = Origins::new(config.origins);
        let by_rtmp: Vec<_> = config.rtmp.into_iter().map(bind_rtmp).collect::<Result<_, _>>()?;
        let rtmp = by_rtmp.first().map(|(_, port)| *port);
        let app = App(Arc::new(Parts {
            conference,
            origin,
            recordings,
            poster: streaming.poster(),
            sip,
            turn,
            support,
            origins,
            public_url,
            forgotten: Throttle::new(FORGOTTEN),
            registering: Throttle::new(REGISTERING),
            joins: Throttle::of_joins(config.joins_per_second),
            watching: Throttle::of_watching(config.joins_per_second),
            tally: Arc::default(),
            sip_sockets,
            rtmp,
            sessions: Arc::default(),
        }));
        for (listener, _) in by_rtmp {
            tokio::spawn(rtmp::serve(listener, app.clone(), streaming.clone()));
        }
        let router = router(app.clone());
        let in_use = |error| WebError::Bind(config.http, error);
        let listener = bind(config.http, PATIENCE)?;
        let http = listener.local_addr().map_err(in_use)?;
        let door =
            Door::open(listener, PATIENCE, app.clone(), Front::new(app.clone(), router.clone())).map_err(in_use)?;
        let mut web = Self { http, https: None, door, handles: Vec::new() };
        if let Some((address, certificate)) = config.https {
            let mut tls = certificate.server_config();
            // Apple's players play with low latency by HTTP/2 alone. WebSockets are an upgrade of HTTP/1.1: browsers make a connection of
            // that for them, since we announce no other way (RFC 8441).
            tls.alpn_protocols = vec![H2.to_vec(), b"http/1.1".to_vec()];
            let tls = RustlsConfig::from_config(Arc::new(tls));
            let listener = bind(address, PATIENCE)?;
            web.https = listener.local_addr().ok();
            let handle = Handle::new();
            web.handles.push(handle.clone());
            let front = Front::new(app, router.layer(Extension(rest::OverTls)));
            let service = front.into_make_service();
            let server = axum_server::from_tcp_rustls(listener, tls).map_err(|error| WebError::Bind(address, error))?;
            let server = guard(server, PATIENCE).map(|acceptor| PATIENCE.with_idle(acceptor));
            tokio::spawn(report(server.handle(handle).serve(service)));
        }
        Ok(web)
    }

    /// The bound plain port.
    #[must_use]
    pub fn http_addr(&self) -> SocketAddr {
        self.http
    }

    /// The bound TLS port.
    #[must_use]
    pub fn https_addr(&self) -> Option<SocketAddr> {
        self.https
    }

    /// Takes no new connections and waits at most so long for those that are.
    pub async fn stop(&self, at_most: Duration) {
        self.door.stop();
        for handle in &self.handles {
            handle.graceful_shutdown(Some(at_most));
        }
        let all_gone = async {
            let is_open =
                || self.handles.iter().map(Handle::connection_count).sum::<usize>() + self.door.connection_count() > 0;
            while is_open() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        // Who still holds on is cut off by the process's end.
        let _ = tokio::time::timeout(at_most, all_gone).await;
    }
}

fn bind_rtmp(address: SocketAddr) -> Result<(tokio::net::TcpListener, u16), WebError> {
    let listener = bind(address, PATIENCE)?;
    let port = listener.local_addr().map_err(|error| WebError::Bind(address, error))?.port();
    let listener = tokio::net::TcpListener::from_std(listener).map_err(|error| WebError::Bind(address, error))?;
    Ok((listener, port))
}

async fn report(serving: impl Future<Output = io::Result<()>>) {
    if let Err(error) = serving.await {
        tracing::error!(%error, "web has stopped");
    }
}

fn router(app: App) -> Router {
    let (routes, document) = rest::routes(&app);
    let origins = app.origins.clone();
    Router::new()
        .nest("/api/v1", routes)
        .merge(SwaggerUi::new("/api/docs").url("/api/v1/openapi.json", document))
        .merge(live_routes(&app))
        .merge(whip::routes())
        .merge(whep::routes())
        .route(live::POSTER, get(live::poster))
        .route("/sip", get(sip_socket::upgrade))
        .route("/healthz", get(|| async { "ok" }))
        .route("/readyz", get(|| async { "ok" }))
        .fallback(pages::page)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(middleware::from_fn_with_state(Policies::new(&origins), headers))
        .layer(middleware::from_fn_with_state(origins.clone(), origins::share))
        .layer(Extension(origins))
        .layer(CatchPanicLayer::new())
        .with_state(app)
}

/// A livestream's files, what its viewers do and its recording, behind the gate.
fn live_routes(app: &App) -> Router<App> {
    Router::new()
        .route("/live/{broadcast}/replay.mp4", get(rest::recordings::replay))
        .route("/live/{broadcast}/replay.vtt", get(rest::recordings::replay_captions))
        .route("/live/{broadcast}/chat", get(viewer_chat::read).post(viewer_chat::write))
        .route("/live/{broadcast}/actions", post(viewer_chat::take))
        .route("/live/{broadcast}/stage", post(viewer_chat::come_up))
        .layer(middleware::from_fn_with_state(app.clone(), live::gate))
        .route("/live/{broadcast}/{file}", get(live::file).options(live::preflight))
}

/// What pages may do, written once.
#[derive(Clone)]
struct Policies {
    own: HeaderValue,
    /// Of pages that others show in a frame.
    embedded: HeaderValue,
}

impl Policies {
    fn new(origins: &Origins) -> Self {
        let own = HeaderValue::from_static(CONTENT_SECURITY_POLICY);
        // The last directive takes more ancestors.
        let embedded = HeaderValue::try_from(format!("{CONTENT_SECURITY_POLICY} {}", origins.all().join(" ")));
        Self { embedded: embedded.unwrap_or_else(|_| own.clone()), own }
    }

    /// A livestream's files come several times a second and are no pages: there it would be a third of what sound takes.
    fn of(&self, path: &str) -> Option<&HeaderValue> {
        match path {
            _ if path.starts_with("/live/") => None,
            _ if path.starts_with("/embed/") => Some(&self.embedded),
            _ => Some(&self.own),
        }
    }
}

/// On every answer.
async fn headers(State(policies): State<Policies>, request: Request, next: Next) -> Response {
    let policy = policies.of(request.uri().path()).cloned();
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if let Some(policy) = policy {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// Health and metrics for the loopback port.
pub fn health_router(metrics: impl Fn() -> String + Clone + Send + Sync + 'static) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok" }))
        .route("/readyz", get(|| async { "ok" }))
        .route("/metrics", get(move || async move { metrics() }))
}

/// Serves [`health_router`].
pub async fn serve_health(listener: tokio::net::TcpListener, router: Router) -> io::Result<()> {
    axum::serve(listener, router).await
}
