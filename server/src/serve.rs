//! `huitong serve`: starts the parts from the bottom row up, waits for the signal, stops them from the top down.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use api::{Certificate, SipInfo, Support, TurnConfig, Web, WebConfig};
use conference::{Conference, ConferenceConfig, OutboxConfig, Reach, SignOnConfig, SmsConfig};
use gateway::{Gateway, GatewayConfig, LadderConfig};
use plane::{LineCare, Plane, PlaneConfig};
use sipconf::Prompts;
use store::Store;
use streaming::{DvrConfig, RecordingConfig, Storage, Streaming, StreamingConfig};
use tokio::signal::unix::{SignalKind, signal};

use crate::{config::Config, demo, descriptors, telemetry};

/// Telephones by WebSocket that may wait to be handed over; more wait in turn.
const SIP_SOCKETS_WAITING: usize = 16;

/// How long callers and viewers have to be told and hung up on. People wait for the prompt to come back: a longer
/// goodbye would be cut off by their patience.
const DRAIN: Duration = Duration::from_secs(4);

/// How long callers may take of it to hear the last words; then what is left is written down.
const CALLS: Duration = Duration::from_secs(3);

/// How often histograms are folded together.
const METRICS_UPKEEP: Duration = Duration::from_secs(5);

pub(crate) fn run(file: Option<&Path>, demo: bool) -> anyhow::Result<()> {
    let config = Config::load(file)?;
    telemetry::start_logs(&config.log)?;
    descriptors::raise();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start threads")?;
    let result = runtime.block_on(serve(config, demo));
    // Whatever still runs (a password hash, a slow disk) must not hold the exit up.
    runtime.shutdown_timeout(Duration::from_millis(200));
    result
}

