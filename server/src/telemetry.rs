//! Logs to standard error; metrics and health on a port of their own.

use anyhow::Context;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::{EnvFilter, fmt};

use crate::config::{Log, LogFormat};

pub(crate) fn start_logs(config: &Log) -> anyhow::Result<()> {
    // What strangers say in a handshake is counted, and is nobody's warning.
    let filter = EnvFilter::try_new(format!("rtc_dtls=off,{}", config.filter))
        .with_context(|| format!("log.filter {:?}", config.filter))?;
    let log = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match config.format {
        LogFormat::Text => log.compact().try_init(),
        LogFormat::Json => log.json().try_init(),
    }
    .map_err(|error| anyhow::anyhow!("logs are started already: {error}"))
}

/// Installs the recorder all crates count into. Histograms must be emptied by `run_upkeep` now and then.
pub(crate) fn start_metrics() -> anyhow::Result<PrometheusHandle> {
    PrometheusBuilder::new().install_recorder().context("cannot start the metrics")
}
