//! The process's figures for `/metrics`.

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use std::sync::{Arc, OnceLock};

static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// Starts counting, once a process, and gives what writes the figures out.
pub fn recorder() -> web::Metrics {
    let handle = RECORDER.get_or_init(|| PrometheusBuilder::new().install_recorder().ok());
    Arc::new(move || handle.as_ref().map(PrometheusHandle::render).unwrap_or_default())
}