async fn serve(config: Config, with_demo: bool) -> anyhow::Result<()> {
    let metrics = telemetry::start_metrics()?;
    // Several crates bring rustls; all of them use this one provider.
    let _ = rustls::crypto::ring::default_provider().install_default();
    std::fs::create_dir_all(&config.data.dir)
        .with_context(|| format!("cannot make the data directory {}", config.data.dir.display()))?;
    let announced = config.announced();
    let announced_first = announced.first().copied().unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));

    let prompts = Prompts::load().context("cannot load the spoken prompts")?;
    let store = Store::open(&config.database_url()).await.context("cannot open the database")?;
    let plane = Plane::start(PlaneConfig {
        workers: config.media_workers(),
        rtp_ports: config.media.rtp_ports.0.clone(),
        rtp_bind: config.media.webrtc.ip(),
        care: LineCare {
            denoise: config.media.denoise,
            mute_music: config.media.mute_music,
            echo_guard: config.media.echo_guard,
        },
        loudest: config.media.loudest.0,
        rtp_announced: announced.clone(),
        webrtc_bind: config.media.webrtc,
        webrtc_announced: announced.clone(),
    })?;
    let streaming = Streaming::new(StreamingConfig {
        studio: config.studio_program()?,
        font: config.studio.font.clone(),
        logo: config.studio.logo.clone(),
        background: config.studio.background.clone(),
        poster: config.studio.poster.clone(),
        recording: RecordingConfig {
            folder: Some(config.recording.dir.clone().unwrap_or_else(|| config.data.dir.join("recordings"))),
            keep_days: config.recording.keep_days,
            quota_bytes: config.recording.quota_gb.saturating_mul(1_000_000_000),
            tracks: config.recording.tracks,
        },
        dvr: DvrConfig {
            folder: Some(config.livestream.dir.clone().unwrap_or_else(|| config.data.dir.join("live"))),
            window: Duration::from_secs(config.livestream.window_minutes.saturating_mul(60)),
        },
        storage: config.storage()?,
        captions: config.captions.clone().map(|captions| captions.0),
        full_hd: config.livestream.full_hd,
        encoder: config.livestream.encoder.clone(),
        cores: Some(config.livestream.cores).filter(|cores| *cores > 0),
        private_push: config.push.private,
        push_authority: config.push.authority.clone(),
    });
    let conference_config = ConferenceConfig {
        reach: config.reach(announced_first),
        outbox: config.outbox(),
        files: config.data.dir.join("files"),
        sign_on: config.sign_on(),
        calling: config.sip.calling.policy(),
        ..ConferenceConfig::default()
    };
    let conference = Conference::start(conference_config, store, plane.clone(), streaming.clone()).await?;
    let certificate = match config.tls.files() {
        Some((chain, key)) => Certificate::of_files(chain, key)?,
        None => Certificate::own(&config.data.dir, &announced)?,
    };
    certificate.keep_fresh();
    let signalling_tls = match &config.sip.tls_authority {
        Some(authority) => certificate.server_config_for(authority)?,
        None => certificate.server_config(),
    };
    let gateway = Gateway::start(
        GatewayConfig {
            udp: config.sip.udp.clone(),
            tcp: config.sip.tcp.clone(),
            tls: config.sip.tls.clone(),
            certificate: Arc::new(signalling_tls),
            announce: config.sip.announce,
            numbers: config.sip.numbers.clone(),
            dial_plan: config.sip.dial_plan(),
            name_servers: config.sip.name_servers.clone(),
            accounts: config.sip.accounts.clone(),
            sha256: config.sip.sha256,
            limits: config.sip.limits(),
            connections: config.sip.connections(),
            realm: config.sip.domain.clone().unwrap_or_else(|| announced_first.to_string()),
            keys: config.sip.keypad.clone(),
            announced: announced.clone(),
            video_bits_per_second: config.sip.video_kbit.0 as u32 * 1_000,
            ladder: LadderConfig {
                folder: config.data.dir.join("ladders"),
                days: config.sip.ladder_days,
                bytes_max: config.sip.ladder_mb.saturating_mul(1_000_000),
            },
        },
        conference.clone(),
        plane,
        prompts,
    )
    .await?;
    let sip = SipInfo {
        host: config.sip.domain.clone().unwrap_or_else(|| announced_first.to_string()),
        udp: gateway.udp_addrs().first().map(SocketAddr::port),
        tcp: gateway.tcp_addrs().first().map(SocketAddr::port),
    };
    conference.set_sip(sip.clone());
    let (sip_sockets, mut opened) = tokio::sync::mpsc::channel::<api::SipSocket>(SIP_SOCKETS_WAITING);
    let by_web = gateway.web_sockets();
    tokio::spawn(async move {
        while let Some(api::SipSocket { peer, said, answers }) = opened.recv().await {
            by_web.serve(peer, said, answers).await;
        }
    });
    let web = Web::start(
        WebConfig {
            http: config.web.http,
            https: config.web.https.map(|address| (address, certificate)),
            rtmp: config.web.rtmp.clone(),
            public_url: config.web.public_url.clone(),
            origins: config.web.origins.iter().map(|origin| origin.0.clone()).collect(),
            sip: sip.clone(),
            support: Support {
                url: config.support.url.clone().map(|link| link.0),
                hotline: config.support.hotline.clone(),
            },
            joins_per_second: config.web.joins_per_second,
            sip_sockets: Some(sip_sockets),
            turn: config.turn.clone().map(|turn| TurnConfig { urls: turn.urls, secret: turn.secret }),
        },
        conference.clone(),
        &streaming,
    )?;
    let health = serve_metrics(config.metrics.bind, metrics).await?;
    tracing::info!(http = %web.http_addr(), metrics = %health, "serving");
    if with_demo {
        demo::prepare_and_print(&conference, &web, &sip, &announced).await?;
    }

    wait_for_signal().await?;
    tracing::info!("stopping");
    let drain = async {
        // Callers hear it, browsers are told by their meetings; the database is closed when all of it is written down.
        tokio::join!(gateway.drain(CALLS), async {
            conference.drain().await;
            web.stop(Duration::from_millis(500)).await;
        });
        conference.close().await;
    };
    let hurried = async {
        // A second signal means now.
        let _ = wait_for_signal().await;
    };
    tokio::select! {
        () = drain => {}
        () = tokio::time::sleep(DRAIN) => tracing::warn!("not all had left in time"),
        () = hurried => {}
    }
    tracing::info!("stopped");
    Ok(())
}

