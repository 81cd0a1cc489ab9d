//! The console: one page that calls the admin API with the operator's token, and has no other way in.

use axum::response::Response;

const PAGE: &str = include_str!("console/page.html");
const STYLE: &str = include_str!("console/page.css");
const SCRIPT: &str = include_str!("console/page.js");

/// The page. The token is typed in and kept for the browser tab only.
#[utoipa::path(get, operation_id = "showConsole", path = "/", responses((status = 200, content_type = "text/html")))]
pub(crate) async fn show() -> Response {
    let page = PAGE.replace("{style}", STYLE).replace("{script}", SCRIPT);
    web::page::scripted(page, STYLE, SCRIPT)
}
