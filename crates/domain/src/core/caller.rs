//! Who calls, as far as the front knows.

/// Who calls, as far as the front knows: for budgets, messages and the audit trail.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The surface's name, as messages and audit show it.
    pub surface: &'static str,
    /// The client's network: an IPv4 address or an IPv6 /64.
    pub network: String,
    /// The language the caller understands.
    pub language: String,
}