/// Health and metrics, on their own port so that a reverse proxy can't publish them by accident.
async fn serve_metrics(
    bind: SocketAddr,
    metrics: metrics_exporter_prometheus::PrometheusHandle,
) -> anyhow::Result<SocketAddr> {
    let upkeep = metrics.clone();
    tokio::spawn(async move {
        let mut interval = tokio::time::interval(METRICS_UPKEEP);
        loop {
            interval.tick().await;
            upkeep.run_upkeep();
        }
    });
    let router = api::health_router(move || metrics.render());
    let listener =
        tokio::net::TcpListener::bind(bind).await.with_context(|| format!("cannot bind metrics at {bind}"))?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        if let Err(error) = api::serve_health(listener, router).await {
            tracing::error!(%error, "metrics have stopped");
        }
    });
    Ok(address)
}

async fn wait_for_signal() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        result = tokio::signal::ctrl_c() => result?,
        _ = terminate.recv() => {}
    }
    Ok(())
}

impl Config {
    pub(crate) fn database_url(&self) -> String {
        let file = || format!("sqlite://{}?mode=rwc", self.data.dir.join("huitong.db").display());
        self.data.url.clone().unwrap_or_else(file)
    }

    /// For links in mail, where nobody's browser says how it reached us.
    fn reach(&self, announced: IpAddr) -> Reach {
        let web = match (&self.web.public_url, self.web.https) {
            (Some(url), _) => url.trim_end_matches('/').to_owned(),
            (None, Some(https)) => format!("https://{announced}:{}", https.port()),
            (None, None) => format!("http://{announced}:{}", self.web.http.port()),
        };
        let phones = match self.phones.as_slice() {
            [] => self.sip.numbers.told().to_vec(),
            phones => phones.iter().map(|phone| (phone.name.clone(), phone.number.clone())).collect(),
        };
        Reach { web, sip: None, phones }
    }

    fn outbox(&self) -> OutboxConfig {
        let body = || r#"{"to": "{to}", "text": "{text}"}"#.to_owned();
        OutboxConfig {
            smtp: self.mail.smtp.clone(),
            mail_from: self.mail.from.clone(),
            sms: self.sms.url.clone().map(|url| SmsConfig {
                url,
                body: self.sms.body.clone().unwrap_or_else(body),
                form: self.sms.form,
                authorization: self.sms.authorization.clone(),
            }),
            country: self.sip.country.clone(),
            private_webhooks: self.webhooks.private,
        }
    }

    /// Where recordings go.
    pub(crate) fn storage(&self) -> anyhow::Result<Option<Storage>> {
        let Some(storage) = &self.storage else { return Ok(None) };
        Storage::open(storage).map(Some).context("storage")
    }

    fn sign_on(&self) -> Option<SignOnConfig> {
        let sign_on = self.sign_on.clone()?;
        Some(SignOnConfig {
            issuer: sign_on.issuer,
            client_id: sign_on.client_id,
            client_secret: sign_on.client_secret,
            label: sign_on.label,
            site: sign_on.site,
            trust_names: sign_on.trust_names,
        })
    }

    pub(crate) fn studio_program(&self) -> anyhow::Result<PathBuf> {
        if let Some(program) = &self.studio.program {
            return Ok(program.clone());
        }
        let own = std::env::current_exe().context("cannot find this program's folder")?;
        Ok(own.with_file_name("huitong-studio"))
    }
}
