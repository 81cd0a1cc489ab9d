//! The routes of a surface. Each is written once, so that the router and the description cannot disagree.
//!
//! A handler names its method and its pattern in `#[utoipa::path]`, and [`Surface::route`] adds it to the router and to
//! the OpenAPI description together.
//!
//! A surface serves exactly the methods that it names. axum lets a GET handler answer HEAD as well. For a GET that
//! spends a guess or sends a message that would be a hole: a link preview or a health probe would do it unseen.

use std::convert::Infallible;

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, Route};
use http::HeaderValue;
use http::header::ALLOW;
use serde_json::{Map, Value};
use tower::{Layer, Service};
use utoipa::openapi::path::Operation;
use utoipa::openapi::{OpenApi, PathItem};
use utoipa_axum::router::OpenApiRouter;

pub use utoipa_axum::router::UtoipaMethodRouter;
pub use utoipa_axum::routes;

/// The extension of a description that lists what [`Surface::beside`] added.
pub const OTHER_ROUTES: &str = "x-other-routes";

/// Builds a wire's answer to a method that a route does not have, from the text of the `Allow` header.
pub type MethodNotAllowed = fn(&'static str) -> Response;

/// A router and its OpenAPI description under construction; [`Surface::into_parts`] gives both.
///
/// ```
/// use axum::response::Response;
/// use http::StatusCode;
/// use web::surface::{Surface, routes};
///
/// fn not_allowed(_allow: &'static str) -> Response {
///     web::json::reply(StatusCode::METHOD_NOT_ALLOWED, &serde_json::json!({ "message": "Method not allowed" }))
/// }
///
/// #[utoipa::path(get, path = "/thing/{id}", responses((status = 200)))]
/// async fn read() -> &'static str { "the thing" }
/// #[utoipa::path(put, path = "/thing/{id}", responses((status = 204)))]
/// async fn change() -> StatusCode { StatusCode::NO_CONTENT }
///
/// // HEAD, POST and the rest: 405 with `Allow: GET, PUT`.
/// let surface: Surface = Surface::new(Default::default(), not_allowed)
///     .route(routes!(read))
///     .route(routes!(change));
/// let (router, description) = surface.into_parts();
/// assert!(description.paths.paths["/thing/{id}"].put.is_some());
/// # let _: axum::Router = router;
/// ```
#[must_use = "a surface answers nothing until its router is taken out"]
pub struct Surface<S = ()> {
    api: OpenApiRouter<S>,
    /// Patterns and their methods, in the order in which they were added, until [`Surface::close`].
    open: Vec<(String, Vec<&'static str>)>,
    others: Map<String, Value>,
    on_405: MethodNotAllowed,
    /// The beginning of the patterns that handlers name, and what takes its place.
    moved: Option<(&'static str, String)>,
}

impl<S: Clone + Send + Sync + 'static> Surface<S> {
    /// A surface without routes. `about` has what the description says of the whole: title, tags, security schemes.
    ///
    /// `on_405` gives the answer to every method that a route does not name, in the wire's own shape. The `Allow`
    /// header of the answer is always exact: the methods in the order in which they were added.
    pub fn new(about: OpenApi, on_405: MethodNotAllowed) -> Self {
        Self {
            api: OpenApiRouter::with_openapi(about),
            open: Vec::new(),
            others: Map::new(),
            on_405,
            moved: None,
        }
    }

    /// Lets the routes that are added from now on begin with `to`, where their handlers name patterns below `from`.
    pub fn moved(self, from: &'static str, to: &str) -> Self {
        Self {
            moved: Some((from, to.to_owned())),
            ..self
        }
    }

    /// Adds what [`routes!`] gives for one or more handlers of one pattern. A pattern may come several times.
    pub fn route(mut self, mut route: UtoipaMethodRouter<S>) -> Self {
        if let Some((from, to)) = &self.moved {
            let patterns = std::mem::take(&mut route.1.paths).into_iter();
            let moved = |pattern: String| match pattern.strip_prefix(from) {
                Some(rest) => format!("{to}{rest}"),
                None => pattern,
            };
            route.1.paths = patterns
                .map(|(pattern, item)| (moved(pattern), item))
                .collect();
        }
        for (pattern, item) in &route.1.paths {
            let methods = operations(item).map(|(name, _)| name);
            let known = self.open.iter_mut().find(|(known, _)| known == pattern);
            match known {
                Some((_, named)) => named.extend(methods),
                None => self.open.push((pattern.clone(), methods.collect())),
            }
        }
        self.api = self.api.routes(route);
        self
    }

    /// Adds the routes of another surface that are no operations of this API, such as pages for people.
    ///
    /// The description only lists them, in its extension [`OTHER_ROUTES`]: pattern → method → statuses of answers.
    pub fn beside(self, other: Self) -> Self {
        let (this, other) = (self.close(), other.close());
        let (router, description) = other.api.split_for_parts();
        let listed = description.paths.paths.iter().map(|(pattern, item)| {
            let statuses = operations(item).map(|(name, operation)| {
                let statuses = operation.responses.responses.keys().cloned();
                (name.to_owned(), statuses.map(Value::from).collect())
            });
            (pattern.clone(), Value::Object(statuses.collect()))
        });
        let mut others = this.others;
        others.extend(listed);
        others.extend(other.others);
        Self {
            api: this.api.merge(OpenApiRouter::from(router)),
            others,
            ..this
        }
    }

    /// Puts a layer around all routes that were added so far, and around their answers to other methods.
    pub fn layer<L>(self, layer: L) -> Self
    where
        L: Layer<Route> + Clone + Send + Sync + 'static,
        L::Service: Service<Request> + Clone + Send + Sync + 'static,
        <L::Service as Service<Request>>::Response: IntoResponse + 'static,
        <L::Service as Service<Request>>::Error: Into<Infallible> + 'static,
        <L::Service as Service<Request>>::Future: Send + 'static,
    {
        let this = self.close();
        Self {
            api: this.api.layer(layer),
            ..this
        }
    }

    /// The router, and the description of exactly its routes.
    pub fn into_parts(self) -> (Router<S>, OpenApi) {
        let this = self.close();
        let (router, mut description) = this.api.split_for_parts();
        if !this.others.is_empty() {
            let extensions = description.extensions.get_or_insert_default();
            extensions.insert(OTHER_ROUTES.to_owned(), Value::Object(this.others));
        }
        (router, description)
    }

    /// Lets every route answer the methods that it does not name.
    fn close(mut self) -> Self {
        let open = std::mem::take(&mut self.open);
        let api = open.into_iter().fold(self.api, |api, (pattern, named)| {
            api.route(&pattern, refusing(&named, self.on_405))
        });
        Self { api, ..self }
    }
}

/// The operations that a pattern has, by method. Those of one handler come in this order.
fn operations(item: &PathItem) -> impl Iterator<Item = (&'static str, &Operation)> {
    let operations = [
        ("GET", &item.get),
        ("PUT", &item.put),
        ("POST", &item.post),
        ("DELETE", &item.delete),
        ("OPTIONS", &item.options),
        ("HEAD", &item.head),
        ("PATCH", &item.patch),
        ("TRACE", &item.trace),
    ];
    let named = operations.into_iter();
    named.filter_map(|(name, operation)| Some((name, operation.as_ref()?)))
}

/// The answer to every method but those named. HEAD must be refused by name, or axum would run the handler of GET.
fn refusing<S: Clone + Send + Sync + 'static>(
    named: &[&'static str],
    on_405: MethodNotAllowed,
) -> MethodRouter<S> {
    // A route lives as long as the process, so this leaks once per route, not per request.
    let allow: &'static str = String::leak(named.join(", "));
    let refuse = move || async move {
        let mut response = on_405(allow);
        response
            .headers_mut()
            .insert(ALLOW, HeaderValue::from_static(allow));
        response
    };
    let routes = MethodRouter::new().fallback(refuse);
    if named.contains(&"HEAD") {
        routes
    } else {
        routes.head(refuse)
    }
}
