//! How the log is written.

use tracing_subscriber::EnvFilter;

use crate::options::LogFormat;

/// The client reports each failed request at error level; we report what follows from it, once.
const QUIET: &str = "kube_client=off,kube=off,tower=warn,hyper=warn,hyper_util=warn,rustls=warn";

/// Starts logging to the standard error.
///
/// Values are recorded as strings, not as display text: both forms then escape control characters, so that a string
/// that a user wrote cannot begin a line of its own.
pub(crate) fn start(format: LogFormat, level: &str) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(format!("{QUIET},{level}"))?;
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match format {
        LogFormat::Json => logs.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init(),
        LogFormat::Text => logs.with_ansi(false).try_init(),
    };
    started.map_err(|error| anyhow::anyhow!("logging cannot be started: {error}"))
}
