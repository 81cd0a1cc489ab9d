//! The admin listener: the admin API, the metrics, and the tools of development mode.

use std::sync::Arc;

use admin::Admin;
use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use compose::{Composition, MAILBOX, anchor};
use config::Loaded;
use domain::Services;
use domain::proof::operator::OperatorRight;
use domain::secret::SecretText;
use http::header;

use crate::metrics::Metrics;
use crate::{description, dev};

/// The name under which the audit trail knows whoever holds the token that the running server leaves in its data
/// directory.
const LOCAL_OPERATOR: &str = "local";

/// Everything on the admin listener. `token`: what a caller must send.
pub(crate) fn routes(
    loaded: &Loaded,
    composition: &Composition,
    token: &SecretText,
    metrics: &Arc<Metrics>,
) -> Router {
    let anchor = anchor::path(loaded);
    composition
        .services
        .operators
        .accept_token(token.clone(), LOCAL_OPERATOR, &OperatorRight::ALL);
    let admin = Arc::new(Admin {
        services: composition.services.clone(),
        version: env!("CARGO_PKG_VERSION"),
        anchor: Box::new(move || anchor::read(&anchor).ok().flatten()),
    });
    let (services, shown) = (composition.services.clone(), Arc::clone(metrics));
    let mut router =
        admin::routes(admin).route("/metrics", get(move || metrics_page(services, shown)));
    router = description::with_admin(router);
    if let Some(clock) = &composition.movable {
        let configured = loaded.config.mail.path.clone();
        let tools = dev::Tools {
            services: composition.services.clone(),
            clock: Arc::clone(clock),
            mailbox: configured.unwrap_or_else(|| loaded.data.join(MAILBOX)),
            token: token.clone(),
        };
        router = router.merge(dev::routes(Arc::new(tools)));
    }
    router.fallback(|| async { admin::not_found() })
}

async fn metrics_page(services: Services, metrics: Arc<Metrics>) -> Response {
    metrics.ready.set(i64::from(services.ready().await.is_ok()));
    let headers = [(
        header::CONTENT_TYPE,
        "text/plain; version=0.0.4; charset=utf-8",
    )];
    (headers, metrics.text()).into_response()
}
