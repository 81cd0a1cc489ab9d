//! Routes that answer exactly the methods they name.
//!
//! axum lets `get` answer HEAD as well. For a GET that spends a guess or sends a message that is a hole: a link
//! preview or a health probe would do it unseen. So here a method is served only when it is named.

use axum::handler::Handler;
use axum::response::Response;
use axum::routing::{MethodFilter, MethodRouter};
use http::HeaderValue;
use http::header::ALLOW;

/// Starts a route; name its methods, then [`Only::build`] it.
///
/// `on_405` gives the answer for every other method in the wire's own shape. It is handed the text of the `Allow`
/// header, and whatever it does with that, the header of the answer is exact.
///
/// ```
/// use axum::{Router, response::Response};
/// use http::StatusCode;
/// use web::methods::only;
///
/// fn not_allowed(_allow: &'static str) -> Response {
///     web::json::reply(StatusCode::METHOD_NOT_ALLOWED, &serde_json::json!({ "message": "Method not allowed" }))
/// }
///
/// async fn read() -> &'static str { "the thing" }
/// async fn change() -> StatusCode { StatusCode::NO_CONTENT }
///
/// // HEAD, POST and the rest: 405 with `Allow: GET, PUT`.
/// let router: Router = Router::new().route("/thing", only(not_allowed).get(read).put(change).build());
/// ```
pub fn only<S: Clone + Send + Sync + 'static>(on_405: fn(&'static str) -> Response) -> Only<S> {
    Only {
        routes: MethodRouter::new(),
        named: Vec::new(),
        on_405,
    }
}

/// A route under construction; see [`only`].
#[must_use = "a route answers nothing until it is built"]
#[derive(Debug)]
pub struct Only<S = ()> {
    routes: MethodRouter<S>,
    named: Vec<&'static str>,
    on_405: fn(&'static str) -> Response,
}

impl<S: Clone + Send + Sync + 'static> Only<S> {
    /// Serves GET, and GET only.
    pub fn get<H: Handler<T, S>, T: 'static>(self, handler: H) -> Self {
        self.serve("GET", MethodFilter::GET, handler)
    }

    /// Serves HEAD. A route that names it as well as GET needs a handler for each.
    pub fn head<H: Handler<T, S>, T: 'static>(self, handler: H) -> Self {
        self.serve("HEAD", MethodFilter::HEAD, handler)
    }

    /// Serves POST.
    pub fn post<H: Handler<T, S>, T: 'static>(self, handler: H) -> Self {
        self.serve("POST", MethodFilter::POST, handler)
    }

    /// Serves PUT.
    pub fn put<H: Handler<T, S>, T: 'static>(self, handler: H) -> Self {
        self.serve("PUT", MethodFilter::PUT, handler)
    }

    /// Serves PATCH.
    pub fn patch<H: Handler<T, S>, T: 'static>(self, handler: H) -> Self {
        self.serve("PATCH", MethodFilter::PATCH, handler)
    }

    /// Serves DELETE.
    pub fn delete<H: Handler<T, S>, T: 'static>(self, handler: H) -> Self {
        self.serve("DELETE", MethodFilter::DELETE, handler)
    }

    /// Serves OPTIONS, which browsers send before a call from another origin.
    pub fn options<H: Handler<T, S>, T: 'static>(self, handler: H) -> Self {
        self.serve("OPTIONS", MethodFilter::OPTIONS, handler)
    }

    fn serve<H: Handler<T, S>, T: 'static>(
        mut self,
        name: &'static str,
        method: MethodFilter,
        handler: H,
    ) -> Self {
        self.named.push(name);
        self.routes = self.routes.on(method, handler);
        self
    }

    /// The finished route, for [`axum::Router::route`]. `Allow` lists the methods in the order they were named.
    pub fn build(self) -> MethodRouter<S> {
        let on_405 = self.on_405;
        // A route lives as long as the process, so this leaks once per route, not per request.
        let allow: &'static str = String::leak(self.named.join(", "));
        let refuse = move || async move { refusal(on_405, allow) };
        let routes = if self.named.contains(&"HEAD") {
            self.routes
        } else {
            self.routes.head(refuse)
        };
        routes.fallback(refuse)
    }
}

fn refusal(on_405: fn(&'static str) -> Response, allow: &'static str) -> Response {
    let mut response = on_405(allow);
    response
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static(allow));
    response
}
